/**
 * The npm package http-proxy in a process of its own: what a gateway on Node would be if it were built on that.
 */
import { join } from 'node:path'
import { coresFor } from '../processes.ts'
import { launch, type Target } from './target.ts'

export const httpProxy: Target = {
  name: 'http-proxy',
  packages: {},
  onlyHttp1: true,
  warmUp: 6,
  cannot: ({ auth }) => (auth === 'session' || auth === 'basic' ? 'a library that only forwards' : undefined),
  async start(t, ground, { auth, workers }) {
    const { files, sink, server, authority } = ground
    const { port, pid, log } = await launch(t, {
      ...{
        name: 'http-proxy',
        cores: coresFor(workers).gateway,
        ca: authority.caPem,
        cwd: ground.folder('http-proxy'),
      },
      command: port => [
        ...[process.execPath, join(import.meta.dirname, 'http-proxy-gateway.ts')],
        ...[port, workers, files, sink].map(String),
        ...[server.certFile, server.keyFile, ...(auth === 'certificate' ? [authority.caFile] : [])],
      ],
    })
    return { port, pids: [pid], headers: {}, log }
  },
}
