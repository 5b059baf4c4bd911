/**
 * What went wrong at an upstream, by phase: not reached, not trusted, too slow, or broken.
 *
 * Stable codes are looked at, never messages. Source: Node and OpenSSL error codes, undici errors.
 */
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

const byCode: Record<string, FaultCode> = {
  ECONNREFUSED: 'upstream-unreachable',
  ENOTFOUND: 'upstream-unreachable',
  EAI_AGAIN: 'upstream-unreachable',
  EHOSTUNREACH: 'upstream-unreachable',
  ENETUNREACH: 'upstream-unreachable',
  EADDRNOTAVAIL: 'upstream-unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'upstream-timeout',
  ETIMEDOUT: 'upstream-timeout',
  UND_ERR_HEADERS_TIMEOUT: 'upstream-timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream-timeout',
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** @param about  name of the upstream and phase, for the log */
export function upstreamFault(error: unknown, about: string): Fault {
  if (error instanceof Fault) return error
  // Several addresses of one name were tried: the first failure tells.
  const cause = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
  const code = codeOf(cause)
  const fault = byCode[code] ?? (cause instanceof PeerRefusal ? 'upstream-untrusted' : 'upstream-broken')
  return new Fault(fault, { cause: error, about })
}

/** An idle connection that the server closed just as it was used: nothing was answered, so it may be tried once more. */
export const isStaleConnection = (error: unknown): boolean =>
  ['UPSTREAM_CLOSED', 'UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error))
