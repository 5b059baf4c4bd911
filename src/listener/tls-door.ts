/**
 * The front door that HTTPS listeners and streams share: bound addresses, one handshake for each connection, and the
 * terms that new connections are held to.
 *
 * It judges nobody and knows no protocol behind TLS. The addresses stay bound while the terms are replaced: a connection
 * keeps those that it shook hands on, the next one gets the new ones. What a certificate proved is read at the end of
 * the handshake, before anything can be replaced. Plain HTTP is told to use https, in one short answer.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { BindAddress } from '../config/scalars.ts'
import { keepChains, presentedBy } from '../tls/presented.ts'
import { type ServerTrust, serverTlsOptions } from '../tls/server-context.ts'
import { plainAddress } from './client-address.ts'
import { sayLast } from './last-words.ts'
import { listenOptions } from './listen-options.ts'

/** Milliseconds in which a client may read the end of what we said, and hang up. */
const lastWord = 2_000

export interface DoorParts {
  /** Asked for each connection, and when terms are replaced. */
  limits(): {
    /** Milliseconds from the first packet to the end of the handshake. */
    readonly handshake: number
    readonly connections: number
  }
  /** Protocols for ALPN, the preferred one first; empty: ALPN is not answered. */
  readonly alpn: readonly string[]
  /** Whether a client that has said its last byte may still be answered. Absent: the connection ends with it. */
  readonly halfOpen?: boolean
  /** @param facts.trust  the terms that it shook hands on, which may have been replaced meanwhile */
  arrived(socket: TLSSocket, facts: { readonly address: string; readonly trust: ServerTrust }): void
  /** `crowded`: an address has too many unfinished handshakes. `full`: there is room for nobody. */
  trouble(kind: 'handshake' | 'plain-http' | 'crowded' | 'full', address: string, detail: string): void
  connections(change: 1 | -1): void
}

export interface Door extends AsyncDisposable {
  /** As bound: port 0 has become a port. */
  readonly addresses: readonly BindAddress[]
  /** Connections whose handshake is over. */
  readonly sockets: ReadonlySet<TLSSocket>
  /** New connections are held to these terms from now on; those that are open stay as they are. */
  replace(trust: ServerTrust): void
  /** Resolves when the last connection is closed; none is accepted from the call on. */
  stopAccepting(): Promise<void>
}

/** No version of TLS or SSL begins with a capital letter, and every method of HTTP does. */
const isPlainHttp = ([first = 0]: Buffer): boolean => first >= 0x41 && first <= 0x5a

const useHttps = 'This port speaks TLS only: use https:// instead of http://\n'
const plainAnswer = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: ${useHttps.length}\r\n\r\n${useHttps}`

/** All four: through one address translation, two connections differ in where they lead only. */
const placeOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`

/** The part of all connections that may be without a handshake for one address: the rest is for everybody else. */
const shareOfOne = 1 / 8

