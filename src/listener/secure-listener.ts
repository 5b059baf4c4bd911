/**
 * HTTPS behind the door: HTTP/2 or HTTP/1.1 by ALPN, limits, drain, and new terms while it runs.
 *
 * It judges nobody. Facts of a connection are gathered once, after the handshake. New terms are for new connections;
 * one that shook hands on the old ones is asked to leave with its next answer, and nothing that runs is cut. Who already
 * trusts us by a certificate that was replaced has no reason to leave, and is not asked to.
 */
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Limits, SecureListener } from '../config/listener.ts'
import { type ServerTrust, trustKey } from '../tls/server-context.ts'
import type { TicketSecret } from '../tls/tickets.ts'
import type { TrustsProxy } from './client-address.ts'
import type { Engine, Take } from './engine.ts'
import type { Connection, Exchange, UpgradeExchange } from './exchange.ts'
import { createHttp1 } from './http1.ts'
import { createHttp2 } from './http2.ts'
import { watchPace } from './pace.ts'
import type { Place } from './places.ts'
import { addressUrl, type DoorTrouble, openDoor } from './tls-door.ts'

export interface Bound extends AsyncDisposable {
  readonly name: string
  /** `https://127.0.0.1:8443`, one for each bound address. */
  readonly urls: readonly string[]
  /** Stops accepting and lets what runs finish; resolves when nothing is left, or the time is up and the rest was cut. */
  drain(milliseconds: number): Promise<void>
}

export interface SecureBound extends Bound {
  /** From now on these terms; the bound addresses stay. Connections on other terms are asked to leave. */
  replace(section: SecureListener, trust: ServerTrust): void
  /** Those whose handshake is over. */
  sockets(): Iterable<TLSSocket>
}

export interface ListenerEvents {
  exchange(exchange: Exchange): void
  upgrade(exchange: UpgradeExchange): void
  /** For log and metrics: handshakes that failed, bytes that were no request, clients that were too slow. */
  trouble(listener: string, kind: DoorTrouble | 'malformed' | 'slow' | 'flood', address: string, detail: string): void
  connections(listener: string, change: 1 | -1): void
  /** Whether many clients come from this address. Absent: from none. */
  readonly isProxy?: TrustsProxy
}

export interface SecureEvents extends ListenerEvents {
  readonly tickets: TicketSecret
}

/** What the connections of one configuration have in common. */
interface Terms extends Disposable {
  accept(socket: TLSSocket, address: string, place: Place): void
  /** Each connection is closed behind its next answer. */
  retire(): void
  drain(): void
}

/** Whoever is being served keeps the place. */
export function keepPlace(place: Place | undefined, { finished }: Pick<Exchange, 'finished'>): void {
  place?.begin()
  finished.tell(() => place?.end())
}

/** What a connection is held to for as long as it lasts: all but the certificate that we showed. */
const heldTo = ({ limits, clients, proxyProtocol }: SecureListener, trust: ServerTrust): string =>
  JSON.stringify([limits, clients, proxyProtocol, trustKey({ ...trust, keystores: [] })])

