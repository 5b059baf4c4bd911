/**
 * The rules of IceSSL.TrustOnly as an operator writes them ("CN=alice;CN=*.example.org;!CN=mallory"), as data.
 *
 * It reads text and judges nobody: tls/name-match.ts holds the rules against certificates. An entry that cannot be
 * understood is a mistake and never an entry that fits nobody. Not to forget: a star is a star. `CN=*.example.org` is
 * the certificate whose name is written so, and no pattern.
 *
 * Source: ZeroC IceSSL.TrustOnly (Ice 3.6, 3.7), RFC 2253 2 and 3 (names as text), RFC 4519 2 (attributes).
 */
import { z } from 'zod'

/** What one attribute of a name must be: as text, or, written as #hex, the bytes of its BER encoding. */
export interface AttributePattern {
  /** OID in dots. */
  readonly type: string
  readonly value: { readonly text: string } | { readonly encoded: string }
}

/** One relative name; more than one attribute where it was written with a plus sign. */
export type RelativePattern = readonly AttributePattern[]

/** One entry: every part of it must fit. */
export type NamePattern = readonly RelativePattern[]

export interface TrustOnly {
  /** One of them must fit; none: everybody who is not rejected. */
  readonly accept: readonly NamePattern[]
  /** None of them may fit. They come first. */
  readonly reject: readonly NamePattern[]
}

export interface Mistake {
  readonly mistake: string
}

/** OID and the names that it goes by: in RFC 2253 and 4519, openssl, Java and Windows. */
const attributes: readonly (readonly [oid: string, ...names: string[]])[] = [
  ['2.5.4.3', 'CN', 'commonName'],
  ['2.5.4.4', 'SN', 'surname', 'SURNAME'],
  ['2.5.4.5', 'serialNumber', 'SERIALNUMBER'],
  ['2.5.4.6', 'C', 'countryName'],
  ['2.5.4.7', 'L', 'localityName'],
  ['2.5.4.8', 'ST', 'S', 'stateOrProvinceName'],
  ['2.5.4.9', 'street', 'STREET', 'streetAddress'],
  ['2.5.4.10', 'O', 'organizationName'],
  ['2.5.4.11', 'OU', 'organizationalUnitName'],
  ['2.5.4.12', 'title', 'T', 'TITLE'],
  ['2.5.4.13', 'description', 'DESCRIPTION'],
  ['2.5.4.15', 'businessCategory'],
  ['2.5.4.17', 'postalCode'],
  ['2.5.4.41', 'name'],
  ['2.5.4.42', 'GN', 'G', 'givenName', 'GIVENNAME'],
  ['2.5.4.43', 'initials', 'I', 'INITIALS'],
  ['2.5.4.44', 'generationQualifier', 'GENERATION'],
  ['2.5.4.46', 'dnQualifier', 'DNQ'],
  ['2.5.4.65', 'pseudonym'],
  ['2.5.4.97', 'organizationIdentifier'],
  ['0.9.2342.19200300.100.1.1', 'UID', 'userId'],
  ['0.9.2342.19200300.100.1.3', 'mail', 'rfc822Mailbox'],
  ['0.9.2342.19200300.100.1.25', 'DC', 'domainComponent'],
  ['1.2.840.113549.1.9.1', 'emailAddress', 'E', 'EMAILADDRESS', 'Email'],
  ['1.2.840.113549.1.9.2', 'unstructuredName'],
]
const oidOf = new Map(attributes.flatMap(([oid, ...names]) => names.map(name => [name, oid] as const)))
const spelling = new Map([...oidOf.keys()].toReversed().map(name => [name.toLowerCase(), name] as const))

/** The usual short name of an attribute; the OID itself where there is none. */
export const attributeTitle = (oid: string): string => attributes.find(([known]) => known === oid)?.[1] ?? oid

class Misread extends Error {}

interface Entry {
  readonly rejects: boolean
  readonly pattern: NamePattern
}

/** One or more entries between semicolons; those that begin with an exclamation mark reject. */
export function parseTrustOnly(text: string): TrustOnly | Mistake {
  const read = attempt(() => readEntries(text, true))
  if ('mistake' in read) return read
  const patterns = (rejects: boolean) => read.filter(entry => entry.rejects === rejects).map(({ pattern }) => pattern)
  return { accept: patterns(false), reject: patterns(true) }
}

/** One entry: names of RFC 2253 between commas, in any order. */
export function parseNamePattern(text: string): NamePattern | Mistake {
  const read = attempt(() => readEntries(text, false))
  return 'mistake' in read ? read : (read[0]?.pattern ?? [])
}