export async function openDoor(binds: readonly BindAddress[], trust: ServerTrust, parts: DoorParts): Promise<Door> {
  const sockets = new Set<TLSSocket>()
  /** Connections whose handshake is not over, by where they come from: TLS hands out no socket for them yet. */
  const shaking = new Map<string, { raw: Socket; address: string; deadline: NodeJS.Timeout }>()
  const shakingFrom = new Map<string, number>()
  const settled = (place: string) => {
    const known = shaking.get(place)
    if (known === undefined) return
    clearTimeout(known.deadline)
    shaking.delete(place)
    const left = (shakingFrom.get(known.address) ?? 1) - 1
    if (left > 0) shakingFrom.set(known.address, left)
    else shakingFrom.delete(known.address)
  }

  /** Handshakes on fixed terms; it binds nothing itself, and is let go with its last connection. */
  const handshakes = (terms: ServerTrust) => {
    const server = createTlsServer({
      ...serverTlsOptions(terms),
      ...(parts.alpn.length === 0 ? {} : { ALPNProtocols: [...parts.alpn] }),
    })
    if (terms.truststore !== undefined) keepChains(server)
    server.on('secureConnection', socket => {
      settled(placeOf(socket))
      sockets.add(socket)
      parts.connections(1)
      socket.once('close', () => {
        sockets.delete(socket)
        parts.connections(-1)
      })
      socket.on('error', () => undefined) // told by 'close'; whoever takes the socket adds its own
      // Our last word is out. A client that does not hang up then is cut: half-open connections would add up for ever.
      if (parts.halfOpen !== true) socket.once('finish', () => setTimeout(() => socket.destroy(), lastWord).unref())
      if (terms.truststore !== undefined) presentedBy(socket, terms.truststore)
      parts.arrived(socket, { address: plainAddress(socket.remoteAddress), trust: terms })
    })
    server.on('tlsClientError', (error: Error & { code?: string }, socket) => {
      parts.trouble('handshake', plainAddress(socket.remoteAddress), error.code ?? error.message)
      socket.destroy()
    })
    return server
  }
  let current = handshakes(trust)

  const enter = (raw: Socket) => {
    const place = placeOf(raw)
    const address = plainAddress(raw.remoteAddress)
    raw.on('error', () => undefined) // told by 'close'
    const waiting = shakingFrom.get(address) ?? 0
    if (waiting >= Math.max(16, parts.limits().connections * shareOfOne)) {
      parts.trouble('crowded', address, `${waiting} connections without a handshake`)
      raw.destroy()
      return
    }
    const deadline = setTimeout(() => {
      parts.trouble('handshake', address, 'ERR_TLS_HANDSHAKE_TIMEOUT')
      raw.destroy()
    }, parts.limits().handshake)
    shaking.set(place, { raw, address, deadline })
    shakingFrom.set(address, waiting + 1)
    raw.once('close', () => settled(place))
    raw.once('readable', () => {
      const first: unknown = raw.read()
      if (!Buffer.isBuffer(first)) return void raw.destroy() // it closed without a byte
      if (isPlainHttp(first)) {
        settled(place)
        parts.trouble('plain-http', address, 'a request without TLS')
        raw.resume()
        sayLast(raw, plainAnswer)
        return
      }
      raw.unshift(first)
      current.emit('connection', raw)
    })
  }

  const servers = binds.map(() => {
    const one = createServer({ noDelay: true, allowHalfOpen: parts.halfOpen === true }, enter)
    one.maxConnections = parts.limits().connections
    one.on('drop', drop => parts.trouble('full', plainAddress(drop?.remoteAddress), 'no room for another connection'))
    one.on('error', (error: Error & { code?: string }) => {
      // Accepting failed (too many open files): those who are in go on, and the next one may get in again.
      if (one.listening) parts.trouble('handshake', 'unknown', error.code ?? error.message)
    })
    return one
  })
  const stop = () => Promise.all(servers.map(one => new Promise<void>(resolve => one.close(() => resolve()))))
  const cutShaking = () => {
    for (const { raw } of shaking.values()) raw.destroy()
  }
  const closeAll = async () => {
    const stopped = stop()
    cutShaking()
    for (const socket of sockets) socket.destroy()
    await stopped
  }

  const addresses: BindAddress[] = []
  try {
    for (const [index, bind] of binds.entries()) {
      const one = servers[index]
      if (one === undefined) continue
      one.listen(listenOptions(bind, binds))
      await once(one, 'listening')
      // A bound TCP server has an AddressInfo; string and null are for pipes and unbound ones.
      addresses.push({ host: bind.host, port: (one.address() as AddressInfo).port })
    }
  } catch (cause) {
    await closeAll()
    throw cause
  }
  return {
    addresses,
    sockets,
    replace(next) {
      current = handshakes(next)
      for (const one of servers) one.maxConnections = parts.limits().connections
    },
    async stopAccepting() {
      const stopped = stop()
      cutShaking()
      await stopped
    },
    [Symbol.asyncDispose]: closeAll,
  }
}

/** `https://127.0.0.1:8443`: how an address is shown to people. */
export const addressUrl = (scheme: string, { host, port }: BindAddress): string =>
  `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
