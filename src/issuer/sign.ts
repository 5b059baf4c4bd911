/**
 * Signs certificates with @peculiar/x509: the only file that knows this library.
 *
 * `reflect-metadata` has to be loaded before it (its dependency tsyringe refuses to start otherwise), so that import
 * stands first. Names go in as structure with an explicit string type: given as text the library would parse them, and
 * a comma in a name would start a second attribute.
 *
 * Source: RFC 5280 4.1.2.2 (serial), 4.2.1 (extensions); CA/Browser Forum 7.1 (64 bits of a serial at random).
 */
import 'reflect-metadata'

import { randomBytes } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { formatName, type NameParts } from './distinguished-name.ts'
import { type CryptoKey, signingAlgorithm } from './keys.ts'
import { IssuerRefusal } from './refusal.ts'

const day = 86_400_000
/** Devices with a clock that is a little behind must not find a fresh certificate "not yet valid". */
const skew = 5 * 60_000

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/** From five minutes before `now`, for `days`, but never beyond `end`: in whole seconds, as X.509 has them. */
export function validityOf(now: Date, days: number, end?: Date): Validity {
  if (!(days > 0 && days < 36_525))
    throw new IssuerRefusal('lifetime-invalid', `${days} is not a number of days to live`)
  const inSeconds = (ms: number) => new Date(Math.floor(ms / 1000) * 1000)
  const wanted = now.getTime() + days * day
  return {
    notBefore: inSeconds(now.getTime() - skew),
    notAfter: inSeconds(end === undefined ? wanted : Math.min(wanted, end.getTime())),
  }
}

/** What a signature is asked for. The signature itself adds serial, key identifiers and issuer. */
export interface Draft extends Validity {
  readonly commonName: string
  readonly publicKey: CryptoKey
  readonly extensions: readonly Extension[]
}

/** Absent `certificate`: the key signs for itself. */
export interface Signer {
  readonly key: CryptoKey
  readonly certificate?: X509Certificate
}

export async function sign(draft: Draft, { key, certificate }: Signer): Promise<X509Certificate> {
  const subject = new Name([{ CN: [{ utf8String: draft.commonName }] }])
  return X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject,
    issuer: certificate?.subjectName ?? subject,
    notBefore: draft.notBefore,
    notAfter: draft.notAfter,
    publicKey: draft.publicKey,
    signingKey: key,
    signingAlgorithm: signingAlgorithm(key),
    extensions: [
      ...draft.extensions,
      await SubjectKeyIdentifierExtension.create(draft.publicKey, false, crypto),
      await authorityKeyIdentifier(certificate, draft.publicKey),
    ],
  })
}

/** The issuer's own identifier, word for word: a site's CA may have one that is no digest of its key. */
export async function authorityKeyIdentifier(
  issuer: X509Certificate | undefined,
  own: CryptoKey | PublicKey,
): Promise<Extension> {
  const known = issuer?.getExtension(SubjectKeyIdentifierExtension)
  if (known) return new AuthorityKeyIdentifierExtension(known.keyId)
  return AuthorityKeyIdentifierExtension.create(issuer?.publicKey ?? own, false, crypto)
}

/** RFC 5280 4.2.1.3: an authority without a key usage may do everything. */
export function maySignLists(certificate: X509Certificate): boolean {
  const usages = certificate.getExtension(KeyUsagesExtension)?.usages
  return usages === undefined || (usages & KeyUsageFlags.cRLSign) !== 0
}

/** May sign leaves and revocation lists; nothing below it may sign anything. */
export const authorityExtensions = (): Extension[] => [
  new BasicConstraintsExtension(true, 0, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
]

export interface LeafTerms {
  readonly serverAuth: boolean
  readonly clientAuth: boolean
  /** RSA servers: TLS 1.2 has key exchanges that encrypt with the key of the certificate. */
  readonly keyEncipherment: boolean
  readonly names: JsonGeneralNames
}

export function leafExtensions({ serverAuth, clientAuth, keyEncipherment, names }: LeafTerms): Extension[] {
  const usage = KeyUsageFlags.digitalSignature | (keyEncipherment ? KeyUsageFlags.keyEncipherment : 0)
  const purposes = [
    ...(serverAuth ? [ExtendedKeyUsage.serverAuth] : []),
    ...(clientAuth ? [ExtendedKeyUsage.clientAuth] : []),
  ]
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(usage, true),
    new ExtendedKeyUsageExtension(purposes, false),
    ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names, false)] : []),
  ]
}

/** Throws what the library throws where the bytes are no certificate. */
export const parseCertificate = (der: Uint8Array): X509Certificate => new X509Certificate(Uint8Array.from(der))

export const subjectOf = (certificate: X509Certificate): string => formatName(nameParts(certificate.subjectName))

export const issuerOf = (certificate: X509Certificate): string => formatName(nameParts(certificate.issuerName))

export const nameParts = (name: Name): NameParts => name.toJSON()

/** 16 bytes, 126 bits of them random; positive in ASN.1 and never shortened: the first byte lies between 40 and 7F. */
function randomSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}
