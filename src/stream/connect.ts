/**
 * Opens the connection behind the gate, for whoever holds a permit.
 *
 * Fault codes: upstream-unreachable, upstream-timeout, upstream-broken.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { Fault } from '../kernel/fault.ts'
import type { StreamPermit } from '../policy/decide.ts'
import { upstreamFault } from '../upstream/failure.ts'

export interface StreamAddress {
  readonly host: string
  readonly port: number
}

/** A peer that vanished without a word is noticed by TCP, however long a session may be silent. */
export const keepAliveAfter = 60_000

/**
 * @param milliseconds  for name and connection together
 * @param signal        aborted when the client has gone
 */
export function connectUpstream(
  { stream }: StreamPermit,
  { host, port }: StreamAddress,
  { milliseconds, signal }: { readonly milliseconds: number; readonly signal: AbortSignal },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({
      ...{ host, port, signal, noDelay: true },
      ...{ allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: keepAliveAfter },
    })
    const about = `the upstream of stream ${stream}`
    const alarm = setTimeout(() => socket.destroy(new Fault('upstream-timeout', { about })), milliseconds)
    const failed = (error: Error) => {
      clearTimeout(alarm)
      reject(upstreamFault(error, about))
    }
    socket.once('error', failed)
    socket.once('connect', () => {
      clearTimeout(alarm)
      // From here on 'close' tells of it; an error that nobody hears would end the gateway.
      socket.off('error', failed).on('error', () => undefined)
      resolve(socket)
    })
  })
}
