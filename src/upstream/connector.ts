/**
 * How a connection to an upstream is made: plain, or over TLS with a server that has proved itself first. And how long it is
 * kept: a minute, whatever traffic there is, so that a name that moves to another address is followed.
 *
 * Not to forget: what the server must prove to be comes from the configuration. undici would take it from the Host that
 * a client sends.
 */
import type { TLSSocket } from 'node:tls'
import { buildConnector, Client, type Dispatcher } from 'undici'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { sharedLookup } from '../kernel/shared-lookup.ts'
import { type Approach, connectPeer, type PeerAddress } from '../tls/connect-peer.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'

const keepAliveAfter = 60_000
/** Milliseconds that a connection is used. */
const lifetime = 60_000

export function addressOf({ url }: HttpUpstreamSection): PeerAddress {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port }
}

/** The name or address that the upstream's certificate must be for. */
export const expectedOf = (section: HttpUpstreamSection, trust: PeerTrust | undefined): string =>
  trust?.name ?? addressOf(section).host

/** @returns undefined for an upstream without TLS. Rejects with a PeerRefusal, or with what Node says */
export async function secureConnection(
  section: HttpUpstreamSection,
  trust: PeerTrust | undefined,
  { signal, warn }: Pick<Approach, 'signal' | 'warn'> = {},
): Promise<TLSSocket | undefined> {
  if (section.url.protocol !== 'https:') return undefined
  const approach = { timeout: section.timeouts.connect, signal, warn, protocols: ['http/1.1'] }
  const socket = await connectPeer(addressOf(section), trust, approach)
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveAfter)
}

/** For undici: one connection, whenever its pool wants one. */
export function connectorOf(
  section: HttpUpstreamSection,
  trust: PeerTrust | undefined,
  warn: Approach['warn'],
): buildConnector.connector {
  const plain = buildConnector({ timeout: section.timeouts.connect, allowH2: false, lookup: sharedLookup })
  return (options, done) => {
    secureConnection(section, trust, { warn }).then(
      socket => {
        if (socket !== undefined) done(null, socket)
        // An empty name: a plain connection goes to the host of the URL and to no other.
        else plain({ ...options, servername: '' }, done)
      },
      (cause: Error) => done(cause, null),
    )
  }
}

/** One place in undici's pool. Its connection is closed behind the first answer that it gives after its lifetime. */
export class AgeingClient extends Client {
  readonly #now: () => number
  #born: number | undefined

  constructor(origin: URL, options: Client.Options, now: () => number) {
    super(origin, options)
    this.#now = now
    this.on('connect', () => {
      this.#born = now()
    })
    this.on('disconnect', () => {
      this.#born = undefined
    })
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    // A clock that is set back must not lengthen it.
    const isOld = this.#born !== undefined && Math.abs(this.#now() - this.#born) >= lifetime
    return super.dispatch(isOld ? { ...options, reset: true } : options, handler)
  }
}
