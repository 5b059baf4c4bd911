/**
 * Where the body of a message ends in the bytes of a connection, and what it holds.
 *
 * Not to forget: an end in the wrong place gives one person's bytes to the next. So whatever can be read in two ways is
 * refused, and every line has its most. Source: RFC 9112 6.3 (length), 7.1 (chunks).
 */

/** Bytes; without a length or chunks the end of the connection is the end, which only an answer may have. */
export type Framing = number | 'chunked' | 'until the end'

export interface BodySink {
  /** The bytes are the sink's until it returns, or for as long as it has borrowed them. */
  onData(bytes: Buffer): void
  onEnd(): void
}

/** Bytes. */
const mostSizeLine = 4 * 1024
const mostTrailers = 16 * 1024

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
const quoted = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
const sizeLine = new RegExp(`^([0-9A-Fa-f]{1,13})(?:;${token}+(?:=(?:${token}+|${quoted}))?)*$`)
const trailerLine = new RegExp(`^(${token}+):[\\t\\x20-\\x7e\\x80-\\xff]*$`)
/** They would say anew where the body ends that has just ended, or whether the connection does. */
const framingName = /^(content-length|transfer-encoding|connection|proxy-connection)$/i

type State = 'length' | 'size' | 'chunk' | 'chunk end' | 'trailers' | 'until the end' | 'over'

export class BodyParser {
  /** Why it cannot be read any further. */
  problem: string | undefined
  readonly #sink: BodySink
  #state: State
  /** A line that is not whole yet. */
  #text = ''
  #next = 0
  /** Bytes of the body or the chunk that are still to come, or of all trailers that have come. */
  #count = 0

  /** @param framing  a length is not 0 */
  constructor(sink: BodySink, framing: Framing) {
    this.#sink = sink
    this.#state = framing === 'chunked' ? 'size' : framing === 'until the end' ? framing : 'length'
    if (typeof framing === 'number') this.#count = framing
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** @returns where the first byte stands that is not its own; the number of bytes if there is none */
  read(bytes: Buffer, from: number): number {
    this.#next = from
    while (this.#next < bytes.length && this.problem === undefined && this.#state !== 'over') {
      switch (this.#state) {
        case 'length':
        case 'chunk':
          this.#readCounted(bytes)
          break
        case 'until the end':
          this.#hand(bytes, bytes.length)
          break
        case 'size':
          this.#readSize(bytes)
          break
        case 'chunk end':
          if (this.#line(bytes, 2) !== undefined) this.#state = 'size'
          break
        case 'trailers':
          this.#readTrailer(bytes)
          break
      }
    }
    return this.#next
  }

  /** The connection has ended in an orderly way. */
  end(): void {
    if (this.#state === 'until the end') this.#finish()
    else if (this.#state !== 'over') this.problem ??= 'it ended before its end'
  }

  #finish(): void {
    this.#state = 'over'
    this.#sink.onEnd()
  }

  #hand(bytes: Buffer, stop: number): void {
    const from = this.#next
    this.#next = stop
    if (stop > from) this.#sink.onData(from === 0 && stop === bytes.length ? bytes : bytes.subarray(from, stop))
  }

  #readCounted(bytes: Buffer): void {
    const stop = Math.min(bytes.length, this.#next + this.#count)
    this.#count -= stop - this.#next
    this.#hand(bytes, stop)
    if (this.#count > 0) return
    if (this.#state === 'length') this.#finish()
    else this.#state = 'chunk end'
  }

  #readSize(bytes: Buffer): void {
    const line = this.#line(bytes, mostSizeLine)
    if (line === undefined) return
    const size = sizeLine.exec(line)?.[1]
    if (size === undefined) {
      this.problem = 'a chunk without a size'
      return
    }
    this.#count = Number.parseInt(size, 16)
    this.#state = this.#count === 0 ? 'trailers' : 'chunk'
  }

  #readTrailer(bytes: Buffer): void {
    const from = this.#next
    const line = this.#line(bytes, mostTrailers)
    this.#count += this.#next - from
    if (this.#count > mostTrailers) this.problem = 'trailers without end'
    if (line === undefined || this.problem !== undefined) return
    if (line === '') this.#finish()
    else {
      const name = trailerLine.exec(line)?.[1]
      if (name === undefined || framingName.test(name)) this.problem = 'an odd trailer'
    }
  }

  /** @returns a line without its end; undefined when it is not whole, or there is a problem */
  #line(bytes: Buffer, most: number): string | undefined {
    const from = this.#next
    const end = bytes.indexOf(10, from)
    this.#next = end === -1 ? bytes.length : end + 1
    if (this.#text.length + this.#next - from > most) {
      this.problem = most === 2 ? 'a chunk that is longer than it says' : 'a line that is too long'
      return undefined
    }
    const text = this.#text + bytes.toString('latin1', from, this.#next)
    this.#text = end === -1 ? text : ''
    if (end === -1) return undefined
    if (text.endsWith('\r\n')) return text.slice(0, -2)
    this.problem = 'a line that ends with half its end'
    return undefined
  }
}
