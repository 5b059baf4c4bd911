/**
 * Which realm takes a certificate: the first whose issuer fits.
 *
 * An issuer is looked for on the way that was proved by signatures, never in what the certificate says of itself. Where
 * an authority of the truststore bears the wanted name, only that one counts; a name that none of them bears may be an
 * intermediate's, and then it must stand right below one of them: whoever is allowed to sign further down could sign an
 * authority of any name.
 */
import type { X509Certificate } from 'node:crypto'
import type { CertificateRealm, Issuer } from '../config/certificate-realm.ts'
import { nameFits, subjectAttributes } from '../tls/name-match.ts'
import type { Presented } from '../tls/presented.ts'
import { fingerprintOf, type Truststore } from '../tls/truststore.ts'

export type FindRealm = (presented: Presented) => CertificateRealm | undefined

export function createRealms(realms: readonly CertificateRealm[], { authorities }: Truststore): FindRealm {
  const compiled = realms.map(realm => ({ realm, fits: realm.issuers?.map(issuer => compile(issuer)) }))

  function compile(issuer: Issuer): (above: readonly X509Certificate[]) => boolean {
    if ('fingerprint' in issuer) return above => above.some(one => fingerprintOf(one) === issuer.fingerprint)
    const named = (one: X509Certificate) => nameFits(issuer.name, subjectAttributes(one.raw))
    const own = new Set([...authorities].filter(([, authority]) => named(authority)).map(([print]) => print))
    if (own.size > 0) return above => above.some(one => own.has(fingerprintOf(one)))
    return above => {
      const belowTrusted = above[above.findIndex(one => authorities.has(fingerprintOf(one))) - 1]
      return belowTrusted !== undefined && named(belowTrusted)
    }
  }

  return ({ fingerprint, path = [] }) => {
    const byFingerprint = realms.find(realm => realm.people.has(fingerprint))
    if (byFingerprint !== undefined) return byFingerprint
    const above = path.slice(1)
    return compiled.find(({ fits }) => fits === undefined || fits.some(fit => fit(above)))?.realm
  }
}
