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
  /** Without escapes. */
  readonly value: string
}

/** The part next to the entry first. Never empty inside; the root is an empty list. */
export type Dn = readonly (readonly Assertion[])[]

/** A name of more parts nobody has. */
const mostParts = 200

const typePattern = /^(?:[A-Za-z][A-Za-z0-9-]*|(?:oid\.)?\d+(?:\.\d+)+)$/i

export function parseDn(text: string): Dn | undefined {
  if (text.trim() === '') return []
  const parts: Assertion[][] = [[]]
  for (let at = 0; ; ) {
    const assertion = readAssertion(text, at)
    if (assertion === undefined || parts.length > mostParts) return undefined
    parts.at(-1)?.push({ type: assertion.type, value: assertion.value })
    if (assertion.end === text.length) return parts
    // RFC 2253 4: a semicolon stands for a comma in older names.
    if (text[assertion.end] !== '+') parts.push([])
    at = assertion.end + 1
  }
}

/** From `at` to the separator behind the value, or the end of the text. */
function readAssertion(text: string, at: number): (Assertion & { readonly end: number }) | undefined {
  const sign = text.indexOf('=', at)
  if (sign < 0) return undefined
  const type = text.slice(at, sign).trim()
  if (!typePattern.test(type)) return undefined
  const start = sign + 1 + (/^ */.exec(text.slice(sign + 1, sign + 65))?.[0].length ?? 0)
  const read = text[start] === '"' ? readQuoted(text, start) : readPlain(text, start)
  return read && { type: type.toLowerCase().replace(/^oid\./, ''), ...read }
}

interface ReadValue {
  readonly value: string
  readonly end: number
}

const separators = new Set([',', ';', '+'])

function readPlain(text: string, start: number): ReadValue | undefined {
  const bytes: Buffer[] = []
  /** Up to where blanks were escaped, or stood before something else. */
  let kept = 0
  let at = start
  for (; at < text.length && !separators.has(text[at] ?? ''); ) {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0)
    if (char === '\\') {
      const escaped = readEscape(text, at)
      if (escaped === undefined) return undefined
      bytes.push(escaped.bytes)
      kept = bytes.length
      at = escaped.end
      continue
    }
    if (char === '"' || char === '\0') return undefined
    bytes.push(Buffer.from(char))
    if (char !== ' ') kept = bytes.length
    at += char.length
  }
  const value = textOf(bytes.slice(0, kept))
  return value === undefined ? undefined : { value, end: at }
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

/** Undefined: no UTF-8. What is not text (`#04…`) stays as it was written, and so is compared as that. */
function textOf(bytes: readonly Buffer[]): string | undefined {
  const all = Buffer.concat(bytes)
  const text = all.toString('utf8')
  return Buffer.from(text).equals(all) ? text : undefined
}

const folded = (value: string): string =>
  value.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim().normalize('NFC')

const partText = (part: readonly Assertion[]): string =>
  JSON.stringify(part.map(({ type, value }) => `${type}=${folded(value)}`).toSorted())

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

/** The value of the part nearest to the entry that has this type; undefined: none has. */
export function nearest(dn: Dn, type: string): string | undefined {
  const wanted = type.toLowerCase()
  return dn.flat().find(assertion => assertion.type === wanted)?.value
}
