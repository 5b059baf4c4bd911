/**
 * What a client showed in its handshake, and what OpenSSL made of it: read once for each connection and kept with it. Who
 * shows the same on several connections, as browsers do, is kept once for all of them.
 *
 * It is held against the truststore that the handshake was made with. A truststore that comes later may take a
 * certificate's authority away from it, and never gives it one: who is to gain shakes hands anew.
 *
 * The certificate is looked for before the verdict: before Node 24.21 a TLS 1.3 session opened without one says
 * `authorized` once resumed (nodejs/node#35317).
 */
import type { X509Certificate } from 'node:crypto'
import type { Server, TLSSocket } from 'node:tls'
import { type Path, pathsToAuthority } from './certificate-path.ts'
import type { Truststore } from './truststore.ts'
import { fingerprintOf } from './truststore.ts'

/** The facts needed of a connection; a TLSSocket has them, and so has a literal in a test. */
export type TlsPeer = Pick<TLSSocket, 'authorized' | 'authorizationError' | 'getPeerX509Certificate'> & {
  /** Certificates beside its own, where the peer is no connection. */
  readonly sent?: readonly X509Certificate[]
}

export interface Presented {
  readonly certificate: X509Certificate
  /** SHA-256, upper-case hex without colons. */
  readonly fingerprint: string
  /** OpenSSL's verdict on chain, dates and use, at the handshake. */
  readonly authorized: boolean
  /** Why not; OpenSSL's code. */
  readonly error: string
  /** Each way from the certificate to an authority of the truststore; undefined: more than is looked at. */
  readonly paths: readonly Path[] | undefined
}

const seen = new WeakMap<object, Presented | 'nothing'>()

/** @returns undefined when the client showed no certificate */
export function presentedBy(peer: TlsPeer & object, truststore: Truststore): Presented | undefined {
  let found = seen.get(peer)
  if (found === undefined) {
    found = read(peer, truststore) ?? 'nothing'
    seen.set(peer, found)
  }
  return found === 'nothing' ? undefined : found
}

/** Certificates that are looked at, of those that a client sends. */
const longestChain = 10
const sentBy = new WeakMap<object, readonly X509Certificate[]>()

function above(certificate: X509Certificate): readonly X509Certificate[] {
  const sent: X509Certificate[] = []
  for (let next = certificate.issuerCertificate; next !== undefined && sent.length < longestChain; ) {
    sent.push(next)
    next = next.issuerCertificate
  }
  return sent
}

/**
 * Keeps what the clients of this server send beside their own certificates.
 *
 * Node 24.21 looks at the certificate by itself when the handshake ends, and drops the first of those above it while it
 * looks (nodejs/node#65579): they must be read before. Only the keylog event hands out a socket that early. The secret
 * that it is made for is not looked at. To be taken out once the oldest Node that we run on has the fix (pull request
 * 65602): then the certificate tells them at any time.
 */
export function keepChains(server: Server): void {
  const met = new WeakSet<TLSSocket>()
  server.on('keylog', (_secret, socket) => {
    if (met.has(socket)) return
    met.add(socket)
    socket.prependOnceListener('secure', () => {
      const certificate = socket.getPeerX509Certificate()
      if (certificate !== undefined) sentBy.set(socket, above(certificate))
    })
  })
}

/** Milliseconds for which what was found counts for the next connection: dates pass. */
const sameFor = 60_000

interface Shared {
  readonly presented: WeakRef<Presented>
  readonly at: number
}

/** What connections that are open, or were lately, have presented to a truststore: by all that it was read from. */
const shared = new WeakMap<Truststore, Map<string, Shared>>()
/** Told when nobody holds it any more. */
const unused = new FinalizationRegistry<() => void>(forget => forget())

function read(peer: TlsPeer & object, truststore: Truststore): Presented | undefined {
  const certificate = peer.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const sent = sentBy.get(peer) ?? peer.sent ?? above(certificate)
  sentBy.delete(peer)
  const { authorized } = peer
  const error = String(peer.authorizationError)
  const now = Date.now()
  const key = [authorized, error, ...[certificate, ...sent].map(one => one.fingerprint256)].join(' ')
  const known = shared.get(truststore) ?? new Map<string, Shared>()
  shared.set(truststore, known)
  const before = known.get(key)
  const same = before !== undefined && Math.abs(now - before.at) < sameFor ? before.presented.deref() : undefined
  if (same !== undefined) return same
  const presented: Presented = {
    ...{ certificate, authorized, error },
    fingerprint: fingerprintOf(certificate),
    paths: pathsToAuthority(certificate, sent, truststore.authorities, now),
  }
  const entry = { presented: new WeakRef(presented), at: now }
  known.set(key, entry)
  unused.register(presented, () => known.get(key) === entry && known.delete(key))
  return presented
}
