/**
 * The viewer's files for everybody, under the path that the viewer was built for, without the rest of the gateway.
 *
 *   malformed, or a path that can be read in two ways -> 400
 *   another address                                   -> 302
 *   else                                              -> the viewer, or 404
 *
 * Not to forget: nobody is asked who they are, so nothing but the viewer's own files may ever be answered here.
 */
import { asFault } from '../kernel/fault.ts'
import { ClientGone } from '../listener/bodies.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import { canonicalTarget } from '../route/canonical-path.ts'
import { placeUnder } from './public-path.ts'
import type { Viewer } from './static-files.ts'

export interface PublicFilesParts {
  readonly viewer: Viewer
  /** Such as / or /ohif/. */
  readonly base: string
  /** The canonical path of an exchange, for the access line. */
  note(exchange: Exchange, path: string): void
  /** What broke; a client that went away is no such thing. */
  broke(exchange: Exchange, thrown: unknown): void
}

/** Never rejects. */
export function createPublicFiles({
  viewer,
  base,
  note,
  broke,
}: PublicFilesParts): (exchange: Exchange) => Promise<void> {
  async function answer(exchange: Exchange): Promise<void> {
    const { request } = exchange
    if (request.malformed !== undefined)
      return plain(exchange, 400, `The request cannot be read: ${request.malformed}.`)
    const target = canonicalTarget(request.target)
    if ('ambiguous' in target) return plain(exchange, 400, `The path cannot be read: it holds ${target.ambiguous}.`)
    note(exchange, target.path)
    if ('upgrade' in exchange) return plain(exchange, 404, 'There are no WebSockets here.')
    const placed = placeUnder(base, target.path)
    if (placed === undefined) return plain(exchange, 404, `There is nothing here; the viewer is at ${base}.`)
    if ('file' in placed) return await viewer.serve(exchange, placed.file)
    const query = target.query === undefined ? '' : `?${target.query}`
    plain(exchange, 302, `The viewer is at ${base}.`, [['location', `${placed.moved}${query}`]])
  }

  return async exchange => {
    try {
      await answer(exchange)
    } catch (thrown) {
      if (thrown instanceof ClientGone || exchange.signal.aborted) return exchange.reply.abort()
      broke(exchange, thrown)
      // A head that is out cannot be taken back; a body that is cut must not look whole.
      if (exchange.reply.status !== undefined) return exchange.reply.abort()
      const { status, publicText } = asFault(thrown)
      plain(exchange, status, publicText)
    }
  }
}

function plain({ reply }: Exchange, status: number, text: string, more: HeaderList = []): void {
  const headers: HeaderList = [
    ['cache-control', 'no-store'],
    ['content-type', 'text/plain; charset=utf-8'],
    ['x-content-type-options', 'nosniff'],
    ['content-security-policy', "default-src 'none'"],
    ...more,
  ]
  reply.send(status, headers, `${text}\n`)
}
