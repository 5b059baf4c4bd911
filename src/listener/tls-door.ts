/**
 * The front door that HTTPS listeners and streams share: bound addresses, one handshake for each connection, and the
 * terms that new connections are held to.
 *
 * It judges nobody and knows no protocol behind TLS. The addresses stay bound while the terms are replaced: a connection
 * keeps those that it shook hands on, the next one gets the new ones. What a certificate proved is read at the end of
 * the handshake, before anything can be replaced. What happens before that is in reception.ts.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { BindAddress } from '../config/scalars.ts'
import { giveBackSoon } from '../kernel/give-back.ts'
import { keepChains, presentedBy } from '../tls/presented.ts'
import { resumes, type ServerTrust, serverTlsOptions } from '../tls/server-context.ts'
import { type TicketSecret, ticketKeys } from '../tls/tickets.ts'
import { addressOf, announce, type TrustsProxy } from './client-address.ts'
import { listenOptions } from './listen-options.ts'
import { type ConnectionLimits, createPlaces, type Place, placesOf, usual } from './places.ts'
import { createReception } from './reception.ts'

/** Milliseconds in which a client may read the end of what we said, and hang up. */
const lastWord = 2_000
/** What so many handshakes leave behind is worth collecting: 100 KB each with a certificate of the client. */
const several = 64

export interface DoorParts {
  /** Which one of the gateway: its tickets are of no use at another. */
  readonly entrance: string
  readonly tickets: TicketSecret
  /** Asked for each connection, and when terms are replaced. */
  limits(): ConnectionLimits & {
    /** Milliseconds from the first packet to the end of the handshake. */
    readonly handshake: number
  }
  /** Whether many clients come from this address, which then has no share of its own. */
  readonly isProxy: TrustsProxy
  /** Whether each connection must come from such a proxy and begin with its PROXY header, version 2; never guessed. */
  isProxied(): boolean
  /** Protocols for ALPN, the preferred one first; empty: ALPN is not answered. */
  readonly alpn: readonly string[]
  /** Whether a client that has said its last byte may still be answered. Absent: the connection ends with it. */
  readonly halfOpen?: boolean
  /** Its place may be taken from it until something is under way there (places.ts). */
  arrived(socket: TLSSocket, facts: Arrived): void
  trouble(kind: DoorTrouble, address: string, detail: string): void
  connections(change: 1 | -1): void
}

export interface Arrived {
  readonly address: string
  /** The terms that it shook hands on, which may have been replaced meanwhile. */
  readonly trust: ServerTrust
  readonly place: Place
}

/**
 * `crowded`: an address has its share. `full`: there is room for nobody. `let-go`: a connection made room for another.
 * `no-proxy`: it came past the proxy that announces clients. `proxy-header`: that proxy did not announce its client.
 */
export type DoorTrouble = 'handshake' | 'plain-http' | 'crowded' | 'full' | 'let-go' | 'no-proxy' | 'proxy-header'

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

export async function openDoor(binds: readonly BindAddress[], trust: ServerTrust, parts: DoorParts): Promise<Door> {
  const sockets = new Set<TLSSocket>()
  /** The most there have been since many have gone: what they leave behind is not needed any more. */
  let crowd = 0
  const places = createPlaces(() => placesOf(parts.limits()), parts.isProxy)
  const turnAway = (why: DoorTrouble, address: string, socket: Socket, detail = 'a connection was turned away') => {
    parts.trouble(why, address, detail)
    socket.destroy()
    // Where there is no room there are many, and each leaves something behind.
    giveBackSoon()
  }

  /** Handshakes on fixed terms; it binds nothing itself, and is let go with its last connection. */
  const handshakes = (terms: ServerTrust) => {
    const server = createTlsServer({
      ...serverTlsOptions(terms),
      ...(parts.alpn.length === 0 ? {} : { ALPNProtocols: [...parts.alpn] }),
    })
    if (terms.truststore !== undefined) keepChains(server)
    server.on('secureConnection', socket => {
      socket.on('error', () => undefined) // told by 'close'; whoever takes the socket adds its own
      const raw = reception.rawOf(socket)
      if (raw === undefined) return void socket.destroy() // gone already
      reception.settle(socket)
      const address = addressOf(raw)
      announce(socket, address)
      const place = places.take(address, () =>
        turnAway('let-go', address, socket, 'a connection with nothing under way made room for another'),
      )
      if (typeof place === 'string') return turnAway(place, address, socket)
      sockets.add(socket)
      if (sockets.size > crowd) {
        crowd = sockets.size
        if (crowd % several === 0) giveBackSoon()
      }
      parts.connections(1)
      let hangingUp: NodeJS.Timeout | undefined
      socket.once('close', () => {
        // A timer keeps all that the connection held.
        clearTimeout(hangingUp)
        sockets.delete(socket)
        place.leave()
        parts.connections(-1)
        if (crowd <= usual || sockets.size > crowd / 2) return
        crowd = sockets.size
        giveBackSoon()
      })
      // Our last word is out. A client that does not hang up then is cut: half-open connections would add up for ever.
      if (parts.halfOpen !== true) {
        socket.once('finish', () => {
          if (!socket.destroyed) hangingUp = setTimeout(() => socket.destroy(), lastWord).unref()
        })
      }
      if (terms.truststore !== undefined) presentedBy(socket, terms.truststore)
      parts.arrived(socket, { address, trust: terms, place })
    })
    server.on('tlsClientError', (error: Error & { code?: string }, socket) => {
      parts.trouble('handshake', addressOf(reception.rawOf(socket) ?? socket), error.code ?? error.message)
      socket.destroy()
    })
    let secret: Buffer | undefined
    return (raw: Socket) => {
      if (secret !== parts.tickets.current && resumes(terms)) {
        secret = parts.tickets.current
        server.setTicketKeys(ticketKeys(parts.tickets, parts.entrance, terms))
      }
      server.emit('connection', raw)
    }
  }
  let shakeHands = handshakes(trust)

  const reception = createReception({
    ...{ door: parts, places, turnAway },
    shakeHands: raw => shakeHands(raw),
  })

  const servers = binds.map(() => {
    const one = createServer({ noDelay: true, allowHalfOpen: parts.halfOpen === true }, reception.enter)
    one.on('error', (error: Error & { code?: string }) => {
      // Accepting failed (too many open files): those who are in go on, and the next one may get in again.
      if (one.listening) parts.trouble('handshake', 'unknown', error.code ?? error.message)
    })
    return one
  })
  const stop = () => Promise.all(servers.map(one => new Promise<void>(resolve => one.close(() => resolve()))))
  const closeAll = async () => {
    const stopped = stop()
    reception.cut()
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
      shakeHands = handshakes(next)
    },
    async stopAccepting() {
      const stopped = stop()
      reception.cut()
      await stopped
    },
    [Symbol.asyncDispose]: closeAll,
  }
}

/** `https://127.0.0.1:8443`: how an address is shown to people. */
export const addressUrl = (scheme: string, { host, port }: BindAddress): string =>
  `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
