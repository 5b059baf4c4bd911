/**
 * Connects to a server over TLS and hands the socket over only after the server has proved itself on it.
 *
 * Everybody who calls a server over TLS calls it through here: upstreams, tunnels, the directory. Sessions are not kept
 * and not resumed, because a resumed one shows no certificate. Not to forget: nothing is written before the judgement,
 * and a server cannot shake hands again in the middle (renegotiation is off).
 *
 * Source: RFC 6066 3 (an address is no server name).
 */
import type { X509Certificate } from 'node:crypto'
import { isIP, type OnReadOpts, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { sharedLookup } from '../kernel/shared-lookup.ts'
import { type PeerTrust, platformTrust } from './peer-trust.ts'
import { PeerRefusal, type PeerVerdict, peerProblem, peerVerdict, shownChain } from './peer-verdict.ts'

export interface PeerAddress {
  /** IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/** The cure, to be copied: the operator looks for himself. */
export const fetchCommand = ({ host, port }: PeerAddress): string =>
  `sallyport certs fetch ${host.includes(':') ? `[${host}]` : host}:${port}`

export interface Approach {
  /** Milliseconds for connection and handshake together. */
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
  readonly protocols?: readonly string[] | undefined
  /** A connection to the address that stands already, as after StartTLS. It lives and dies with what comes of it. */
  readonly over?: Socket | undefined
  /** What comes is read into this, and is no event of the socket. Not together with `over`. */
  readonly onread?: OnReadOpts | undefined
  /** Told what an operator should know of a server that is believed all the same. */
  readonly warn?: ((text: string) => void) | undefined
}

/** What the certificate must be for: never what a client said. */
export const expectedName = (trust: PeerTrust, { host }: PeerAddress): string => trust.name ?? host

/**
 * Rejects with a PeerRefusal when the server is not believed, and with what Node says when there is no connection.
 *
 * @param trust  absent: the platform's authorities, and the host as the name
 */
export const connectPeer = (
  address: PeerAddress,
  trust: PeerTrust | undefined,
  approach: Approach,
): Promise<TLSSocket> => {
  const terms = trust ?? platformTrust()
  return shakeHands(address, terms, approach, socket => {
    const verdict = peerVerdict(socket, terms, expectedName(terms, address))
    for (const warning of verdict.warnings) approach.warn?.(warning)
    const problem = peerProblem(verdict)
    return problem && new PeerRefusal(problem.check, `${problem.message}; what it presents: ${fetchCommand(address)}`)
  })
}

/** What a server shows, and how it would be judged. */
export interface PeerExamination extends PeerVerdict {
  readonly protocol: string
  readonly cipher: string
  /** The server's own first, then as far upwards as it sent them or the authorities hold them. */
  readonly chain: readonly X509Certificate[]
  /** Why the server turned us away after its handshake: in TLS 1.3 it looks at our certificate only then. */
  readonly turnedAway: Error | undefined
}

/** Looks, says nothing, and hangs up. */
export async function examinePeer(
  address: PeerAddress,
  trust: PeerTrust,
  approach: Approach,
): Promise<PeerExamination> {
  const socket = await shakeHands(address, trust, approach, () => undefined)
  try {
    return {
      ...peerVerdict(socket, trust, expectedName(trust, address)),
      protocol: socket.getProtocol() ?? 'unknown',
      cipher: socket.getCipher().standardName,
      chain: shownChain(socket),
      turnedAway: await turnedAway(socket),
    }
  } finally {
    socket.destroy()
  }
}

/** Nothing that a server shows may be thrown from an event: nobody would catch it, and the whole gateway would end. */
function judged(judge: () => Error | undefined): Error | undefined {
  try {
    return judge()
  } catch (cause) {
    // The library throws plain errors for bytes that it does not understand, though OpenSSL does. A bug is handed on.
    if (!(cause instanceof Error) || cause instanceof TypeError || cause instanceof ReferenceError)
      return cause instanceof Error ? cause : new Error('the judgement of a server failed', { cause })
    return new PeerRefusal('chain', 'its certificate is of a form that cannot be read, and is not believed')
  }
}

function shakeHands(
  { host, port }: PeerAddress,
  trust: PeerTrust,
  { timeout, signal, protocols, over, onread }: Approach,
  problemOf: (socket: TLSSocket) => Error | undefined,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  // Without a handle node:tls would wait for it to be connected again.
  if (over?.destroyed === true) return Promise.reject(over.errored ?? new Error('the connection was closed'))
  const name = expectedName(trust, { host, port })
  // Node takes it as `net.connect` does, though its types do not say so.
  const terms: ConnectionOptions & { onread?: OnReadOpts | undefined } = {
    ...(over === undefined ? { host, port, lookup: sharedLookup, onread } : { socket: over }),
    secureContext: trust.context,
    servername: isIP(name) === 0 ? name : '',
    ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
    rejectUnauthorized: false, // problemOf judges instead, on this socket and before anything is written
    checkServerIdentity: () => undefined,
  }
  const socket = tlsConnect(terms)
  const leave = () => socket.destroy(signal?.reason instanceof Error ? signal.reason : new Error('called off'))
  const timer = setTimeout(() => socket.destroy(new ConnectTimeout(timeout)), timeout)
  const settled = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', leave)
  }
  if (signal?.aborted === true) leave()
  signal?.addEventListener('abort', leave, { once: true })
  socket.on('secureConnect', () => {
    const problem = judged(() => problemOf(socket))
    if (problem !== undefined) socket.destroy(problem)
    else {
      settled()
      resolve(socket)
    }
  })
  // Stays: between this promise and its owner's own listeners an error must not go unheard.
  socket.on('error', reject)
  socket.once('close', () => {
    settled()
    reject(new Error('the connection was closed before it stood'))
  })
  return promise.then(alive)
}

/** It may have been cut since. */
function alive(socket: TLSSocket): TLSSocket {
  if (socket.destroyed) throw socket.errored ?? new Error('the connection was closed before it was used')
  return socket
}

class ConnectTimeout extends Error {
  readonly code = 'ETIMEDOUT'

  constructor(timeout: number) {
    super(`no connection within ${timeout} ms`)
  }
}

/** A server that takes us in sends session tickets, or data; one that does not sends an alert. */
function turnedAway(socket: TLSSocket): Promise<Error | undefined> {
  if (socket.getProtocol() !== 'TLSv1.3') return Promise.resolve(undefined)
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(undefined), 500) // some send neither until they are spoken to
    const end = (error?: Error) => {
      clearTimeout(timer)
      resolve(error)
    }
    socket.once('error', end)
    socket.once('session', () => end())
    socket.once('data', () => end())
    socket.once('close', () => end())
  })
}
