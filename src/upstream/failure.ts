/**
 * What went wrong at an upstream, by phase: not reached, not trusted, too slow, or broken.
 *
 * Stable codes are looked at, never messages. Source: Node and OpenSSL error codes.
 */
import type { Readable } from 'node:stream'
import { Fault, type FaultCode } from '../kernel/fault.ts'
import { PeerRefusal } from '../tls/peer-verdict.ts'

/** What our own client finds. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: 'ETIMEDOUT' | 'UPSTREAM_CLOSED' | 'UPSTREAM_MALFORMED'

  /** @param code  too slow; the connection ended before the answer; an answer that nobody can read */
  constructor(code: ClientError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** Whoever was to take the request was not reached, and nothing of it has gone out: another server may have it. */
export class NotSent extends Error {
  override readonly name = 'NotSent'
  override readonly cause: Error
  /** All of it, in place of the one that was given. */
  readonly body: Readable | undefined

  constructor(cause: Error, body: Readable | undefined) {
    super('the request was not sent', { cause })
    this.cause = cause
    this.body = body
  }
}

const byCode: Record<string, FaultCode> = {
  ECONNREFUSED: 'upstream-unreachable',
  ENOTFOUND: 'upstream-unreachable',
  EAI_AGAIN: 'upstream-unreachable',
  EHOSTUNREACH: 'upstream-unreachable',
  ENETUNREACH: 'upstream-unreachable',
  EADDRNOTAVAIL: 'upstream-unreachable',
  ETIMEDOUT: 'upstream-timeout',
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** @param about  name of the upstream and phase, for the log */
export function upstreamFault(error: unknown, about: string): Fault {
  if (error instanceof Fault) return error
  if (error instanceof NotSent) return upstreamFault(error.cause, about)
  // Several addresses of one name were tried: the first failure tells.
  const cause = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
  const code = codeOf(cause)
  const fault = byCode[code] ?? (cause instanceof PeerRefusal ? 'upstream-untrusted' : 'upstream-broken')
  return new Fault(fault, { cause: error, about })
}

/** It took the request and was too slow with its answer. */
export const isTooSlow = (error: unknown): boolean => byCode[codeOf(error)] === 'upstream-timeout'

/** It took the request and answered nothing that can be read: a server that is going, or of no use. */
export const isBreak = (error: unknown): boolean => isStaleConnection(error) || codeOf(error) === 'UPSTREAM_MALFORMED'

/** An idle connection that the server closed just as it was used: nothing was answered, so it may be tried once more. */
export const isStaleConnection = (error: unknown): boolean =>
  ['UPSTREAM_CLOSED', 'ECONNRESET', 'EPIPE'].includes(codeOf(error))
