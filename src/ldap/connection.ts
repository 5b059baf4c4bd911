/**
 * A connection to a directory: opened within a time, and encrypted and believed before anything is said over it.
 *
 * ldaps and StartTLS end in the same handshake and the same judgement (connect-peer.ts). Not to forget: the socket that
 * comes out of here is used for one conversation and never opened again; where TLS was asked for and does not come, there
 * is no socket.
 *
 * Source: RFC 4513 3 (certificates are checked before anything is sent), RFC 4516 (addresses).
 */
import { type Socket, connect as tcpConnect } from 'node:net'
import { connectPeer } from '../tls/connect-peer.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { countdown } from './countdown.ts'
import type { RunStep } from './failure.ts'
import { requestTls } from './start-tls.ts'

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

export const urlOf = ({ secure, host, port }: Address): string =>
  `ldap${secure ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`

export interface ConnectionTerms {
  /** For ldap:// addresses; ldaps:// is encrypted from the first byte. */
  readonly startTls: boolean
  /** Absent: the platform's authorities, and the host as the name. */
  readonly trust: PeerTrust | undefined
  /** Milliseconds for connection, StartTLS and handshake together. */
  readonly timeout: number
}

/** Rejects with a Fault, and leaves nothing open then. */
export async function openConnection(
  address: Address,
  { startTls, trust, timeout }: ConnectionTerms,
  run: RunStep,
): Promise<Socket> {
  const { secure, host, port } = address
  const left = countdown(timeout)
  const socket = await run('connect', `${host}:${port}`, () => connectPlain(address, timeout))
  if (!secure && !startTls) return socket
  return run('tls', `${host}:${port}`, async () => {
    try {
      if (!secure) await requestTls(socket, left())
      return await connectPeer({ host, port }, trust, { timeout: left(), over: socket })
    } catch (cause) {
      socket.destroy()
      throw cause
    }
  })
}

function connectPlain({ host, port }: Address, timeout: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = tcpConnect({ host, port })
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeout} ms`)), timeout)
  // Stays: between this promise and the listeners of its owner an error must not go unheard.
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
