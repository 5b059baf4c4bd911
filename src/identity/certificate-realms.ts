/**
 * Which realm takes a certificate: the first whose issuer fits.
 *
 * An issuer is looked for on the ways that were proved by signatures, never in what the certificate says of itself. Where
 * an authority of the truststore bears the wanted name, only that one counts. A name that none of them bears may be an
 * intermediate's, right below the one authority that there is; where there are several, each of them could sign an
 * intermediate of that name, and it fits nobody. Where several ways lead up, all must lead into the same realm.
 */
import type { X509Certificate } from 'node:crypto'
import type { CertificateRealm, Issuer } from '../config/certificate-realm.ts'
import type { Path } from '../tls/certificate-path.ts'
import { nameFits, subjectAttributes } from '../tls/name-match.ts'
import type { Report } from '../tls/protocol-floor.ts'
import { fingerprintOf, type Truststore } from '../tls/truststore.ts'

export interface Holder {
  readonly certificate: X509Certificate
  /** Trusted as it is. */
  readonly listed: boolean
  /** Empty only where it is listed. */
  readonly paths: readonly Path[]
}

export type FindRealm = (holder: Holder) => CertificateRealm | undefined

/** Authorities of a truststore that bear the name of an issuer. */
export const authoritiesNamed = ({ authorities }: Pick<Truststore, 'authorities'>, issuer: Issuer): readonly string[] =>
  [...authorities]
    .filter(([print, one]) =>
      'fingerprint' in issuer ? print === issuer.fingerprint : nameFits(issuer.name, subjectAttributes(one.raw)),
    )
    .map(([print]) => print)

/** Issuers that can never fit, on any listener: told before somebody waits at a closed door. */
export function inspectIssuers(
  realms: readonly CertificateRealm[],
  entrances: readonly { readonly truststore: Truststore | undefined }[],
  report: Report,
): void {
  const truststores = entrances.map(({ truststore }) => truststore).filter(one => one !== undefined)
  if (truststores.length === 0) return
  for (const { id, issuers = [] } of realms) {
    for (const issuer of issuers) {
      if ('fingerprint' in issuer) continue // it may be an intermediate's, which clients send
      const fits = truststores.some(one => authoritiesNamed(one, issuer).length > 0 || one.authorities.size <= 1)
      if (fits) continue
      report(
        'issuers',
        `no authority of a truststore bears an issuer's name of the realm ${id}; where there are several authorities, each could sign one of that name: put its certificate into the truststore, or write its sha256: fingerprint`,
      )
    }
  }
}

export function createRealms(realms: readonly CertificateRealm[], truststore: Truststore): FindRealm {
  const { authorities } = truststore
  const compiled = realms.map(realm => ({ realm, fits: realm.issuers?.map(issuer => compile(issuer)) }))

  function compile(issuer: Issuer): (above: readonly X509Certificate[]) => boolean {
    if ('fingerprint' in issuer) return above => above.some(one => fingerprintOf(one) === issuer.fingerprint)
    const own = new Set(authoritiesNamed(truststore, issuer))
    if (own.size > 0) return above => above.some(one => own.has(fingerprintOf(one)))
    if (authorities.size > 1) return () => false
    return above => {
      const belowTrusted = above[above.findIndex(one => authorities.has(fingerprintOf(one))) - 1]
      return belowTrusted !== undefined && nameFits(issuer.name, subjectAttributes(belowTrusted.raw))
    }
  }
  const realmOf = (above: readonly X509Certificate[]) =>
    compiled.find(({ fits }) => fits === undefined || fits.some(fit => fit(above)))?.realm

  return ({ certificate, listed, paths }) => {
    const byFingerprint = listed ? realms.find(realm => realm.people.has(fingerprintOf(certificate))) : undefined
    if (byFingerprint !== undefined) return byFingerprint
    const [first, ...others] = new Set(paths.length === 0 ? [realmOf([])] : paths.map(path => realmOf(path.slice(1))))
    return others.length === 0 ? first : undefined
  }
}
