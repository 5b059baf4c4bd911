/**
 * Plain HTTP that is answered and not sent on: for files that anybody may read, where TLS is switched off on purpose.
 *
 * It judges nobody, and nothing that came by it can prove anything. Not to forget: a configuration has no way to ask for
 * such a listener; the plain listeners there only redirect (plain-listener.ts). HTTP/1.1 only, since browsers speak
 * HTTP/2 over TLS alone.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Limits } from '../config/listener.ts'
import type { BindAddress } from '../config/scalars.ts'
import { plainAddress } from './client-address.ts'
import type { Connection } from './exchange.ts'
import { createHttp1 } from './http1.ts'
import { watchPace } from './pace.ts'
import { createPlaces, type Place, placesOf } from './places.ts'
import { type Bound, keepPlace, type ListenerEvents } from './secure-listener.ts'
import { addressUrl } from './tls-door.ts'

/** Milliseconds in which a client may read the end of what we said, and hang up. */
const lastWord = 2_000

/** What a connection without TLS says when it is asked for a certificate. */
const nobody: Connection['socket'] = {
  authorized: false,
  authorizationError: new Error('plain HTTP knows no certificates'),
  getPeerX509Certificate: () => undefined,
}

export async function listenOpen(
  name: string,
  { bind, limits }: { readonly bind: BindAddress; readonly limits: Limits },
  events: ListenerEvents,
): Promise<Bound> {
  const facts = new WeakMap<Duplex, Connection>()
  const sockets = new Set<Socket>()
  const places = createPlaces(
    () => placesOf(limits),
    () => false,
  )
  const placed = new WeakMap<Connection, Place>()
  const connectionOf = (socket: Duplex): Connection => {
    const known = facts.get(socket)
    if (known === undefined) throw new Error('a socket that was never accepted reached the engine')
    return known
  }
  const pace = watchPace(limits, (exchange, why) => {
    events.trouble(name, 'slow', exchange.connection.address, why)
    exchange.reply.abort()
  })
  const http1 = createHttp1(
    {
      exchange(exchange, progress) {
        keepPlace(placed.get(exchange.connection), exchange)
        pace.add(exchange, progress)
        events.exchange(exchange)
      },
      upgrade: events.upgrade,
      malformed: (connection, code) => events.trouble(name, 'malformed', connection.address, code),
    },
    connectionOf,
    limits,
  )

  const server = createServer({ noDelay: true }, socket => {
    socket.on('error', () => undefined) // told by 'close'
    const address = plainAddress(socket.remoteAddress)
    const place = places.take(address, () => {
      events.trouble(name, 'let-go', address, 'a connection with nothing under way made room for another')
      socket.destroy()
    })
    if (typeof place === 'string') {
      events.trouble(name, place, address, 'a connection was turned away')
      socket.destroy()
      return
    }
    sockets.add(socket)
    events.connections(name, 1)
    socket.once('close', () => {
      sockets.delete(socket)
      place.leave()
      events.connections(name, -1)
    })
    socket.once('finish', () => setTimeout(() => socket.destroy(), lastWord).unref())
    const connection: Connection = {
      socket: nobody,
      address,
      listener: name,
      serverName: undefined,
      publicOrigin: undefined,
      certificate: 'none',
      protocol: 'HTTP/1.1',
    }
    facts.set(socket, connection)
    placed.set(connection, place)
    http1.accept(socket)
  })
  server.listen({ ...bind, backlog: 1024 })
  await once(server, 'listening').catch((cause: unknown) => {
    http1.close()
    pace[Symbol.dispose]()
    throw cause
  })
  server.on('error', (error: Error & { code?: string }) => {
    // Accepting failed (too many open files): those who are in go on, and the next one may get in again.
    events.trouble(name, 'malformed', 'unknown', error.code ?? error.message)
  })
  const stop = () => new Promise<void>(resolve => server.close(() => resolve()))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    name,
    // A bound TCP server has an AddressInfo; string and null are for pipes and unbound ones.
    urls: [addressUrl('http', { host: bind.host, port: (server.address() as AddressInfo).port })],
    async drain(milliseconds) {
      const stopped = stop()
      http1.drain()
      // A connection that has just answered its last request turns idle a moment later.
      const sweep = setInterval(() => http1.drain(), 100)
      const deadline = setTimeout(cut, milliseconds)
      await stopped
      clearInterval(sweep)
      clearTimeout(deadline)
    },
    async [Symbol.asyncDispose]() {
      pace[Symbol.dispose]()
      http1.close()
      const stopped = stop()
      cut()
      await stopped
    },
  }
}
