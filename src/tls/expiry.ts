/**
 * How soon a certificate ends, and how loudly that is said: at 30 days, at 7, and at 1.
 */
import type { X509Certificate } from 'node:crypto'

const day = 86_400_000

export interface ExpiryNotice {
  /** The span that has begun, in days; 0: it is over. */
  readonly within: 30 | 7 | 1 | 0
  readonly level: 'warn' | 'error'
  readonly message: string
}

/** @returns undefined while there is more time than 30 days */
export function expiryNotice(
  { validToDate, validTo }: Pick<X509Certificate, 'validToDate' | 'validTo'>,
  now: number,
): ExpiryNotice | undefined {
  const left = validToDate.getTime() - now
  if (left <= 0) return { within: 0, level: 'error', message: `expired on ${validTo}` }
  const within = ([1, 7, 30] as const).find(days => left < days * day)
  if (within === undefined) return undefined
  const days = Math.floor(left / day)
  const span = days === 0 ? 'within a day' : days === 1 ? 'in 1 day' : `in ${days} days`
  return { within, level: within === 30 ? 'warn' : 'error', message: `expires on ${validTo}, ${span}` }
}

export interface ExpiryWatch {
  /** Tells of each certificate once in each span. @param certificates  by what they are, for a person */
  look(certificates: Iterable<readonly [what: string, certificate: X509Certificate]>): void
}

export function createExpiryWatch(
  tell: (level: 'warn' | 'error', facts: object, message: string) => void,
  now: () => number,
): ExpiryWatch {
  const told = new Set<string>()
  return {
    look(certificates) {
      for (const [what, certificate] of certificates) {
        const notice = expiryNotice(certificate, now())
        const key = `${what} ${certificate.fingerprint256} ${notice?.within}`
        if (notice === undefined || told.has(key)) continue
        told.add(key)
        const subject = certificate.subject.replaceAll('\n', ', ')
        tell(notice.level, { what, subject, validTo: certificate.validTo }, `a certificate ${notice.message}`)
      }
    },
  }
}
