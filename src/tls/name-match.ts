/**
 * Holds the names in a certificate against names that an operator wrote.
 *
 * It trusts nobody: whoever asks has verified the certificate first. Names come from the structure of the certificate
 * and are never cut out of text, in which a value such as "alice,O=x" looks like two. Not to forget: a name with two
 * values under one key has the name only if both are it, and is rejected already if one of them is.
 *
 * Source: ZeroC IceSSL TrustManager (Ice 3.6, 3.7), RFC 5280 4.1.2.4, RFC 2253 2.
 */
import 'reflect-metadata'
import { type Name, X509Certificate } from '@peculiar/x509'
import { type BaseBlock, BaseStringBlock, Constructed, fromBER, ObjectIdentifier } from 'asn1js'
import {
  type AttributePattern,
  attributeTitle,
  type NamePattern,
  type RelativePattern,
  type TrustOnly,
} from '../config/trust-only.ts'

export interface NameAttribute {
  /** OID in dots. */
  readonly type: string
  /** Absent: not a string at all. */
  readonly text: string | undefined
  /** The BER encoding of the value, in lower-case hex. */
  readonly encoded: string
}

/** The relative names in the order of the certificate, mostly of one attribute each. */
export type NameAttributes = readonly (readonly NameAttribute[])[]

export const subjectAttributes = (der: Uint8Array): NameAttributes => attributesOf(read(der).subjectName)

export const issuerAttributes = (der: Uint8Array): NameAttributes => attributesOf(read(der).issuerName)

/**
 * Whether the rules let the holder of a certificate in.
 *
 * @param certificate  DER, verified already; undefined: the peer sent none
 */
export function admits({ accept, reject }: TrustOnly, certificate: Uint8Array | undefined): boolean {
  if (accept.length === 0 && reject.length === 0) return true
  if (certificate === undefined) return false
  const name = subjectAttributes(certificate)
  if (reject.some(pattern => pattern.every(part => partFits(part, name, 'one')))) return false
  return accept.length === 0 || accept.some(pattern => nameFits(pattern, name))
}

/** Whether every part of the pattern is in the name, and nothing else stands there under the same key. */
export const nameFits = (pattern: NamePattern, name: NameAttributes): boolean =>
  pattern.length > 0 && pattern.every(part => partFits(part, name, 'all'))

/** The name as text, most specific part first, written so that it can be put into a rule. */
export const nameText = (name: NameAttributes): string =>
  name
    .toReversed()
    .map(relative =>
      relative
        .map(
          ({ type, text, encoded }) => `${attributeTitle(type)}=${text === undefined ? `#${encoded}` : escaped(text)}`,
        )
        .join('+'),
    )
    .join(',')

function partFits(part: RelativePattern, name: NameAttributes, how: 'one' | 'all'): boolean {
  const [first] = part
  if (first === undefined) return false
  // Written with a plus sign: the attributes stand together, as one relative name of exactly these.
  if (part.length > 1) {
    return name.some(
      relative => relative.length === part.length && part.every(wanted => relative.some(seen => isIt(wanted, seen))),
    )
  }
  const under = name.flat().filter(({ type }) => type === first.type)
  const fits = (seen: NameAttribute) => isIt(first, seen)
  return under.length > 0 && (how === 'one' ? under.some(fits) : under.every(fits))
}

/** Exact, also in case: who may come in is no search. */
const isIt = ({ type, value }: AttributePattern, seen: NameAttribute): boolean =>
  type === seen.type && ('text' in value ? value.text === seen.text : value.encoded === seen.encoded)

/** Throws what the library throws where the bytes are no certificate. */
const read = (der: Uint8Array) => new X509Certificate(Uint8Array.from(der))

function attributesOf(name: Name): NameAttributes {
  return parts(fromBER(name.toArrayBuffer()).result).map(relative =>
    parts(relative).flatMap(attribute => {
      const [type, value] = parts(attribute)
      if (!(type instanceof ObjectIdentifier) || value === undefined) return []
      return {
        type: type.getValue(),
        text: value instanceof BaseStringBlock ? String(value.getValue()) : undefined,
        encoded: Buffer.from(value.valueBeforeDecodeView).toString('hex'),
      }
    }),
  )
}

const parts = (block: BaseBlock): BaseBlock[] => (block instanceof Constructed ? block.valueBlock.value : [])

const escaped = (value: string): string =>
  value
    .replace(/[\\,+"<>;=]/g, '\\$&')
    .replace(/^[ #]/, '\\$&')
    .replace(/ $/, '\\ ')
    // A line end or NUL in a name must not reach a terminal or a log as itself.
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, mark => Buffer.from(mark).toString('hex').replace(/../g, '\\$&'))
