/**
 * The one name that a certificate carries, of the kind that its realm goes by.
 *
 * Parsed from the certificate's structure, never split from text: a subject such as `CN=admin/CN=user` is one name with
 * a slash in it. Two names, none, or one with control characters is no name at all.
 * Source: RFC 5280 4.1.2.6, 4.2.1.6; CVE-2021-44532.
 */
import 'reflect-metadata'
import type { X509Certificate } from 'node:crypto'
import { X509Certificate as ParsedCertificate, SubjectAlternativeNameExtension } from '@peculiar/x509'
import type { CertificateRealm } from '../config/certificate-realm.ts'
import { fingerprintOf } from '../tls/truststore.ts'

const sanTypes = { email: 'email', upn: 'upn', dns: 'dns', uri: 'url' } as const

export function nameIn(
  certificate: Pick<X509Certificate, 'raw' | 'serialNumber' | 'fingerprint256'>,
  wanted: CertificateRealm['name'],
): string | undefined {
  if (wanted === 'fingerprint') return fingerprintOf(certificate)
  if (wanted === 'serial') return certificate.serialNumber
  // Two names: taking "the first" would let an issuer's second one slip through.
  const [name, second] = namesOfKind(new ParsedCertificate(new Uint8Array(certificate.raw)), wanted)
  if (name === undefined || second !== undefined || name.trim() === '' || name.length > 256) return undefined
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u.test(name) ? undefined : name
}

function namesOfKind(
  parsed: ParsedCertificate,
  wanted: Exclude<CertificateRealm['name'], 'fingerprint' | 'serial'>,
): readonly string[] {
  if (wanted === 'commonName') return parsed.subjectName.getField('CN')
  return (parsed.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [])
    .filter(({ type }) => type === sanTypes[wanted])
    .map(({ value }) => value)
}
