/**
 * Caddy with a Caddyfile; identity by forward_auth to a server beside it, or by client certificate.
 *
 * Source: caddyserver.com/docs, Caddyfile directives tls, reverse_proxy, forward_auth; global options.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ground } from '../ground.ts'
import { coresFor } from '../processes.ts'
import { besideServer } from './beside.ts'
import { can, type Job, launch, type Target } from './target.ts'

interface Terms {
  readonly dir: string
  readonly ground: Ground
  readonly job: Job
  readonly port: number
  readonly authPort: number | undefined
}

const configuration = ({ dir, ground, job, port, authPort }: Terms) => `{
  admin off
  auto_https off
  default_sni localhost
  servers {
    timeouts {
      idle 75s
    }
  }
}
https://localhost:${port}, https://127.0.0.1:${port} {
  bind 127.0.0.1
  log {
    output file ${dir}/access.log {
      roll_disabled
    }
  }
  tls ${ground.server.certFile} ${ground.server.keyFile} {
    protocols tls1.3
    ${job.auth === 'certificate' ? `client_auth {\n      mode require_and_verify\n      trusted_ca_cert_file ${ground.authority.caFile}\n    }` : ''}
  }
  ${authPort === undefined ? '' : `forward_auth 127.0.0.1:${authPort} {\n    uri /auth\n  }`}
  reverse_proxy /upload* 127.0.0.1:${ground.sink}
  reverse_proxy 127.0.0.1:${ground.files}
}
`

export const caddy: Target = {
  name: 'caddy',
  packages: { caddy: '/usr/bin/caddy' },
  cannot: can,
  async start(t, ground, job) {
    const dir = ground.folder('caddy')
    const beside = await besideServer(t, ground, job)
    const { port, pid, log } = await launch(t, {
      ...{ name: 'caddy', cores: coresFor(job.workers).gateway, ca: ground.authority.caPem, cwd: dir },
      env: { GOMAXPROCS: String(job.workers), HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
      command: port => {
        writeFileSync(join(dir, 'Caddyfile'), configuration({ dir, ground, job, port, authPort: beside?.port }))
        return ['/usr/bin/caddy', 'run', '--config', join(dir, 'Caddyfile'), '--adapter', 'caddyfile']
      },
    })
    return { port, pids: [pid, ...(beside === undefined ? [] : [beside.pid])], headers: beside?.headers ?? {}, log }
  },
}
