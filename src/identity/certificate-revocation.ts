/**
 * Whether a certificate, or one of the authorities above it, was taken back: by our own authority's ledger, and by the
 * revocation lists of the listener.
 *
 * Every certificate on the way is asked for, up to the authority that stands in the truststore. Where a list is missing
 * or out of date the site's own word counts: `whenStale`, closed unless it says otherwise. A certificate trusted by
 * itself has no issuer that we know: it is taken back by taking it out of the truststore.
 */
import type { Ledger } from '../issuer/ledger.ts'
import type { Revocation } from '../tls/revocation.ts'
import { fingerprintOf } from '../tls/truststore.ts'
import { refused } from './answer.ts'
import type { Revoked } from './client-certificate.ts'

export interface RevocationParts {
  readonly ledger: Pick<Ledger, 'revoked'>
  /** Undefined: the listener names no lists. */
  readonly lists: Pick<Revocation, 'check' | 'whenStale'> | undefined
}

export function createRevoked({ ledger, lists }: RevocationParts): Revoked {
  return (path, now) => {
    for (const [index, issuer] of path.slice(1).entries()) {
      const certificate = path[index]
      if (certificate === undefined) continue
      const who = index === 0 ? 'the certificate' : `the authority ${certificate.subject.replaceAll('\n', ', ')}`
      const own = ledger.revoked(fingerprintOf(issuer), certificate.serialNumber)
      if (own !== undefined) return refused('certificate-revoked', `${who}: ${own.reason}, ${own.at.toISOString()}`)
      const listed = lists?.check(certificate, issuer, now) ?? 'good'
      if (listed === 'good') continue
      if ('revoked' in listed)
        return refused('certificate-revoked', `${who}: ${listed.reason}, ${listed.revoked.toISOString()}`)
      if (lists?.whenStale !== 'accept')
        return refused(
          'certificate-unchecked',
          `${who}: the revocation list of its issuer is ${listed.unknown === 'stale' ? 'out of date' : 'missing'}`,
        )
    }
    return undefined
  }
}
