/**
 * What the ledger knows of one certificate: a row, as data. No rule about who may be revoked stands here.
 */
import type { SQLOutputValue } from 'node:sqlite'
import { z } from 'zod'

export const IssuedRecord = z.object({
  /** Upper case hexadecimal, as `openssl x509 -serial` prints it. */
  serial: z.string().regex(/^[0-9A-F]+$/),
  /** RFC 4514. */
  subject: z.string(),
  /** The common name as it was asked for: what `certs revoke NAME` looks for. */
  name: z.string(),
  kind: z.enum(['server', 'client']),
  notAfter: z.iso.datetime(),
  /** Upper case with colons, over the DER. */
  sha256: z.string(),
  when: z.iso.datetime(),
})

export type IssuedRecord = Readonly<z.output<typeof IssuedRecord>>

/**
 * Why a certificate is taken back. Those of RFC 5280 5.3.1 that fit the certificate of a person or a machine:
 * certificateHold is left out, because what is revoked stays revoked, and the others speak of authorities.
 */
export const revocationReasons = [
  'unspecified',
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
] as const

export type RevocationReason = (typeof revocationReasons)[number]

export interface IssuedEntry extends IssuedRecord {
  /** SHA-256 of the CA certificate, upper case hexadecimal without colons. */
  readonly authority: string
  /** Absent: it was not taken back. */
  readonly revokedAt?: string
  readonly reason?: RevocationReason
}

export type IssuedState = 'good' | 'expired' | 'revoked'

/** Revoked outlasts expired: it says why. */
export function stateOf({ revokedAt, notAfter }: Pick<IssuedEntry, 'revokedAt' | 'notAfter'>, now: Date): IssuedState {
  if (revokedAt !== undefined) return 'revoked'
  return Date.parse(notAfter) <= now.getTime() ? 'expired' : 'good'
}

/** Hexadecimal as people and programs write it, in one form: upper case, no colons. For fingerprints, whole. */
export const plainHex = (text: string): string => text.replace(/[:\s]/g, '').toUpperCase()

/** A serial is a number: zeros in front of it say nothing. */
export const plainSerial = (text: string): string => plainHex(text).replace(/^0+(?=.)/, '')

/** Throws where the row is none that the ledger wrote. */
export function readEntry(row: Record<string, SQLOutputValue>): IssuedEntry {
  const text = (column: string): string => {
    const value = row[column]
    if (typeof value !== 'string') throw damaged()
    return value
  }
  const kind = text('kind')
  if (kind !== 'server' && kind !== 'client') throw damaged()
  const reason = revocationReasons.find(one => one === row['reason'])
  return {
    authority: text('authority'),
    serial: text('serial'),
    subject: text('subject'),
    name: text('name'),
    kind,
    notAfter: text('not_after'),
    sha256: text('sha256'),
    when: text('issued_at'),
    // Read with care for the direction of failure: whatever stands in this column means revoked.
    ...(row['revoked_at'] === null ? {} : { revokedAt: String(row['revoked_at']), reason: reason ?? 'unspecified' }),
  }
}

const damaged = () => new Error('a record of an issued certificate is damaged')
