/**
 * Whom a listener believes: authorities, and single certificates trusted just as they are, mixed in one PEM file.
 *
 * A certificate with basicConstraints CA:TRUE is an authority; every other one is compared byte for byte and can
 * vouch for nobody but itself. Node does not hand out the chain that OpenSSL built, so OpenSSL is given nothing that it
 * could take for an authority by mistake. Source: IHE ATNA ITI-19 (direct comparison), Orthanc
 * SslTrustedClientCertificates, openssl X509_check_ca.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basicConstraint, isIssuedBy, readable, statesSigning } from './certificate-path.ts'
import { pemCertificates, unreadable } from './keystore.ts'
import type { Report } from './protocol-floor.ts'

export interface Truststore {
  /** All certificates as PEM. */
  readonly pem: readonly string[]
  /** Those for OpenSSL: the authorities, and for the list of names that browsers choose by what says CA:FALSE. */
  readonly anchors: readonly string[]
  /** SHA-256 of the whole certificate, upper-case hex without colons. */
  readonly singles: ReadonlySet<string>
  readonly authorities: ReadonlyMap<string, X509Certificate>
}

/** Upper-case hex without colons: the form that the configuration is kept in. */
export const fingerprintOf = (certificate: Pick<X509Certificate, 'fingerprint256'>): string =>
  certificate.fingerprint256.replaceAll(':', '')

/**
 * @param asTheyAre  fingerprints of certificates that stand for themselves alone, whatever they say of themselves
 * @returns undefined when nothing trustworthy came of the file; `report` has said why. Never falls back to
 *   system roots.
 */
export function readTruststore(
  file: string,
  now: number,
  report: Report,
  asTheyAre: ReadonlySet<string> = new Set(),
): Truststore | undefined {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (cause) {
    report('truststore', unreadable(file, cause))
    return undefined
  }
  const blocks = pemCertificates(text)
  if (blocks.length === 0) {
    report('truststore', `${file} holds no certificate (PEM), so nobody could be trusted`)
    return undefined
  }
  if (/PRIVATE KEY-----/.test(text))
    report('truststore', `${file} holds a private key; a truststore wants certificates only`, 'warning')

  const singles = new Set<string>()
  const authorities = new Map<string, X509Certificate>()
  const anchors: string[] = []
  for (const [index, pem] of blocks.entries()) {
    let certificate: X509Certificate
    try {
      certificate = new X509Certificate(pem)
    } catch {
      report('truststore', `certificate ${index + 1} of ${file} cannot be read`)
      return undefined
    }
    if (certificate.validToDate.getTime() < now) {
      report('truststore', `certificate ${index + 1} of ${file} expired on ${certificate.validTo}`, 'warning')
    }
    const fingerprint = fingerprintOf(certificate)
    const says = readable(() => ({ authority: basicConstraint(certificate), signs: statesSigning(certificate) }))
    if (says === undefined) {
      report('truststore', `certificate ${index + 1} of ${file} is of a form that cannot be read here`)
      return undefined
    }
    const isAuthority = certificate.ca && !asTheyAre.has(fingerprint)
    if (isAuthority) authorities.set(fingerprint, certificate)
    else singles.add(fingerprint)
    // Of one that is silent, OpenSSL makes an authority if it is of version 1 or may sign certificates by its key usage.
    if (isAuthority || says.authority === false) anchors.push(pem)
    if (isAuthority && !says.signs && isIssuedBy(certificate, certificate)) {
      report(
        'truststore',
        `certificate ${index + 1} of ${file} is self-signed and an authority (CA:TRUE, as openssl req -x509 makes them): whoever has its key can sign certificates of any name; if it is meant for itself alone, name it under realms.certificate.people`,
        'warning',
      )
    }
  }
  const vouching = [...authorities.values()]
  for (const authority of vouching) {
    if (vouching.some(above => isIssuedBy(authority, above))) continue
    report(
      'truststore',
      `${file}: the authority ${authority.subject.replaceAll('\n', ', ')} is not complete: certificates under it are refused until its own issuer, up to the self-signed root, is in the file too`,
      'warning',
    )
  }
  return { pem: blocks, anchors, singles, authorities }
}
