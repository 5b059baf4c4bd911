/**
 * An entry as the directory gave it, made safe to look at: names of attributes in lower case, values that are text.
 *
 * What is not UTF-8 is left out. An entry without a name (DN) is no entry: nobody could be bound as it.
 *
 * Source: RFC 4511 4.5.2, RFC 4512 2.5 (names of attributes are compared without case).
 */
import type { Entry as WireEntry } from 'ldapts'

export interface Entry {
  /** As returned, to the letter. */
  readonly dn: string
  readonly attributes: ReadonlyMap<string, readonly string[]>
}

export function readEntry({ dn, ...attributes }: WireEntry): Entry | undefined {
  // `dn` may have been overwritten by an attribute of that name; then it is a list, or bytes.
  if (typeof dn !== 'string' || !dn.includes('=')) return undefined
  const readable = Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), texts(value)] as const)
  return { dn, attributes: new Map(readable) }
}

const texts = (value: WireEntry[string]): string[] => [value].flat().filter(one => typeof one === 'string')

export const valuesOf = (entry: Entry, attribute: string): readonly string[] =>
  entry.attributes.get(attribute.toLowerCase()) ?? []
