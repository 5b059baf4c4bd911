/**
 * What Active Directory has of its own: identifiers in bytes, times in its own count, the primary group.
 *
 * Source: MS-DTYP 2.4.2.2 (SID) and 2.3.4.2 (GUID), MS-ADTS 2.3.6 and 2.4.5, MS-SAMR 3.1.1.8.1 (primaryGroupID).
 */
import { bytesOf, type Entry, valuesOf } from './entry.ts'
import { bytesEqual, type Filter } from './filter.ts'

/** LDAP_MATCHING_RULE_IN_CHAIN: a membership over all levels, found by the directory itself. Source: MS-ADTS 3.1.1.3.4.4.3. */
export const inChain = '1.2.840.113556.1.4.1941'

/** `8f0e2c3a-…` of the sixteen bytes of an objectGUID: the first three fields have their last byte first. */
export function guidText(bytes: Buffer): string | undefined {
  if (bytes.length !== 16) return undefined
  const field = (from: number, to: number) => bytes.subarray(from, to).toReversed()
  const first = [field(0, 4), field(4, 6), field(6, 8)].map(part => Buffer.from(part).toString('hex'))
  return [...first, bytes.toString('hex', 8, 10), bytes.toString('hex', 10)].join('-')
}

/** Milliseconds since 1970; undefined: never. `text` counts 100 ns since 1601; 0 and the greatest number mean never. */
export function fileTime(text: string): number | undefined {
  if (!/^\d{1,19}$/.test(text)) return undefined
  const count = BigInt(text)
  if (count === 0n || count === 0x7fff_ffff_ffff_ffffn) return undefined
  return Number(count / 10_000n) - 11_644_473_600_000
}

/**
 * The filter for a person's primary group, in which neither `member` nor `memberOf` shows them; undefined: there is none.
 * It is named by the last number of its SID, in the domain that the person's own SID names.
 */
export function primaryGroupFilter(entry: Pick<Entry, 'attributes' | 'bytes'>): Filter | undefined {
  const [sid] = bytesOf(entry, 'objectSid')
  const [number = ''] = valuesOf(entry, 'primaryGroupID')
  const parts = sid?.[1]
  if (sid === undefined || parts === undefined || parts < 1 || sid.length !== 8 + 4 * parts) return undefined
  if (!/^\d{1,10}$/.test(number) || Number(number) > 0xffff_ffff) return undefined
  const group = Buffer.from(sid)
  group.writeUInt32LE(Number(number), group.length - 4)
  return bytesEqual('objectSid', group)
}
