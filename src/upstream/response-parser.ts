/**
 * Where an answer begins and ends in the bytes of a connection, and what its body is.
 *
 * Not to forget: an end in the wrong place gives one person's bytes to the next. So whatever can be read in two ways is
 * refused, every line has its most, and what comes behind the end is only told of (`hasMore`), never read.
 *
 * Source: RFC 9112 6.3 (length), 7.1 (chunks); RFC 9110 15.2 (interim answers).
 */
import { ResponseHead } from './response-head.ts'

export interface ResponseSink {
  /** An interim answer (1xx) went by. */
  onInterim(): void
  onHead(head: ResponseHead): void
  /** The bytes are the sink's until it returns, or for as long as it has borrowed them. */
  onData(bytes: Buffer): void
  onEnd(): void
}

/** Bytes. */
const mostHead = 64 * 1024
const mostSizeLine = 4 * 1024
const mostTrailers = 16 * 1024
/** Interim answers to one request: each would put off every time limit. */
const mostInformed = 100

const headEnd = Buffer.from('\r\n\r\n')
const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
const quoted = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
const sizeLine = new RegExp(`^([0-9A-Fa-f]{1,13})(?:;${token}+(?:=(?:${token}+|${quoted}))?)*$`)
const trailerLine = new RegExp(`^(${token}+):[\\t\\x20-\\x7e\\x80-\\xff]*$`)
/** They would say anew where the body ends that has just ended. */
const framing = /^(content-length|transfer-encoding)$/i

type State = 'head' | 'length' | 'size' | 'chunk' | 'chunk end' | 'trailers' | 'until the end' | 'over'

export class ResponseParser {
  /** Why the answer cannot be read any further. */
  problem: string | undefined
  /** Bytes came behind the end. */
  hasMore = false
  readonly #sink: ResponseSink
  readonly #isHead: boolean
  #state: State = 'head'
  #head = new ResponseHead()
  /** A head or a line that is not whole yet. */
  #text = ''
  #next = 0
  /** Bytes of the body or the chunk that are still to come, or of all trailers that have come. */
  #count = 0
  #informed = 0

  /** @param isHead  the answer is one to HEAD, and has no body whatever it says */
  constructor(sink: ResponseSink, isHead: boolean) {
    this.#sink = sink
    this.#isHead = isHead
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  read(bytes: Buffer): void {
    this.#next = 0
    while (this.#next < bytes.length && this.problem === undefined) {
      switch (this.#state) {
        case 'head':
          this.#readHead(bytes)
          break
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
        case 'over':
          this.hasMore = true
          return
      }
    }
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

  #readHead(bytes: Buffer): void {
    const from = this.#next
    const known = this.#text.length
    let isWhole = false
    if (known === 0) {
      const end = bytes.indexOf(headEnd, from)
      isWhole = end !== -1
      this.#next = isWhole ? end + headEnd.length : bytes.length
      this.#text = bytes.toString('latin1', from, this.#next)
    } else {
      this.#text += bytes.toString('latin1', from, bytes.length)
      const end = this.#text.indexOf('\r\n\r\n', Math.max(0, known - 3))
      isWhole = end !== -1
      if (isWhole) this.#text = this.#text.slice(0, end + headEnd.length)
      this.#next = from + this.#text.length - known
    }
    const head = this.#head
    if (this.#text.length > mostHead) this.problem = 'a head that is too large'
    else if (head.read(this.#text, isWhole)) this.#begin(head)
    else this.problem = head.problem
  }

  #begin(head: ResponseHead): void {
    const { status } = head
    this.#text = ''
    if (status === 101) this.problem = 'another protocol, which nobody asked for'
    else if (status < 200) this.#inform(head)
    else {
      this.#sink.onHead(head)
      if (this.#isHead || status === 204 || status === 304 || head.length === 0) this.#finish()
      else if (head.isChunked) this.#state = 'size'
      else if (head.length === undefined) this.#state = 'until the end'
      else {
        this.#count = head.length
        this.#state = 'length'
      }
    }
  }

  /** Nothing that the client was promised. */
  #inform(head: ResponseHead): void {
    this.#head = new ResponseHead()
    if (!head.isKept) this.problem = 'an interim answer that is the last one'
    else if (head.length !== undefined || head.isChunked) this.problem = 'an interim answer with a body'
    else if (++this.#informed > mostInformed) this.problem = 'interim answers without end'
    else this.#sink.onInterim()
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
      if (name === undefined || framing.test(name)) this.problem = 'an odd trailer'
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
