/**
 * A WebSocket: the handshake is forwarded, and only after a checked 101 do bytes flow (web-socket.ts).
 *
 * Without that 101 nothing that the client sent behind its handshake goes further, and its connection is closed. Until then
 * it is a request like any other, and waits for its turn at the upstream; an answer that declines is a few words, and no
 * way to a study past all that is watched in forward.ts.
 *
 * Source: RFC 6455 4.2.2 (Sec-WebSocket-Accept), CVE-2026-2833 (Pingora), 0ang3el/websocket-smuggle.
 */
import { createHash } from 'node:crypto'
import { type IncomingMessage, request as requestPlain } from 'node:http'
import type { Duplex } from 'node:stream'
import { Fault } from '../kernel/fault.ts'
import { abortSignalOf } from '../kernel/signal.ts'
import { type HeaderList, soleHeader, type UpgradeExchange } from '../listener/exchange.ts'
import { connectionTo } from '../upstream/connector.ts'
import { NotSent, upstreamFault } from '../upstream/failure.ts'
import type { Turn } from '../upstream/upstream.ts'
import { affinityOf } from './affinity.ts'
import {
  checkStatus,
  type Destination,
  originsOf,
  type Passage,
  requestTerms,
  upstreamTarget,
  whose,
} from './forward.ts'
import { requestIdOf, upstreamRequestHeaders } from './request-headers.ts'
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

/** Bytes. */
const mostDeclined = 64 * 1024

/** @param onOpen  told when bytes begin to flow */
export async function tunnel(
  passage: Passage & { readonly exchange: UpgradeExchange },
  destination: Destination,
  onOpen: (carried: CarriedWebSocket) => Disposable,
): Promise<void> {
  const turn = await turnOf(passage, destination)
  let carried: CarriedWebSocket | undefined
  try {
    carried = await openSomewhere(passage, destination, turn)
  } finally {
    turn.leave()
  }
  if (carried === undefined) return
  using _open = onOpen(carried)
  await carried.closed
}

/** Who has sent more behind a handshake leaves unheard, because nobody reads there: it cannot wait for as long as others. */
async function turnOf(passage: Passage, { upstream }: Destination): Promise<Turn> {
  const { signal } = passage.exchange
  const patience = AbortSignal.timeout(upstream.section.timeouts.connect)
  return await upstream
    .enter(whose(passage), AbortSignal.any([abortSignalOf(signal), patience]), affinityOf(passage, upstream))
    .catch(cause => {
      const isOver = patience.aborted && !signal.aborted
      throw isOver ? new Fault('upstream-busy', { about: `${upstream.name}, at a WebSocket handshake` }) : cause
    })
}

/** Nothing has gone out to a server that was not reached: another one is called, while there is one. */
async function openSomewhere(...[passage, destination, turn]: Parameters<typeof open>): ReturnType<typeof open> {
  for (;;) {
    try {
      return await open(passage, destination, turn)
    } catch (cause) {
      if (!(cause instanceof NotSent)) throw cause
      if (!turn.unreached(cause.cause)) throw upstreamFault(cause, aboutHandshake(destination))
    }
  }
}

const aboutHandshake = ({ upstream }: Destination) => `${upstream.name}, at a WebSocket handshake`

/** Rejects with NotSent, or with a Fault. @returns undefined: it was declined, and the client has been told */
async function open(
  passage: Passage & { readonly exchange: UpgradeExchange },
  destination: Destination,
  turn: Turn,
): Promise<CarriedWebSocket | undefined> {
  const { exchange, permit, forwardedFor } = passage
  const { upstream } = destination
  const { trust } = upstream
  const { section } = turn
  const { request } = exchange
  const terms = requestTerms(destination)
  const facts = { authority: request.authority, forwardedFor, principal: permit.principal }
  const id = requestIdOf(exchange.id, terms)
  const headers = [
    ...upstreamRequestHeaders(request.headers, facts, terms),
    ...(id === undefined ? [] : [['x-request-id', id]]),
  ]
  const about = aboutHandshake(destination)
  const signal = abortSignalOf(exchange.signal)
  // The server proves itself before a byte of the handshake is written.
  const connected = await connectionTo(section, trust, { signal }).catch(error => {
    throw signal.aborted ? error : new NotSent(error, undefined)
  })
  connected.setTimeout(section.timeouts.connect)
  let deadline: NodeJS.Timeout | undefined
  const outcome = await new Promise<Outcome>((resolve, reject) => {
    const call = requestPlain({
      method: 'GET',
      path: upstreamTarget(passage),
      // Node takes the list flat, names and values in turn.
      headers: [...headers.flat(), 'connection', 'Upgrade', 'upgrade', 'websocket'],
      createConnection: () => connected,
      timeout: section.timeouts.connect,
      signal,
    })
    call.once('upgrade', (message, socket, first) => resolve({ kind: 'switched', message, socket, first }))
    call.once('response', message => resolve({ kind: 'answered', message }))
    const late = () => void call.destroy(new Fault('upstream-timeout', { about }))
    call.once('timeout', late)
    // Interim answers put off the other one.
    deadline = setTimeout(late, section.timeouts.connect)
    call.once('error', error => reject(upstreamFault(error, about)))
    call.end()
  }).finally(() => clearTimeout(deadline))
  // A tunnel may be quiet for as long as both sides like; an answer may not.
  outcome.message.socket.setTimeout(outcome.kind === 'switched' ? 0 : section.timeouts.idle)
  const status = outcome.message.statusCode ?? 0
  turn.answered({ status })

  const response = clientResponseHeaders(listOf(outcome.message), {
    origin: exchange.connection.publicOrigin ?? `https://${request.authority}`,
    route: permit.route,
    upstreamOrigins: originsOf(upstream),
    passAuthorization: section.authorization === 'pass',
    personal: permit.principal !== undefined,
    allowedOrigin: passage.allowedOrigin,
  })
  if (outcome.kind === 'answered') {
    // The upstream declined: its answer goes back, the connection is closed behind it.
    const { message } = outcome
    checkStatus(status, destination)
    const body = await wholeOf(message, about)
    // It is framed anew.
    const rest = response.filter(([header]) => header !== 'content-length')
    exchange.reply.send(status, rest, body)
    return undefined
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
  return carryWebSocket({
    client: upgrade.accept([...response, ['connection', 'Upgrade'], ['upgrade', 'websocket']]),
    upstream: outcome.socket,
    first: { fromClient: upgrade.early, fromUpstream: outcome.first },
  })
}

/** Leaving off closes the connection. */
async function wholeOf(message: IncomingMessage, about: string): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of message as AsyncIterable<Buffer>) {
      // no encoding is set
      parts.push(part)
      length += part.length
      if (length > mostDeclined) throw new Fault('upstream-broken', { about: `${about}, declined at length` })
    }
  } catch (cause) {
    throw upstreamFault(cause, about)
  }
  return Buffer.concat(parts)
}
