/**
 * One connection to a directory: opened within a time, spoken over once, never opened again by itself.
 *
 * ldapts gets a stream that is already open (and, for ldaps, already trusted), and whole messages only: each is
 * bounded, checked (message-shape.ts) and handed over by itself. ldapts 9.2.0 recurses once for every message in a
 * packet, which a directory of bad intent can drive through the stack, and it collects without limit.
 *
 * Not to forget: everything that comes in is from outside, even from a directory whose certificate is right.
 *
 * Source: RFC 4513 3 (certificates are checked before anything is sent), RFC 4516 (addresses).
 */
import { type Socket, connect as tcpConnect } from 'node:net'
import { Duplex } from 'node:stream'
import { connectPeer } from '../tls/connect-peer.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { isWellFormed, messageEnd } from './message-shape.ts'

/** Bytes. A person with a thousand groups takes a tenth of it. */
const mostPerConnection = 4 * 1024 * 1024

export interface Address {
  readonly secure: boolean
  readonly host: string
  readonly port: number
}

export function addressOf(url: string): Address {
  const { protocol, hostname, port } = new URL(url)
  const secure = protocol === 'ldaps:'
  return { secure, host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (secure ? 636 : 389) : Number(port) }
}

/**
 * Rejects with what Node says, or after `timeout` milliseconds for connection and handshake together.
 *
 * @param trust  absent: the platform's authorities. Ignored for ldap://
 */
export async function openConnection(
  { secure, host, port }: Address,
  trust: PeerTrust | undefined,
  timeout: number,
): Promise<Connection> {
  const socket = secure
    ? await connectPeer({ host, port }, trust, { timeout })
    : await connectPlain({ host, port }, timeout)
  return new Connection(socket)
}

function connectPlain(address: Omit<Address, 'secure'>, timeout: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = tcpConnect(address)
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeout} ms`)), timeout)
  // Stays: between this promise and the Connection's own listeners an error must not go unheard.
  socket.on('error', reject)
  socket.once('close', () => {
    clearTimeout(timer)
    reject(new Error('the connection was closed before it stood'))
  })
  socket.once('connect', () => {
    clearTimeout(timer)
    resolve(socket)
  })
  return promise
}

/** What ldapts takes for its socket. */
export class Connection extends Duplex {
  /** ldapts asks for these two, to see whether it must wait. */
  readonly connecting = false
  readonly readyState = 'open'

  readonly #socket: Socket
  #rest = Buffer.alloc(0)
  #taken = 0
  #used = false

  constructor(socket: Socket) {
    // As objects, so that the borders between the messages are kept.
    super({ readableObjectMode: true, allowHalfOpen: false })
    this.#socket = socket
    socket.on('data', chunk => this.#take(chunk))
    socket.on('end', () => this.push(null))
    socket.on('error', cause => this.destroy(cause))
    socket.on('close', () => this.destroy())
    // Until ldapts listens. An error that nobody awaits any more is no news.
    this.on('error', () => undefined)
  }

  /**
   * Gives the stream to ldapts, the first time only: a second time it wants to connect anew, without telling us, and
   * would go on unauthenticated.
   */
  readonly hand = (): Socket => {
    if (this.#used) throw new Error('the connection to the directory was lost')
    this.#used = true
    const stream: Duplex = this
    // Safe: of a Socket ldapts 9.2.0 uses what a Duplex has, and the two fields above (Client.ts, _connect, _send).
    return stream as Socket
  }

  #take(chunk: Buffer): void {
    this.#taken += chunk.length
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (let next = this.#next(); next !== undefined && !this.destroyed; next = this.#next()) {
      if (isWellFormed(next)) this.push(next)
      else this.#refuse('a broken LDAP message')
    }
  }

  /** The next whole message, taken out of what has come. */
  #next(): Buffer | undefined {
    const end = messageEnd(this.#rest)
    if (end === null) this.#refuse('what is no LDAP message')
    else if (this.#taken > mostPerConnection || (end ?? 0) > mostPerConnection)
      this.#refuse('more than the gateway takes')
    else if (end !== undefined && end <= this.#rest.length) {
      const message = this.#rest.subarray(0, end)
      this.#rest = this.#rest.subarray(end)
      return message
    }
    return undefined
  }

  #refuse(what: string): void {
    this.destroy(new Error(`the directory sent ${what}`))
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(cause: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(cause)
  }
}
