/**
 * Health and metrics, on an address of their own and never on a public one.
 */
import type { BindAddress } from '../config/scalars.ts'
import { bindPlain } from './bind-plain.ts'
import type { Bound } from './secure-listener.ts'

export interface Readiness {
  readonly ready: boolean
  /** Name of a part -> "ok", or what is wrong with it. No address, no credential. */
  readonly parts: Readonly<Record<string, string>>
}

export interface AdminAnswers {
  readiness(): Promise<Readiness>
  metrics(): Promise<{ type: string; text: string }>
}

export function listenAdmin(binds: readonly BindAddress[], answers: AdminAnswers): Promise<Bound> {
  const answer = async (path: string): Promise<{ status: number; type: string; text: string }> => {
    if (path === '/healthz') return { status: 200, type: 'text/plain; charset=utf-8', text: 'ok\n' }
    if (path === '/readyz') {
      const { ready, parts } = await answers.readiness()
      return { status: ready ? 200 : 503, type: 'application/json', text: `${JSON.stringify({ ready, parts })}\n` }
    }
    if (path === '/metrics') return { status: 200, ...(await answers.metrics()) }
    return { status: 404, type: 'text/plain; charset=utf-8', text: 'Here are /healthz, /readyz and /metrics.\n' }
  }
  return bindPlain('admin', binds, (message, response) => {
    const path = (message.url ?? '/').split('?', 1)[0] ?? '/'
    answer(path).then(
      ({ status, type, text }) =>
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text),
      () => response.writeHead(500).end(), // a metric that cannot be read must not end the gateway
    )
  })
}
