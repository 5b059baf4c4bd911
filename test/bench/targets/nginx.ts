/**
 * nginx, as its documentation sets up a TLS proxy; identity by auth_request to a server beside it, or by certificate.
 *
 * `nginx-open` is the same without authentication, run beside the others where they authenticate: what it costs.
 * Not to forget: one proxy_set_header in a location drops all that it would inherit, so they stand together here; without
 * `Connection ""` no connection to the upstream is kept. Source: nginx.org, ngx_http_proxy_module, ngx_http_upstream_module.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { asRoot, type Ground, nginxTemp } from '../ground.ts'
import { coresFor } from '../processes.ts'
import { besideServer } from './beside.ts'
import { type Auth, can, type Job, launch, suite, type Target } from './target.ts'

interface Terms {
  readonly dir: string
  readonly ground: Ground
  readonly job: Job
  readonly port: number
  readonly authPort: number | undefined
}

const forwarded = `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https;`

const configuration = ({ dir, ground, job, port, authPort }: Terms) => `daemon off; worker_processes ${job.workers};
pid ${dir}/pid; ${asRoot} error_log ${dir}/error.log warn;
events { worker_connections 8192; }
http {
  access_log ${dir}/access.log combined; ${nginxTemp(dir)}
  keepalive_requests 1000000000; keepalive_timeout 75s; client_max_body_size 0;
  upstream files { server 127.0.0.1:${ground.files}; keepalive 64; keepalive_requests 1000000000; }
  upstream sink { server 127.0.0.1:${ground.sink}; keepalive 64; keepalive_requests 1000000000; }
  ${authPort === undefined ? '' : `upstream identity { server 127.0.0.1:${authPort}; keepalive 64; keepalive_requests 1000000000; }`}
  server {
    listen 127.0.0.1:${port} ssl http2 backlog=4096; server_name localhost;
    ssl_certificate ${ground.server.certFile}; ssl_certificate_key ${ground.server.keyFile};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites ${suite}; ssl_session_cache shared:SSL:10m; ssl_session_timeout 1h;
    ${job.auth === 'certificate' ? `ssl_verify_client on; ssl_client_certificate ${ground.authority.caFile};` : ''}
    ${authPort === undefined ? '' : 'auth_request /-auth;'}
    location / { proxy_pass http://files; ${forwarded} }
    location /upload { proxy_pass http://sink; proxy_request_buffering off; ${forwarded} }
    location = /login { auth_request off; proxy_pass http://${authPort === undefined ? 'files' : 'identity'}; ${forwarded} }
    location = /-auth {
      internal; proxy_pass http://${authPort === undefined ? 'files' : 'identity'}/auth; proxy_pass_request_body off;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Content-Length "";
    }
  }
}
`

async function start(t: Pick<Test, 'teardown'>, ground: Ground, job: Job) {
  const dir = ground.folder('nginx')
  const beside = await besideServer(t, ground, job)
  const launched = await launch(t, {
    ...{ name: 'nginx', cores: coresFor(job.workers).gateway, ca: ground.authority.caPem, cwd: dir },
    command: port => {
      const file = join(dir, 'nginx.conf')
      writeFileSync(file, configuration({ dir, ground, job, port, authPort: beside?.port }))
      return ['/usr/sbin/nginx', '-c', file, '-e', 'stderr']
    },
  })
  const { port, pid, log } = launched
  return { port, pids: [pid, ...(beside === undefined ? [] : [beside.pid])], headers: beside?.headers ?? {}, log }
}

const packages = { 'nginx-light': '/usr/sbin/nginx' }
const off: Auth = 'off'

export const nginx: Target = { name: 'nginx', packages, cannot: can, start }

export const nginxOpen: Target = {
  name: 'nginx-open',
  packages,
  cannot: can,
  start: (t, ground, job) => start(t, ground, { ...job, auth: off }),
}