/** For the schema; its output is what parseTrustOnly gives. */
export const TrustOnlyRules = z
  .string({ error: 'write the names between semicolons: "CN=alice;CN=bob;!CN=mallory"' })
  .transform((text, context): TrustOnly => {
    const read = parseTrustOnly(text)
    if (!('mistake' in read)) return read
    context.addIssue({ code: 'custom', message: read.mistake })
    return z.NEVER
  })
  .meta({
    description: 'Names as IceSSL.TrustOnly has them: entries between semicolons, ! rejects, a star is a star',
    examples: ['CN=alice;!CN=mallory', 'CN=omero.example.org,O=Example'],
  })

function attempt<T>(read: () => T): T | Mistake {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof Misread) return { mistake: cause.message }
    throw cause
  }
}

function readEntries(text: string, several: boolean): Entry[] {
  const entries: Entry[] = []
  let at = 0
  const skipBlanks = () => {
    while (/\s/.test(text[at] ?? '')) at++
  }
  const next = (mark: string): boolean => {
    skipBlanks()
    if (text[at] !== mark) return false
    at++
    return true
  }
  const wrong = (what: string): never => {
    throw new Misread(`${what}${at < text.length ? ` at ${JSON.stringify(text.slice(at, at + 30))}` : ''}`)
  }

  const readType = (): string => {
    skipBlanks()
    const [written = '', , dotted] =
      /^((?:oid\.|OID\.)?(\d+(?:\.\d+)+)|[A-Za-z][A-Za-z0-9-]*)/.exec(text.slice(at)) ?? []
    if (written === '') wrong('write a name such as CN=alice; nothing of the kind stands')
    const oid = dotted ?? oidOf.get(written)
    if (oid === undefined) {
      const meant = spelling.get(written.toLowerCase())
      throw new Misread(
        meant === undefined
          ? `no attribute of a name is called "${written}"; write CN, O, OU, emailAddress, … or its OID`
          : `no attribute of a name is called "${written}"; write ${meant}`,
      )
    }
    at += written.length
    if (!next('=')) wrong(`"=" is missing after ${written}`)
    return oid
  }

  const readEscape = (): Buffer => {
    const [pair] = /^[0-9A-Fa-f]{2}/.exec(text.slice(at)) ?? []
    const mark = text[at] ?? ''
    if (pair === undefined && !/^[,=+<>#;\\" ]$/.test(mark))
      wrong('a backslash stands before a special character or two hex digits, but not')
    at += pair === undefined ? 1 : 2
    return pair === undefined ? Buffer.from(mark) : Buffer.from(pair, 'hex')
  }

  const decoded = (parts: readonly Buffer[]): { text: string } => {
    const value = Buffer.concat(parts)
    if (value.length === 0) wrong('a value is empty')
    const said = value.toString('utf8')
    if (!Buffer.from(said).equals(value)) throw new Misread('a value is not UTF-8 after its escapes')
    return { text: said }
  }

  const readQuoted = (): AttributePattern['value'] => {
    const parts: Buffer[] = []
    for (at++; text[at] !== '"'; ) {
      if (at >= text.length) throw new Misread('a quoted value has no end')
      if (text[at] === '\\') {
        at++
        parts.push(readEscape())
      } else parts.push(takeCharacter())
    }
    at++
    return decoded(parts)
  }

  const takeCharacter = (): Buffer => {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0)
    at += character.length
    return Buffer.from(character)
  }

  const readValue = (): AttributePattern['value'] => {
    skipBlanks()
    if (text[at] === '"') return readQuoted()
    if (text[at] === '#') {
      const [, hex = ''] = /^#([0-9A-Fa-f]*)/.exec(text.slice(at)) ?? []
      if (hex.length < 4 || hex.length % 2 === 1)
        wrong('after # come pairs of hex digits, the BER encoding of the value, but not')
      at += hex.length + 1
      return { encoded: hex.toLowerCase() }
    }
    const parts: Buffer[] = []
    let blanks = 0 // at the end they do not count, unless escaped
    while (at < text.length && !/[,=+<>;"]/.test(text[at] ?? '')) {
      const escaped = text[at] === '\\'
      if (escaped) at++
      blanks = !escaped && /\s/.test(text[at] ?? '') ? blanks + 1 : 0
      parts.push(escaped ? readEscape() : takeCharacter())
    }
    return decoded(parts.slice(0, parts.length - blanks))
  }

  const readRelativeName = (): RelativePattern => {
    const parts: AttributePattern[] = []
    do parts.push({ type: readType(), value: readValue() })
    while (next('+'))
    return parts
  }

  const readEntry = (): Entry => {
    const rejects = several && next('!')
    const pattern: RelativePattern[] = []
    do pattern.push(readRelativeName())
    while (next(','))
    return { rejects, pattern }
  }

  do {
    entries.push(readEntry())
    skipBlanks()
    if (several && text[at] === ';' && text.slice(at + 1).trim() === '') at = text.length // a last semicolon is common
  } while (several && next(';'))
  if (at < text.length)
    wrong(
      several ? 'a comma or semicolon is missing' : 'one name only, its parts between commas, is wanted; more stands',
    )
  return entries
}
