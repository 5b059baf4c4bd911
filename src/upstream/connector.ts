/**
 * How a connection to an upstream is made: plain, or over TLS with a server that has proved itself first. And how long it is
 * kept: a minute, whatever traffic there is, so that a name that moves to another address is followed.
 *
 * Not to forget: what the server must prove to be comes from the configuration. A client library would take it
 * from the Host that somebody sends.
 */
import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { sharedLookup } from '../kernel/shared-lookup.ts'
import { type Approach, connectPeer, type PeerAddress } from '../tls/connect-peer.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { ClientError } from './failure.ts'

const keepAliveAfter = 60_000
/** Milliseconds that a connection is used. */
export const lifetime = 60_000

export function addressOf({ url }: HttpUpstreamSection): PeerAddress {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port }
}

/** @returns undefined for an upstream without TLS */
async function secureConnection(
  section: HttpUpstreamSection,
  trust: PeerTrust | undefined,
  { signal, warn, onread }: Pick<Approach, 'signal' | 'warn' | 'onread'> = {},
): Promise<TLSSocket | undefined> {
  if (section.url.protocol !== 'https:') return undefined
  const approach = { timeout: section.timeouts.connect, signal, warn, onread, protocols: ['http/1.1'] }
  const socket = await connectPeer(addressOf(section), trust, approach)
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveAfter)
}

/** Rejects with a PeerRefusal, or with what Node says. @returns a socket that is connected, and over TLS proved */
export async function connectionTo(
  section: HttpUpstreamSection,
  trust: PeerTrust | undefined,
  approach: Pick<Approach, 'signal' | 'warn' | 'onread'>,
): Promise<Socket> {
  return (await secureConnection(section, trust, approach)) ?? (await plainConnection(section, approach))
}

function plainConnection(
  section: HttpUpstreamSection,
  { signal, onread }: Pick<Approach, 'signal' | 'onread'>,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect({ ...addressOf(section), lookup: sharedLookup, noDelay: true, onread })
  socket.setKeepAlive(true, keepAliveAfter)
  const leave = () => socket.destroy(signal?.reason instanceof Error ? signal.reason : new Error('called off'))
  const late = () => socket.destroy(new ClientError('ETIMEDOUT', `no connection within ${timeout} ms`))
  const { connect: timeout } = section.timeouts
  const timer = setTimeout(late, timeout)
  const settled = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', leave)
    socket.off('error', reject).off('close', closed)
  }
  const closed = () => reject(new Error('the connection was closed before it stood'))
  socket.on('error', reject).on('close', closed)
  socket.once('connect', () => resolve(socket))
  if (signal?.aborted === true) leave()
  signal?.addEventListener('abort', leave, { once: true })
  return promise.finally(settled)
}
