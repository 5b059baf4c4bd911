/**
 * Reads DER element by element, from front to back, without copying.
 *
 * Made for revocation lists: libraries that build a tree need seconds for 100,000 entries, or refuse so many (asn1js
 * stops at a number of nodes). It knows lengths and tags, and no types. Source: X.690 8.1.
 */

/** What was read is not DER. Caught by whoever called the reader, and told in an operator's words. */
export class NotDer extends Error {
  override readonly name = 'NotDer'
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  enumerated: 0x0a,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** [n], holding other elements. */
  explicit: (number: number) => 0xa0 + number,
  /** [n], holding bytes. */
  implicit: (number: number) => 0x80 + number,
} as const

/** A place in the bytes, and the element that was passed last. */
export class DerReader {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number
  #start = 0
  #from = 0
  #until = 0

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  get more(): boolean {
    return this.#at < this.#end
  }

  /** The tag of the next element; undefined at the end. */
  get upcoming(): number | undefined {
    return this.more ? this.#bytes[this.#at] : undefined
  }

  /** Passes the next element, which must bear this tag. Throws NotDer. */
  next(tag?: number): this {
    const start = this.#at
    const found = this.#byte(start)
    if (tag !== undefined && found !== tag) throw new NotDer(`element ${hex(found)} instead of ${hex(tag)}`)
    if ((found & 0x1f) === 0x1f) throw new NotDer('a tag of several bytes')
    let from = start + 2
    let length = this.#byte(start + 1)
    if (length >= 0x80) {
      const octets = length & 0x7f
      if (octets === 0 || octets > 4) throw new NotDer('a length that DER does not have')
      length = 0
      for (let at = 0; at < octets; at++) length = length * 256 + this.#byte(from + at)
      from += octets
    }
    if (from + length > this.#end) throw new NotDer('an element longer than what holds it')
    this.#start = start
    this.#from = from
    this.#until = from + length
    this.#at = this.#until
    return this
  }

  /** Passes the next element if it bears this tag. */
  skips(tag: number): boolean {
    if (this.upcoming !== tag) return false
    this.next(tag)
    return true
  }

  /** Content of the element passed last. */
  content(): Buffer {
    return this.#bytes.subarray(this.#from, this.#until)
  }

  /** The same with tag and length. */
  whole(): Buffer {
    return this.#bytes.subarray(this.#start, this.#until)
  }

  /**
   * The number in the INTEGER passed last: hexadecimal without zeros in front, so that two encodings of one number are
   * equal; negative ones stay apart.
   */
  integerKey(): string {
    const first = this.#from < this.#until ? this.#byte(this.#from) : undefined
    if (first === undefined) throw new NotDer('a number without digits')
    const digits = this.#bytes.toString('hex', this.#from, this.#until)
    if (first >= 0x10 && first < 0x80) return digits
    if (first < 0x10) return digits.replace(/^0+(?=.)/, '')
    // Two's complement.
    return `-${((1n << BigInt(4 * digits.length)) - BigInt(`0x${digits}`)).toString(16)}`
  }

  /** Passes a UTCTime or GeneralizedTime: milliseconds since 1970. */
  time(): number {
    const tag = this.upcoming
    this.next()
    const years = tag === tags.utcTime ? 1 : 2
    const isTime = tag === tags.utcTime || tag === tags.generalizedTime
    if (!isTime || this.#until - this.#from !== 11 + 2 * years || this.#bytes[this.#until - 1] !== 0x5a)
      throw new NotDer('a date that is none')
    const pair = (index: number) => {
      const at = this.#from + 2 * index
      const tens = (this.#bytes[at] ?? 0) - 0x30
      const ones = (this.#bytes[at + 1] ?? 0) - 0x30
      if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw new NotDer('a date that is none')
      return tens * 10 + ones
    }
    // RFC 5280 4.1.2.5.1: two digits mean 1950 to 2049.
    const year = years === 2 ? pair(0) * 100 + pair(1) : pair(0) + (pair(0) < 50 ? 2000 : 1900)
    return Date.UTC(year, pair(years) - 1, pair(years + 1), pair(years + 2), pair(years + 3), pair(years + 4))
  }

  /** A reader of what is inside the element passed last. */
  inside(): DerReader {
    return new DerReader(this.#bytes, this.#from, this.#until)
  }

  #byte(at: number): number {
    const byte = at < this.#end ? this.#bytes[at] : undefined
    if (byte === undefined) throw new NotDer('it ends in the middle of an element')
    return byte
  }
}

/** In dots: 2.5.29.20. @param content  of an OBJECT IDENTIFIER */
export function oidText(content: Uint8Array): string {
  const arcs: number[] = []
  let arc = 0
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f)
    if ((octet & 0x80) !== 0) continue
    if (arcs.length === 0) arcs.push(...(arc < 80 ? [Math.floor(arc / 40), arc % 40] : [2, arc - 80]))
    else arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}

const hex = (byte: number) => `0x${byte.toString(16).padStart(2, '0')}`
