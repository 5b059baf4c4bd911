/**
 * HAProxy in http mode with one TLS frontend; identity by client certificate only.
 *
 * Source: docs.haproxy.org 2.6, configuration manual (bind: ssl, crt, alpn, verify; http-reuse).
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ground } from '../ground.ts'
import { coresFor } from '../processes.ts'
import { type Job, launch, suite, type Target } from './target.ts'

interface Terms {
  readonly dir: string
  readonly ground: Ground
  readonly job: Job
  readonly port: number
}

const configuration = ({ dir, ground, job, port }: Terms) => `global
  nbthread ${job.workers}
  maxconn 8000
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 120s
  timeout server 120s
  timeout http-keep-alive 75s
  http-reuse always
frontend web
  bind 127.0.0.1:${port} ssl crt ${dir}/server.pem ssl-min-ver TLSv1.3 ciphersuites ${suite} alpn h2,http/1.1 ${
    job.auth === 'certificate' ? `ca-file ${ground.authority.caFile} verify required` : ''
  }
  option forwardfor
  use_backend sink if { path_beg /upload }
  default_backend files
backend files
  server files 127.0.0.1:${ground.files}
backend sink
  server sink 127.0.0.1:${ground.sink}
`

export const haproxy: Target = {
  name: 'haproxy',
  packages: { haproxy: '/usr/sbin/haproxy' },
  cannot: ({ auth }) =>
    auth === 'session' || auth === 'basic' ? 'it has no sessions and asks no directory' : undefined,
  async start(t, ground, job) {
    const dir = ground.folder('haproxy')
    writeFileSync(join(dir, 'server.pem'), `${ground.server.chainPem}\n${ground.server.keyPem}`, { mode: 0o600 })
    const { port, pid, log } = await launch(t, {
      ...{ name: 'haproxy', cores: coresFor(job.workers).gateway, ca: ground.authority.caPem, cwd: dir },
      command: port => {
        writeFileSync(join(dir, 'haproxy.cfg'), configuration({ dir, ground, job, port }))
        return ['/usr/sbin/haproxy', '-db', '-f', join(dir, 'haproxy.cfg')]
      },
    })
    return { port, pids: [pid], headers: {}, log }
  },
}
