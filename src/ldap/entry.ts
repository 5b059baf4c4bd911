/**
 * An entry as the directory gave it, made safe to look at: names of attributes in lower case, values that are text.
 *
 * What is not UTF-8 is left out, but for the attributes that were asked for as bytes. An entry without a name (DN) is no
 * entry: nobody could be bound as it.
 *
 * Source: RFC 4511 4.5.2, RFC 4512 2.5 (names of attributes are compared without case).
 */
import type { Entry as WireEntry } from 'ldapts'

export interface Entry {
  /** As returned, to the letter. */
  readonly dn: string
  readonly attributes: ReadonlyMap<string, readonly string[]>
  /** Of those attributes that were asked for as bytes: objectGUID, objectSid. */
  readonly bytes: ReadonlyMap<string, readonly Buffer[]>
}

/** @param isRoot  it may be the entry without a name: what the server says of itself (RFC 4512 5.1) */
export function readEntry({ dn, ...attributes }: WireEntry, isRoot = false): Entry | undefined {
  if (!(dn.includes('=') || (isRoot && dn === ''))) return undefined
  const all = Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), [value].flat()] as const)
  return {
    dn,
    attributes: new Map(all.map(([name, values]) => [name, values.filter(one => typeof one === 'string')])),
    bytes: new Map(all.map(([name, values]) => [name, values.filter(one => Buffer.isBuffer(one))])),
  }
}

export const valuesOf = (entry: Pick<Entry, 'attributes'>, attribute: string): readonly string[] =>
  entry.attributes.get(attribute.toLowerCase()) ?? []

export const bytesOf = (entry: Pick<Entry, 'bytes'>, attribute: string): readonly Buffer[] =>
  entry.bytes.get(attribute.toLowerCase()) ?? []
