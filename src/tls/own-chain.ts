/**
 * Whether the certificates that we send behind our own lead from it upwards, each issued by the next.
 *
 * Browsers mend a chain that is in disorder, from what they have seen elsewhere; Orthanc, dcmtk and scripts do not, and
 * say no more than that we are not trusted. Source: RFC 8446 4.4.2, RFC 5246 7.4.2.
 */
import type { X509Certificate } from 'node:crypto'
import { isIssuedBy } from './certificate-path.ts'
import { expiryNotice } from './expiry.ts'
import type { Report } from './protocol-floor.ts'

export function inspectChain(
  own: X509Certificate,
  behind: readonly X509Certificate[],
  now: number,
  report: Report,
): void {
  const warn = (message: string) => report('certificate', message, 'warning')
  let below = own
  for (const [index, next] of behind.entries()) {
    if (!isIssuedBy(below, next)) {
      const place = behind.some(one => one !== next && isIssuedBy(below, one)) ? 'out of order' : 'not the issuer'
      warn(
        `certificate ${index + 2} of this file (${nameOf(next)}) is ${place} of the one before it: clients that do not mend chains will not trust us`,
      )
      return
    }
    const notice = expiryNotice(next, now)
    if (notice !== undefined) warn(`the authority ${nameOf(next)} in this file ${notice.message}`)
    below = next
  }
}

const nameOf = ({ subject }: X509Certificate) => subject.replaceAll('\n', ', ')
