/**
 * Why there is no certificate yet. Told to the operator, never to a client: nobody's request waits for a certificate.
 *
 * Not to forget: what was never answered may be tried again soon, what was refused may not. Authorities count refusals,
 * and lock out who comes back too often.
 *
 * Source: RFC 8555 6.6 (rate limits, Retry-After), 6.7 (problem documents).
 */
export interface AcmeFailureDetail {
  readonly cause?: unknown
  /** Milliseconds that the authority wants to be left alone. */
  readonly retryAfter?: number | undefined
}

export class AcmeFailure extends Error {
  override readonly name = 'AcmeFailure'
  readonly kind: 'unreachable' | 'refused'
  readonly retryAfter: number

  constructor(kind: AcmeFailure['kind'], message: string, { cause, retryAfter = 0 }: AcmeFailureDetail = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
    this.retryAfter = retryAfter
  }
}

/** Words of the authority, fit for one line of a log. */
export const plainText = (text: string): string => {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return line.length > 400 ? `${line.slice(0, 400)}…` : line
}
