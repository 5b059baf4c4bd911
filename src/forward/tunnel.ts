/**
 * A WebSocket: the handshake is forwarded, and only after a checked 101 do bytes flow (web-socket.ts).
 *
 * Without that 101 nothing that the client sent behind its handshake goes further, and its connection is closed. Source: RFC 6455 4.2.2 (Sec-WebSocket-Accept), CVE-2026-2833 (Pingora), 0ang3el/websocket-smuggle.
 */
import { createHash } from 'node:crypto'
import { type IncomingMessage, request as requestPlain } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Fault } from '../kernel/fault.ts'
import { type HeaderList, soleHeader, type UpgradeExchange } from '../listener/exchange.ts'
import { secureConnection } from '../upstream/connector.ts'
import { upstreamFault } from '../upstream/failure.ts'
import { type Destination, type Passage, requestTerms, upstreamTarget } from './forward.ts'
import { upstreamRequestHeaders } from './request-headers.ts'
import { clientResponseHeaders } from './response-headers.ts'
import { type CarriedWebSocket, carryWebSocket } from './web-socket.ts'

const suffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** @returns why this is no handshake that can be passed on; undefined when it is one */
export function handshakeProblem(headers: HeaderList): string | undefined {
  const key = soleHeader(headers, 'sec-websocket-key')
  if (typeof key !== 'string' || !/^[A-Za-z0-9+/]{22}==$/.test(key))
    return 'exactly one Sec-WebSocket-Key of 16 bytes is needed'
  if (soleHeader(headers, 'sec-websocket-version') !== '13') return 'the WebSocket version must be 13'
  const connection = soleHeader(headers, 'connection')
  if (!/(^|,)\s*upgrade\s*(,|$)/i.test(connection ?? '')) return 'Connection must name Upgrade'
  return undefined
}

const listOf = (message: IncomingMessage): HeaderList => {
  const list: [string, string][] = []
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2)
    list.push([(message.rawHeaders[at] ?? '').toLowerCase(), message.rawHeaders[at + 1] ?? ''])
  return list
}

type Outcome =
  | { readonly kind: 'switched'; readonly message: IncomingMessage; readonly socket: Duplex; readonly first: Buffer }
  | { readonly kind: 'answered'; readonly message: IncomingMessage }

/** @param onOpen  told when bytes begin to flow */
export async function tunnel(
  passage: Passage & { readonly exchange: UpgradeExchange },
  destination: Destination,
  onOpen: (carried: CarriedWebSocket) => Disposable,
): Promise<void> {
  const { exchange, permit, forwardedFor } = passage
  const { upstream } = destination
  const { section, trust } = upstream
  const { request } = exchange
  const headers = upstreamRequestHeaders(
    request.headers,
    { id: exchange.id, authority: request.authority, forwardedFor, principal: permit.principal },
    requestTerms(destination),
  )
  const about = `${upstream.name}, at a WebSocket handshake`
  // The server proves itself before a byte of the handshake is written.
  const secure = await secureConnection(section, trust, { signal: exchange.signal }).catch(error => {
    throw exchange.signal.aborted ? error : upstreamFault(error, about)
  })
  secure?.setTimeout(section.timeouts.connect)
  const outcome = await new Promise<Outcome>((resolve, reject) => {
    const call = requestPlain({
      host: section.url.hostname.replace(/^\[|\]$/g, ''),
      port: section.url.port === '' ? undefined : Number(section.url.port),
      method: 'GET',
      path: upstreamTarget(passage),
      // Node takes the list flat, names and values in turn.
      headers: [...headers.flat(), 'connection', 'Upgrade', 'upgrade', 'websocket'],
      ...(secure === undefined ? { agent: false } : { createConnection: (): Socket => secure }),
      timeout: section.timeouts.connect,
      signal: exchange.signal,
    })
    call.once('upgrade', (message, socket, first) => resolve({ kind: 'switched', message, socket, first }))
    call.once('response', message => resolve({ kind: 'answered', message }))
    call.once('timeout', () => call.destroy(new Fault('upstream-timeout', { about })))
    call.once('error', error => reject(upstreamFault(error, about)))
    call.end()
  })
  // A tunnel may be quiet for as long as both sides like; an answer may not.
  outcome.message.socket.setTimeout(outcome.kind === 'switched' ? 0 : section.timeouts.idle)
  upstream.reported('answered')

  const response = clientResponseHeaders(listOf(outcome.message), {
    id: exchange.id,
    origin: exchange.connection.publicOrigin ?? `https://${request.authority}`,
    route: permit.route,
    upstreamOrigin: section.url.origin,
    passAuthorization: section.authorization === 'pass',
    personal: permit.principal !== undefined,
    allowedOrigin: passage.allowedOrigin,
  })
  if (outcome.kind === 'answered') {
    // The upstream declined: its answer goes back, the connection is closed behind it.
    await pipeline(outcome.message, exchange.reply.head(outcome.message.statusCode ?? 502, response))
    return
  }
  const key = soleHeader(request.headers, 'sec-websocket-key') ?? ''
  const expected = createHash('sha1').update(`${key}${suffix}`).digest('base64')
  if (soleHeader(listOf(outcome.message), 'sec-websocket-accept') !== expected) {
    outcome.socket.destroy()
    throw new Fault('upstream-broken', {
      about: `${upstream.name} switched protocols without the right Sec-WebSocket-Accept`,
    })
  }
  const { upgrade } = exchange
  const carried = carryWebSocket({
    client: upgrade.accept([...response, ['connection', 'Upgrade'], ['upgrade', 'websocket']]),
    upstream: outcome.socket,
    first: { fromClient: upgrade.early, fromUpstream: outcome.first },
  })
  using _open = onOpen(carried)
  await carried.closed
}