export async function listenSecure(
  name: string,
  section: SecureListener,
  trust: ServerTrust,
  events: SecureEvents,
): Promise<SecureBound> {
  const facts = new WeakMap<Duplex, Connection>()
  const connectionOf = (socket: Duplex): Connection => {
    const known = facts.get(socket)
    if (known === undefined) throw new Error('a socket without a handshake reached an engine')
    return known
  }

  const onTerms = (limits: Limits): Terms => {
    const placed = new WeakMap<Connection, Place>()
    const pace = watchPace(limits, (exchange, why) => {
      events.trouble(name, 'slow', exchange.connection.address, why)
      exchange.reply.abort()
    })
    const take: Take = {
      exchange(exchange, progress) {
        keepPlace(placed.get(exchange.connection), exchange)
        pace.add(exchange, progress)
        events.exchange(exchange)
      },
      upgrade(exchange, progress) {
        const place = placed.get(exchange.connection)
        keepPlace(place, exchange)
        if (progress !== undefined) pace.add(exchange, progress)
        // A connection to the upstream that is this client's alone.
        if (place?.widen() !== false) {
          exchange.finished.tell(() => place?.narrow())
          return events.upgrade(exchange)
        }
        events.trouble(name, 'full', exchange.connection.address, 'there was no second place for a WebSocket')
        exchange.reply.send(503, [['retry-after', '5']], '')
      },
      malformed: (connection, code) => events.trouble(name, 'malformed', connection.address, code),
    }
    const http1 = createHttp1(take, connectionOf, limits)
    const flood = (connection: Connection, why: string) => events.trouble(name, 'flood', connection.address, why)
    const http2 = createHttp2({ ...take, flood }, connectionOf, limits)
    const engines: readonly Engine[] = [http1, http2]
    return {
      accept(socket, address, place) {
        const protocol = socket.alpnProtocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1'
        const connection: Connection = {
          socket,
          address,
          listener: name,
          serverName: typeof socket.servername === 'string' ? socket.servername : undefined,
          get publicOrigin() {
            return written.publicUrl?.origin
          },
          get certificate() {
            return written.clients.certificate
          },
          protocol,
        }
        facts.set(socket, connection)
        placed.set(connection, place)
        ;(protocol === 'HTTP/2' ? http2 : http1).accept(socket)
      },
      retire() {
        for (const engine of engines) engine.retire()
      },
      drain() {
        for (const engine of engines) engine.drain()
      },
      [Symbol.dispose]() {
        pace[Symbol.dispose]()
        for (const engine of engines) engine.close()
      },
    }
  }

  let written = section
  let current = onTerms(section.limits)
  let held = heldTo(section, trust)
  const all = new Set([current])
  /** A handshake that a reload overtakes belongs to the terms that it was made on. */
  const termsOf = new WeakMap<ServerTrust, Terms>([[trust, current]])
  /** Connections still open on each terms but the current ones: at none they are closed. */
  const open = new Map<Terms, number>()

  const door = await openDoor(section.bind, trust, {
    entrance: `listener ${name}`,
    tickets: events.tickets,
    limits: () => written.limits,
    alpn: ['h2', 'http/1.1'],
    arrived(socket, { address, trust: shaken, place }) {
      const terms = termsOf.get(shaken)
      // Its handshake took longer than all others on these terms: it may come again, on those of now.
      if (terms === undefined || !all.has(terms)) return void socket.destroy()
      open.set(terms, (open.get(terms) ?? 0) + 1)
      socket.once('close', () => {
        open.set(terms, (open.get(terms) ?? 1) - 1)
        closeUnused(terms)
      })
      terms.accept(socket, address, place)
    },
    isProxy: address => events.isProxy?.(address) === true,
    isProxied: () => written.proxyProtocol === 'v2',
    trouble: (kind, address, detail) => events.trouble(name, kind, address, detail),
    connections: change => events.connections(name, change),
  }).catch((cause: unknown) => {
    current[Symbol.dispose]()
    throw cause
  })

  function closeUnused(terms: Terms) {
    if (terms === current || (open.get(terms) ?? 0) > 0) return
    open.delete(terms)
    all.delete(terms)
    terms[Symbol.dispose]()
  }

  return {
    name,
    urls: door.addresses.map(address => addressUrl('https', address)),
    sockets: () => door.sockets,
    replace(next, nextTrust) {
      written = next
      door.replace(nextTrust)
      termsOf.set(nextTrust, current)
      if (heldTo(next, nextTrust) === held) return
      held = heldTo(next, nextTrust)
      const former = current
      current = onTerms(next.limits)
      all.add(current)
      termsOf.set(nextTrust, current)
      former.retire()
      closeUnused(former)
    },
    async drain(milliseconds) {
      const closed = door.stopAccepting()
      const each = (what: (terms: Terms) => void) => {
        for (const terms of all) what(terms)
      }
      each(terms => terms.drain())
      // A connection that has just answered its last request turns idle a moment later.
      const sweep = setInterval(() => each(terms => terms.drain()), 100)
      const deadline = setTimeout(() => {
        for (const socket of door.sockets) socket.destroy()
      }, milliseconds)
      await closed
      clearInterval(sweep)
      clearTimeout(deadline)
    },
    async [Symbol.asyncDispose]() {
      for (const terms of all) terms[Symbol.dispose]()
      await door[Symbol.asyncDispose]()
    },
  }
}
