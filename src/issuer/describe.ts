/**
 * The facts of a certificate, for `certs show` and for people who compare fingerprints.
 *
 * From PEM (all certificates of the text), DER or PKCS#12. It verifies nothing: a name in here is what the certificate
 * says of itself. No part of a private key is ever in the answer.
 *
 * Source: RFC 5280 4.2.1.6 (names); RFC 7469 2.4 (the pin over the public key).
 */
import { createHash, type KeyObject, X509Certificate } from 'node:crypto'
import { type AlternativeNames, alternativeNames } from './alternative-names.ts'
import { soleCommonName } from './distinguished-name.ts'
import { certificatesInPkcs12 } from './open-pkcs12.ts'
import { certificatesInPem } from './pem.ts'
import { IssuerRefusal } from './refusal.ts'
import { issuerOf, nameParts, parseCertificate, subjectOf } from './sign.ts'

export interface CertificateFacts extends AlternativeNames {
  /** RFC 4514: the most specific part first. */
  readonly subject: string
  readonly issuer: string
  /** Absent: none, or more than one. */
  readonly commonName?: string
  /** Upper case hexadecimal. */
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly isAuthority: boolean
  /** Empty: the certificate names no purpose, and is good for all. */
  readonly purposes: readonly string[]
  readonly key: { readonly type: string; readonly bits?: number; readonly curve?: string }
  readonly signatureAlgorithm: string
  /** Upper case with colons: what `api fingerprint` shows on a Check Point server, and browsers. */
  readonly sha1: string
  readonly sha256: string
  /** `spki-sha256:` and base64: stays the same when the certificate is renewed for the same key. */
  readonly pin: string
}

/**
 * @param password  for PKCS#12 only. Absent: tried with an empty one
 *
 * Codes: `container-unreadable` where there is no certificate at all, `container-password`, `container-obsolete`.
 */
export async function describeCertificates(content: Uint8Array, password = ''): Promise<CertificateFacts[]> {
  const certificates = await certificatesIn(content, password)
  if (certificates.length === 0) throw new IssuerRefusal('container-unreadable', 'there is no certificate in it')
  return certificates.map(describeCertificate)
}

/** @param der  one certificate, such as `raw` of a TLS peer */
export function describeCertificate(der: Uint8Array): CertificateFacts {
  const seen = readCertificate(der)
  const structure = parseCertificate(der)
  const commonName = soleCommonName(nameParts(structure.subjectName))
  return {
    subject: subjectOf(structure),
    issuer: issuerOf(structure),
    ...(commonName === undefined ? {} : { commonName }),
    ...alternativeNames(der),
    serial: seen.serialNumber.toUpperCase(),
    notBefore: seen.validFromDate,
    notAfter: seen.validToDate,
    isAuthority: seen.ca,
    purposes: (seen.keyUsage ?? []).map(purpose => purposes[purpose] ?? purpose),
    key: describeKey(seen.publicKey),
    signatureAlgorithm: seen.signatureAlgorithm ?? seen.signatureAlgorithmOid,
    sha1: seen.fingerprint,
    sha256: seen.fingerprint256,
    pin: spkiPin(seen.publicKey),
  }
}

function spkiPin(key: KeyObject): string {
  const spki = key.export({ type: 'spki', format: 'der' })
  return `spki-sha256:${createHash('sha256').update(spki).digest('base64')}`
}

const purposes: Readonly<Record<string, string>> = {
  '1.3.6.1.5.5.7.3.1': 'serverAuth',
  '1.3.6.1.5.5.7.3.2': 'clientAuth',
  '1.3.6.1.5.5.7.3.3': 'codeSigning',
  '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '1.3.6.1.5.5.7.3.8': 'timeStamping',
  '1.3.6.1.5.5.7.3.9': 'OCSPSigning',
  '2.5.29.37.0': 'any',
}

const curveBits: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521, secp256k1: 256 }

function describeKey(key: KeyObject): CertificateFacts['key'] {
  const type = key.asymmetricKeyType ?? 'unknown'
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  const bits = modulusLength ?? curveBits[namedCurve ?? '']
  return { type, ...(bits === undefined ? {} : { bits }), ...(namedCurve === undefined ? {} : { curve: namedCurve }) }
}

async function certificatesIn(content: Uint8Array, password: string): Promise<Buffer[]> {
  const bytes = Buffer.from(content)
  // DER begins with a SEQUENCE; whatever else is text, perhaps with a byte order mark or a comment before the PEM.
  if (bytes[0] !== 0x30) return certificatesInPem(bytes.toString('latin1'))
  return isCertificate(bytes) ? [bytes] : certificatesInPkcs12(bytes, password)
}

function isCertificate(der: Buffer): boolean {
  try {
    return new X509Certificate(der).raw.length > 0
  } catch {
    return false // then it is asked whether it is PKCS#12, and that refusal names what is wrong
  }
}

function readCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch (cause) {
    throw new IssuerRefusal('container-unreadable', 'this is not a certificate, or a damaged one', { cause })
  }
}
