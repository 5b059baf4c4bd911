/**
 * The plain listener: sends people to https, and does nothing else.
 *
 * But for ACME: an authority that looks whether a name is ours gets its answer here. What nobody asked it for is sent to
 * https like everything else, where a server behind us may have an answer of its own.
 *
 * Source: RFC 8555 8.3 (http-01).
 */
import type { RequestListener } from 'node:http'
import type { PlainListener } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import { bindPlain } from './bind-plain.ts'
import type { NoRoom } from './places.ts'
import type { Bound } from './secure-listener.ts'

export interface RedirectTarget {
  /** Origin that people type, if the listener says so. */
  readonly publicOrigin: string | undefined
  /** Port of the listener with TLS. */
  readonly port: number
}

/** Where a plain request is sent. @returns undefined when it names no clear place */
export function redirectLocation(
  host: string | undefined,
  url: string,
  { publicOrigin, port }: RedirectTarget,
): string | undefined {
  const authority = parseAuthority(host ?? '')
  if (authority === undefined) return undefined
  const target = originForm(url, authority.text)
  // Only visible ASCII may stand in a Location; whatever else came is not echoed.
  if ('malformed' in target || !/^\/[\x21-\x7e]*$/.test(target.target)) return undefined
  const name = authority.host.includes(':') ? `[${authority.host}]` : authority.host
  const origin = publicOrigin ?? `https://${name}${port === 443 ? '' : `:${port}`}`
  return `${origin}${target.target}`
}

const type = { 'content-type': 'text/plain; charset=utf-8' }
const unclear = 'This address speaks plain HTTP only to send you on to https, and the request could not be read.\n'

/** Key authorization of a token, while an order is under way. */
export type ChallengeAnswer = (token: string) => string | undefined

export function listenPlain(
  name: string,
  section: PlainListener,
  target: RedirectTarget,
  challenge: ChallengeAnswer = () => undefined,
  crowd?: (kind: NoRoom | 'let-go', address: string) => void,
): Promise<Bound> {
  const answer: RequestListener = (message, response) => {
    response.shouldKeepAlive = false
    const authorization = challenge(challengeToken(message.url ?? ''))
    if (authorization !== undefined && (message.method === 'GET' || message.method === 'HEAD')) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(authorization)
      return
    }
    const location = redirectLocation(soleHost(message.rawHeaders), message.url ?? '', target)
    if (location === undefined) {
      response.writeHead(400, type).end(unclear)
      return
    }
    // 308 keeps the method, so that a script that posts here learns of its mistake and not of a lost body.
    const safe = message.method === 'GET' || message.method === 'HEAD'
    response.writeHead(safe ? 301 : 308, { location, ...type }).end(`This server is at ${location}\n`)
  }
  return bindPlain(name, section.bind, answer, crowd)
}

/** Empty when the target is no challenge; as a token that is nobody's. */
const challengeToken = (target: string): string =>
  /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]+)$/.exec(target)?.[1] ?? ''

/** Of two Host headers Node would take the first without a word. */
function soleHost(raw: readonly string[]): string | undefined {
  const hosts = raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === 'host')
  return hosts.length === 1 ? hosts[0] : undefined
}
