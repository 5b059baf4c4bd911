/**
 * Looks at one whole message from a directory before anybody reads it: is it built as the protocol says, to the byte?
 *
 * It understands nothing of the content. Readers behind it need no second look at lengths. ldapts 9.2.0 trusts the lengths
 * it reads: fourteen bytes make it fill the memory for ever (Attribute.parse), and a bind response without a result counts
 * as success (MessageResponse.parseMessage). Whatever is not known here is refused.
 *
 * Source: RFC 4511 4.1.1, 4.1.9, 4.1.11, 4.2.2, 4.5.2, 4.12.
 */

const integer = 0x02
const octets = 0x04
const boolean = 0x01
const enumerated = 0x0a
const sequence = 0x30
const set = 0x31
const bindResponse = 0x61
const searchEntry = 0x64
const searchDone = 0x65
const searchReference = 0x73
const extendedResponse = 0x78
const controls = 0xa0
/** Of a tag: parts are inside. */
const constructed = 0x20

export interface Part {
  readonly tag: number
  /** Of the content, without tag and length. */
  readonly start: number
  readonly end: number
}

/** Where the message that begins at `bytes[0]` ends; undefined while too little of it is there, `null` if it is none. */
export function messageEnd(bytes: Buffer): number | undefined | null {
  if (bytes.length > 0 && bytes[0] !== sequence) return null
  const part = partAt(bytes, 0)
  return part === undefined || part === null ? part : part.end
}

/** A person or a group has a few thousand at most. Each takes a hundred bytes here, where two were sent. */
const mostParts = 100_000

/** True if `message` has more parts than anybody should take apart; looked at without keeping any. */
export function hasTooManyParts(message: Buffer): boolean {
  let count = 0
  for (let at = 0; at < message.length; count++) {
    const part = partAt(message, at)
    if (part === undefined || part === null) return false // isWellFormed() says what that is
    if (count === mostParts) return true
    at = (part.tag & constructed) === 0 ? part.end : part.start
  }
  return false
}

/** True if `message`, cut by messageEnd(), is a response that can be read. */
export function isWellFormed(message: Buffer): boolean {
  const [whole, ...none] = partsOf(message, 0, message.length) ?? []
  if (whole?.tag !== sequence || none.length > 0) return false
  const [id, operation, more, ...rest] = partsOf(message, whole.start, whole.end) ?? []
  if (id === undefined || !isNumber(id, integer) || operation === undefined || rest.length > 0) return false
  if (more !== undefined && !(more.tag === controls && every(message, more, part => isControl(message, part))))
    return false

  switch (operation.tag) {
    case bindResponse:
    case searchDone:
    case extendedResponse:
      return isResult(message, operation)
    case searchEntry:
      return isEntry(message, operation)
    case searchReference:
      return every(message, operation, part => part.tag === octets)
    default:
      return false
  }
}

/** Undefined: the bytes end within the part. Null: a length that LDAP does not use. */
function partAt(bytes: Buffer, at: number): Part | undefined | null {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  if (tag === undefined || first === undefined) return undefined
  // RFC 4511 5.1: definite lengths only. More than four bytes of length nobody could send.
  const size = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || size > 4) return null
  if (at + 2 + size > bytes.length) return undefined
  const length = size === 0 ? first : bytes.readUIntBE(at + 2, size)
  const start = at + 2 + size
  return { tag, start, end: start + length }
}

/** The parts that fill `from` to `to` exactly; undefined if they do not. */
export function partsOf(bytes: Buffer, from: number, to: number): Part[] | undefined {
  const parts: Part[] = []
  for (let at = from; at < to; ) {
    const part = partAt(bytes, at)
    if (part === undefined || part === null || part.end > to) return undefined
    parts.push(part)
    at = part.end
  }
  return parts
}

const every = (bytes: Buffer, { start, end }: Part, test: (part: Part) => boolean): boolean =>
  partsOf(bytes, start, end)?.every(test) ?? false

const isNumber = ({ tag, start, end }: Part, expected: number): boolean =>
  tag === expected && end > start && end - start <= 4

/** Result code, matched name and message must be there; referral and the rest may follow. */
function isResult(bytes: Buffer, { start, end }: Part): boolean {
  const [code, matched, message] = partsOf(bytes, start, end) ?? []
  return code !== undefined && isNumber(code, enumerated) && matched?.tag === octets && message?.tag === octets
}

function isEntry(bytes: Buffer, { start, end }: Part): boolean {
  const [name, attributes, ...rest] = partsOf(bytes, start, end) ?? []
  if (name?.tag !== octets || attributes?.tag !== sequence || rest.length > 0) return false
  return every(bytes, attributes, attribute => attribute.tag === sequence && isAttribute(bytes, attribute))
}

function isAttribute(bytes: Buffer, { start, end }: Part): boolean {
  const [type, values, ...rest] = partsOf(bytes, start, end) ?? []
  return (
    type?.tag === octets && values?.tag === set && rest.length === 0 && every(bytes, values, one => one.tag === octets)
  )
}

function isControl(bytes: Buffer, { tag, start, end }: Part): boolean {
  const tags = tag === sequence ? partsOf(bytes, start, end)?.map(part => part.tag) : undefined
  return (
    tags !== undefined &&
    [[octets], [octets, boolean], [octets, octets], [octets, boolean, octets]].some(known => `${known}` === `${tags}`)
  )
}
