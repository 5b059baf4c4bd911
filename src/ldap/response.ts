/**
 * Reads one whole answer of a directory: which question it belongs to, what it says, and the controls beside it.
 *
 * Nothing is guessed: what message-shape.ts does not let through is no answer. It reads what ldapts 9.2.0 would drop or
 * bend: controls of a bind, the referral of a result, a byte order mark that makes two names out of one.
 *
 * Source: RFC 4511 4.1.9 to 4.1.11, 4.2.2, 4.5.2, 4.5.3, 4.12; RFC 2696 2 (pages).
 */
import { BindResponse, type ResultCodeError, StatusCodeParser, type Entry as WireEntry } from 'ldapts'
import { isWellFormed, type Part, partsOf } from './message-shape.ts'

export interface ResponseControl {
  readonly oid: string
  /** Empty where none was sent. */
  readonly value: Buffer
}

export interface Result {
  readonly code: number
  /** The directory's own words. */
  readonly message: string
  /** URLs; undefined: there is no referral. */
  readonly referral: readonly string[] | undefined
  readonly controls: readonly ResponseControl[]
}

export type Response = { readonly id: number } & (
  | { readonly kind: 'bind' | 'done' | 'extended'; readonly result: Result }
  | { readonly kind: 'entry'; readonly dn: string; readonly attributes: ReadonlyMap<string, readonly Buffer[]> }
  /** URLs that all lead to the same. */
  | { readonly kind: 'reference'; readonly urls: readonly string[] }
)

const kinds: Readonly<Record<number, 'bind' | 'done' | 'extended'>> = { 97: 'bind', 101: 'done', 120: 'extended' }
const searchEntry = 0x64
const referral = 0xa3
const octets = 0x04
/** Letters. What a directory says of itself is written into logs; Active Directory says less than two hundred. */
const longestMessage = 1_000

/** @returns undefined for what is no answer to anything that is asked here */
export function readResponse(message: Buffer): Response | undefined {
  if (!isWellFormed(message)) return undefined
  const [whole] = inside(message, { tag: 0, start: 0, end: message.length })
  const [id, operation, controls] = whole === undefined ? [] : inside(message, whole)
  if (id === undefined || operation === undefined) return undefined
  const number = numberIn(message, id)
  const kind = kinds[operation.tag]
  const parts = inside(message, operation)
  if (kind !== undefined) return { id: number, kind, result: readResult(message, parts, controls) }
  if (operation.tag !== searchEntry) return { id: number, kind: 'reference', urls: parts.map(textOf(message)) }
  const [dn, list] = parts
  if (dn === undefined || list === undefined) return undefined
  const attributes = inside(message, list).map(attribute => {
    const [type, values] = inside(message, attribute)
    const bytes = values === undefined ? [] : inside(message, values).map(one => message.subarray(one.start, one.end))
    return [type === undefined ? '' : textOf(message)(type), bytes] as const
  })
  return { id: number, kind: 'entry', dn: textOf(message)(dn), attributes: new Map(attributes) }
}

function readResult(message: Buffer, parts: readonly Part[], controls: Part | undefined): Result {
  const [code, , words, ...more] = parts
  const elsewhere = more.find(part => part.tag === referral)
  return {
    code: code === undefined ? Number.NaN : numberIn(message, code),
    message: words === undefined ? '' : textOf(message)(words).slice(0, longestMessage),
    referral: elsewhere && inside(message, elsewhere).map(textOf(message)),
    controls: controls === undefined ? [] : inside(message, controls).map(one => readControl(message, one)),
  }
}

function readControl(message: Buffer, control: Part): ResponseControl {
  const [oid, ...more] = inside(message, control)
  const value = more.find(part => part.tag === octets)
  return {
    oid: oid === undefined ? '' : textOf(message)(oid),
    value: value === undefined ? Buffer.alloc(0) : Buffer.from(message.subarray(value.start, value.end)),
  }
}

/** Values that were asked for as bytes stay bytes, and so do those that are not all text. */
export function wireEntry(
  { dn, attributes }: Extract<Response, { kind: 'entry' }>,
  binary: ReadonlySet<string>,
): WireEntry {
  const values = [...attributes].map(([type, bytes]) => {
    const texts = binary.has(type.toLowerCase()) ? undefined : decoded(bytes)
    // A copy, for the answer it lies in would be kept whole with it.
    return [type, texts ?? bytes.map(one => Buffer.from(one))] as const
  })
  // An attribute may be called like the name; the name is none of them.
  return { ...Object.fromEntries(values), dn }
}

/** The name of the next page; undefined: there is none. Throws on a control that is built otherwise. */
export function nextPage({ controls }: Result): Buffer | undefined {
  const control = controls.find(({ oid }) => oid === '1.2.840.113556.1.4.319')
  if (control === undefined) return undefined
  const { value } = control
  const [whole, ...none] = partsOf(value, 0, value.length) ?? []
  const [size, cookie, ...more] = whole === undefined ? [] : (partsOf(value, whole.start, whole.end) ?? [])
  if (size?.tag !== 0x02 || cookie?.tag !== octets || none.length + more.length > 0)
    throw new Error('the directory sent a broken page control')
  return cookie.start === cookie.end ? undefined : value.subarray(cookie.start, cookie.end)
}

/** The result as an error with its code; for codes that are no success. */
export const resultError = ({ code, message }: Result): ResultCodeError =>
  StatusCodeParser.parse(new BindResponse({ messageId: 0, status: code, errorMessage: message }))

/** A byte order mark is a letter like any other here. */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decoded(bytes: readonly Buffer[]): string[] | undefined {
  try {
    return bytes.map(one => strict.decode(one))
  } catch {
    return undefined // not UTF-8, which is an answer and no accident
  }
}

const inside = (bytes: Buffer, { start, end }: Part): Part[] => partsOf(bytes, start, end) ?? []
const textOf =
  (bytes: Buffer) =>
  ({ start, end }: Part): string =>
    bytes.toString('utf8', start, end)
const numberIn = (bytes: Buffer, { start, end }: Part): number => bytes.readUIntBE(start, end - start)
