/**
 * Signs revocation lists (CRLs): what the ledger says is revoked, for servers that do not read the ledger.
 *
 * A list holds every certificate of the authority that was ever revoked, those that have ended meanwhile too: lists of
 * a house stay small, and a reader whose clock is wrong still refuses. Not to forget: a list has an end, and after it
 * careful servers refuse everybody, so the next one has to be written before that.
 *
 * Source: RFC 5280 5.1.2 (version 2, the dates), 5.2.1, 5.2.3 (key identifier, number), 5.3.1 (reasons).
 */
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import type { Authority } from './authority.ts'
import type { IssuedEntry, RevocationReason } from './issued-entry.ts'
import { signingAlgorithm } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { pemBlocks, toPem } from './pem.ts'
import { IssuerRefusal } from './refusal.ts'
import { authorityKeyIdentifier, maySignLists, validityOf } from './sign.ts'

/** What `openssl ca` takes: long enough for a holiday, short enough that a forgotten list is noticed. */
const listDays = 30

const oid = { number: '2.5.29.20', reason: '2.5.29.21' } as const

const reasonCodes: Readonly<Record<RevocationReason, number>> = {
  unspecified: 0,
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
}

export interface RevocationList {
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** How many certificates are on it. */
  readonly entries: number
  readonly der: Buffer
  readonly pem: string
}

export interface ListWishes {
  /** Absent: 30. Never beyond the end of the authority. */
  readonly days?: number
  readonly now?: Date
}

/** Codes: `lifetime-invalid`, and `authority-unreadable` where the authority may not sign lists. */
export async function signRevocationList(
  authority: Authority,
  ledger: Pick<Ledger, 'list' | 'nextListNumber'>,
  { days = listDays, now = new Date() }: ListWishes = {},
): Promise<RevocationList> {
  const { certificate, fingerprint, key } = authority
  if (!maySignLists(certificate)) {
    const why = 'its key usage has no cRLSign, so nobody would believe its lists'
    throw new IssuerRefusal('authority-unreadable', `the authority in ${authority.dir} may not sign lists: ${why}`)
  }
  const { notBefore: thisUpdate, notAfter: nextUpdate } = validityOf(now, days, certificate.notAfter)
  const identifier = await authorityKeyIdentifier(certificate, certificate.publicKey)
  const number = await ledger.nextListNumber(fingerprint)
  // Read after the number was taken: of two commands at a time the higher number never knows less.
  const revoked = (await ledger.list()).filter(
    entry => entry.authority === fingerprint && entry.revokedAt !== undefined,
  )

  const list = new pkijs.CertificateRevocationList({
    version: 1,
    issuer: pkijs.Certificate.fromBER(certificate.rawData).subject,
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: timeOf(nextUpdate),
    crlExtensions: new pkijs.Extensions({
      extensions: [
        pkijs.Extension.fromBER(identifier.rawData),
        extension(oid.number, new asn1js.Integer({ value: number })),
      ],
    }),
    ...(revoked.length === 0 ? {} : { revokedCertificates: revoked.map(entryOf) }),
  })
  await list.sign(key, signingAlgorithm(key).hash)
  const der = Buffer.from(list.toSchema(true).toBER())
  return { number, thisUpdate, nextUpdate, entries: revoked.length, der, pem: toPem('X509 CRL', der) }
}

/** PEM or DER. No signature is looked at. */
export function isRevocationList(content: Uint8Array): boolean {
  const bytes = Buffer.from(content)
  const [der = bytes] = pemBlocks('X509 CRL', bytes.toString('latin1'))
  try {
    return pkijs.CertificateRevocationList.fromBER(der).thisUpdate.value.getTime() > 0
  } catch {
    return false
  }
}

function entryOf({ serial, revokedAt = '', reason = 'unspecified' }: IssuedEntry): pkijs.RevokedCertificate {
  // RFC 5280 5.3.1: instead of `unspecified` the reason is left out.
  const extensions =
    reason === 'unspecified' ? [] : [extension(oid.reason, new asn1js.Enumerated({ value: reasonCodes[reason] }))]
  return new pkijs.RevokedCertificate({
    userCertificate: new asn1js.Integer({ valueHex: positive(serial) }),
    revocationDate: timeOf(new Date(revokedAt)),
    ...(extensions.length === 0 ? {} : { crlEntryExtensions: new pkijs.Extensions({ extensions }) }),
  })
}

const extension = (extnID: string, value: asn1js.BaseBlock) =>
  new pkijs.Extension({ extnID, critical: false, extnValue: value.toBER() })

/** A number whose first bit is set would be a negative one. */
function positive(hex: string): Buffer {
  const even = hex.length % 2 === 0 ? hex : `0${hex}`
  return Buffer.from(/^[89A-F]/i.test(even) ? `00${even}` : even, 'hex')
}

/** RFC 5280 5.1.2.4: UTCTime until 2049, GeneralizedTime after; whole seconds in both. */
const timeOf = (date: Date) =>
  new pkijs.Time({
    type: date.getUTCFullYear() < 2050 ? pkijs.TimeType.UTCTime : pkijs.TimeType.GeneralizedTime,
    value: new Date(Math.floor(date.getTime() / 1000) * 1000),
  })
