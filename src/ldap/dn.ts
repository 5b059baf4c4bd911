/**
 * Names of entries (DN), taken apart and compared by structure: two spellings of one name are equal, and a name that
 * merely begins or ends alike is not.
 *
 * It does not know the schema: values are compared without case and with runs of blanks as one, as nearly all attributes
 * in names are (caseIgnoreMatch). A text that is no DN is undefined, and equals nothing, itself included.
 *
 * Source: RFC 4514 3 (grammar, escapes), RFC 4517 4.2.11 (caseIgnoreMatch), RFC 4518 2.6.1 (blanks), RFC 4512 2.3.
 */

/** One `type=value` of a part; a part has several where they are joined by `+`. */
export interface Assertion {
  /** In small letters. */
  readonly type: string
  /** Without escapes; `#04…` where it is no text. */
  readonly value: string
  /** The value is no text but bytes in BER. Absent: a text, even one that looks like that. */
  readonly isEncoded?: true
}

/** The part next to the entry first. Never empty inside; the root is an empty list. */
export type Dn = readonly (readonly Assertion[])[]

/** A name of more parts nobody has. */
const mostParts = 200
/** Nor of more letters; OpenLDAP takes no longer one either (SLAP_LDAPDN_MAXLEN). */
const longest = 8192

const typePattern = /^(?:[A-Za-z][A-Za-z0-9-]*|(?:oid\.)?\d+(?:\.\d+)+)$/i

export function parseDn(text: string): Dn | undefined {
  if (text.length > longest) return undefined
  if (text.trim() === '') return []
  const parts: Assertion[][] = [[]]
  for (let at = 0; ; ) {
    const assertion = readAssertion(text, at)
    if (assertion === undefined || parts.length > mostParts) return undefined
    const { end, ...read } = assertion
    parts.at(-1)?.push(read)
    if (end === text.length) return parts
    // RFC 2253 4: a semicolon stands for a comma in older names.
    if (text[end] !== '+') parts.push([])
    at = end + 1
  }
}

/** From `at` to the separator behind the value, or the end of the text. */
function readAssertion(text: string, at: number): (Assertion & { readonly end: number }) | undefined {
  const sign = text.indexOf('=', at)
  if (sign < 0) return undefined
  const type = text.slice(at, sign).trim()
  if (!typePattern.test(type)) return undefined
  const start = sign + 1 + (/^ */.exec(text.slice(sign + 1, sign + 65))?.[0].length ?? 0)
  const read = text[start] === '"' ? readQuoted(text, start) : (readEncoded(text, start) ?? readPlain(text, start))
  return read && { type: type.toLowerCase().replace(/^oid\./, ''), ...read }
}

interface ReadValue {
  readonly value: string
  readonly end: number
}

const separators = new Set([',', ';', '+'])

/** `#` and bytes in hexadecimal. An escaped or quoted `#` begins a text. */
function readEncoded(text: string, start: number): (ReadValue & { readonly isEncoded: true }) | undefined {
  const pattern = /(#(?:[0-9a-f]{2})+) *(?=[,;+]|$)/iy
  pattern.lastIndex = start
  const [all, value] = pattern.exec(text) ?? []
  return all === undefined || value === undefined ? undefined : { value, end: start + all.length, isEncoded: true }
}

function readPlain(text: string, start: number): ReadValue | undefined {
  const pieces: Buffer[] = []
  for (let at = start; ; ) {
    const end = endOfRun(text, at)
    const stop = text[end]
    if (stop === '"' || stop === '\0') return undefined
    // Blanks at the end do not count, unless they are escaped.
    pieces.push(Buffer.from(stop === '\\' ? text.slice(at, end) : withoutBlanks(text.slice(at, end))))
    if (stop !== '\\') {
      const value = textOf(pieces)
      return value === undefined ? undefined : { value, end }
    }
    const escaped = readEscape(text, end)
    if (escaped === undefined) return undefined
    pieces.push(escaped.bytes)
    at = escaped.end
  }
}

/** Where something begins that does not stand for itself. */
function endOfRun(text: string, from: number): number {
  const pattern = /[\\"\0,;+]/g
  pattern.lastIndex = from
  return pattern.exec(text)?.index ?? text.length
}

function withoutBlanks(text: string): string {
  let end = text.length
  while (text[end - 1] === ' ') end--
  return text.slice(0, end)
}

/** RFC 2253 4: a value in quotation marks, as older servers write it. */
function readQuoted(text: string, start: number): ReadValue | undefined {
  const bytes: Buffer[] = []
  for (let at = start + 1; at < text.length; ) {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0)
    if (char === '"') {
      const end = at + 1 + (/^ */.exec(text.slice(at + 1))?.[0].length ?? 0)
      const value = textOf(bytes)
      return value === undefined || (end < text.length && !separators.has(text[end] ?? '')) ? undefined : { value, end }
    }
    const escaped = char === '\\' ? readEscape(text, at) : { bytes: Buffer.from(char), end: at + char.length }
    if (escaped === undefined) return undefined
    bytes.push(escaped.bytes)
    at = escaped.end
  }
  return undefined
}

function readEscape(text: string, at: number): { readonly bytes: Buffer; readonly end: number } | undefined {
  const hex = /^[0-9A-Fa-f]{2}/.exec(text.slice(at + 1, at + 3))?.[0]
  if (hex !== undefined) return { bytes: Buffer.from(hex, 'hex'), end: at + 3 }
  const char = text[at + 1]
  return char !== undefined && /[ "#+,;<=>\\]/.test(char) ? { bytes: Buffer.from(char), end: at + 2 } : undefined
}

/** Undefined: no UTF-8. */
function textOf(bytes: readonly Buffer[]): string | undefined {
  const all = Buffer.concat(bytes)
  const text = all.toString('utf8')
  return Buffer.from(text).equals(all) ? text : undefined
}

const folded = (value: string): string =>
  value.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim().normalize('NFC')

const partText = (part: readonly Assertion[]): string =>
  JSON.stringify(
    part.map(({ type, value, isEncoded }) => `${type}=${isEncoded ? '#' : ''}=${folded(value)}`).toSorted(),
  )

/** The same text for all spellings of one name; undefined: it is none. For maps and sets. */
export function dnKey(text: string): string | undefined {
  return parseDn(text)?.map(partText).join(',')
}

export function sameDn(one: string, other: string): boolean {
  const key = dnKey(one)
  return key !== undefined && key === dnKey(other)
}

/** Whether the entry is `base` itself or stands below it. */
export function isUnder(text: string, base: string): boolean {
  const [dn, above] = [parseDn(text), parseDn(base)]
  if (dn === undefined || above === undefined || above.length > dn.length) return false
  const tail = dn.slice(dn.length - above.length)
  return tail.every((part, at) => partText(part) === partText(above[at] ?? []))
}

/** The value of the part nearest to the entry that has this type, and as a text; undefined: none has. */
export function nearest(dn: Dn, type: string): string | undefined {
  const wanted = type.toLowerCase()
  return dn.flat().find(({ type, isEncoded }) => type === wanted && isEncoded === undefined)?.value
}
