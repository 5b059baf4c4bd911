/**
 * One TLS server for each listener: handshake, then HTTP/2 or HTTP/1.1 by ALPN.
 *
 * It binds, limits and drains; it judges nobody. Facts of a connection are gathered once, after the handshake.
 */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer, type TLSSocket } from 'node:tls'
import type { SecureListener } from '../config/listener.ts'
import { type ServerTrust, serverTlsOptions } from '../tls/server-context.ts'
import { plainAddress } from './client-address.ts'
import type { Take } from './engine.ts'
import type { Connection, Exchange, UpgradeExchange } from './exchange.ts'
import { createHttp1 } from './http1.ts'
import { createHttp2 } from './http2.ts'
import { watchPace } from './pace.ts'

/** Milliseconds in which a client may read the end of what we said, and hang up. */
const lastWord = 2_000

export interface Bound extends AsyncDisposable {
  readonly name: string
  /** `https://127.0.0.1:8443`, one for each bound address. */
  readonly urls: readonly string[]
  /** Stops accepting and lets what runs finish; resolves when nothing is left, or the time is up and the rest was cut. */
  drain(milliseconds: number): Promise<void>
}

export interface ListenerEvents {
  exchange(exchange: Exchange): void
  upgrade(exchange: UpgradeExchange): void
  /** For log and metrics: handshakes that failed, bytes that were no request, clients that were too slow. */
  trouble(listener: string, kind: 'handshake' | 'malformed' | 'slow', address: string, detail: string): void
  connections(listener: string, change: 1 | -1): void
}

const placeOf = ({ remoteAddress, remotePort, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localPort}`

export async function listenSecure(
  name: string,
  section: SecureListener,
  trust: ServerTrust,
  events: ListenerEvents,
): Promise<Bound> {
  const { limits } = section
  const facts = new WeakMap<Duplex, Connection>()
  const sockets = new Set<TLSSocket>()
  /** Connections whose handshake is not over, by where they come from: no TLS socket is handed out for them yet. */
  const shaking = new Map<string, Socket>()
  const connectionOf = (socket: Duplex): Connection => {
    const known = facts.get(socket)
    if (known === undefined) throw new Error('a socket without a handshake reached an engine')
    return known
  }
  const pace = watchPace(limits, (exchange, why) => {
    events.trouble(name, 'slow', exchange.connection.address, why)
    exchange.reply.abort()
  })
  const take: Take = {
    exchange(exchange, progress) {
      pace.add(exchange, progress)
      events.exchange(exchange)
    },
    upgrade: events.upgrade,
    malformed: (connection, code) => events.trouble(name, 'malformed', connection.address, code),
  }
  const http1 = createHttp1(take, connectionOf, limits)
  const http2 = createHttp2(take, connectionOf, limits)

  const server = () => {
    const one = createServer({
      ...serverTlsOptions(trust),
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: limits.handshake,
      noDelay: true,
    })
    one.maxConnections = limits.connections
    one.on('connection', (socket: Socket) => {
      const from = placeOf(socket)
      shaking.set(from, socket)
      socket.once('close', () => shaking.delete(from))
    })
    one.on('secureConnection', socket => {
      shaking.delete(placeOf(socket))
      sockets.add(socket)
      events.connections(name, 1)
      socket.once('close', () => {
        sockets.delete(socket)
        events.connections(name, -1)
      })
      socket.on('error', () => undefined) // told by 'close'; engines add their own
      // Our last word is out. A client that does not hang up then is cut: half-open connections would add up for ever.
      socket.once('finish', () => setTimeout(() => socket.destroy(), lastWord).unref())
      const protocol = socket.alpnProtocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1'
      facts.set(socket, {
        socket,
        address: plainAddress(socket.remoteAddress),
        listener: name,
        publicOrigin: section.publicUrl?.origin,
        certificate: section.clients.certificate,
        protocol,
      })
      ;(protocol === 'HTTP/2' ? http2 : http1).accept(socket)
    })
    one.on('error', (error: Error & { code?: string }) => {
      // Accepting failed (too many open files): those who are in go on, and the next one may get in again.
      if (one.listening) events.trouble(name, 'handshake', 'unknown', error.code ?? error.message)
    })
    one.on('tlsClientError', (error: Error & { code?: string }, socket) => {
      events.trouble(name, 'handshake', plainAddress(socket.remoteAddress), error.code ?? error.message)
      // Node tells of a handshake that takes too long, and leaves the connection open.
      socket.destroy()
    })
    return one
  }

  const servers = section.bind.map(server)
  const closeAll = async () => {
    pace[Symbol.dispose]()
    http1.close()
    for (const socket of [...sockets, ...shaking.values()]) socket.destroy()
    await Promise.all(servers.map(one => new Promise<void>(resolve => one.close(() => resolve()))))
  }
  const urls: string[] = []
  try {
    for (const [index, { host, port }] of section.bind.entries()) {
      const one = servers[index]
      if (one === undefined) continue
      one.listen({ host, port, backlog: 1024 })
      await once(one, 'listening')
      // A bound TCP server has an AddressInfo; string and null are for pipes and unbound ones.
      const bound = (one.address() as AddressInfo).port
      urls.push(`https://${host.includes(':') ? `[${host}]` : host}:${bound}`)
    }
  } catch (cause) {
    await closeAll()
    throw cause
  }
  return {
    name,
    urls,
    async drain(milliseconds) {
      const closed = Promise.all(servers.map(one => new Promise<void>(resolve => one.close(() => resolve()))))
      http1.drain()
      http2.drain()
      for (const socket of shaking.values()) socket.destroy()
      // A connection that has just answered its last request turns idle a moment later.
      const sweep = setInterval(() => http1.drain(), 100)
      const deadline = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, milliseconds)
      await closed
      clearInterval(sweep)
      clearTimeout(deadline)
    },
    [Symbol.asyncDispose]: closeAll,
  }
}
