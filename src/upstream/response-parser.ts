/**
 * Where an answer begins and ends in the bytes of a connection, and what its body is.
 *
 * Not to forget: what comes behind the end is only told of (`hasMore`), never read. Source: RFC 9112 6.3; RFC 9110 15.2
 * (interim answers).
 */
import { BodyParser, type BodySink, type Framing } from '../http1/message-body.ts'
import { ResponseHead } from './response-head.ts'

export interface ResponseSink extends BodySink {
  /** An interim answer (1xx) went by. */
  onInterim(): void
  onHead(head: ResponseHead): void
}

/** Bytes. */
const mostHead = 64 * 1024
/** Interim answers to one request: each would put off every time limit. */
const mostInformed = 100

/**
 * The last head that came over a connection: one that says the same word by word is not read again, and whoever notes
 * something on its list of headers finds it there.
 */
export class KnownHead {
  text = ''
  head: ResponseHead | undefined
}

/** Characters; a head that is longer will hardly come again. */
const mostKnown = 4 * 1024

const headEnd = Buffer.from('\r\n\r\n')

export class ResponseParser {
  /** Why the answer cannot be read any further. */
  problem: string | undefined
  /** Bytes came behind the end. */
  hasMore = false
  isOver = false
  readonly #sink: ResponseSink
  readonly #isHead: boolean
  readonly #known: KnownHead
  #head: ResponseHead | undefined
  /** A head that is not whole yet. */
  #text = ''
  #body: BodyParser | undefined
  #informed = 0

  /**
   * @param isHead  the answer is one to HEAD, and has no body whatever it says
   * @param known   of the connection
   */
  constructor(sink: ResponseSink, isHead: boolean, known = new KnownHead()) {
    this.#sink = sink
    this.#isHead = isHead
    this.#known = known
  }

  read(bytes: Buffer): void {
    let next = 0
    while (next < bytes.length && this.problem === undefined && !this.isOver)
      next = this.#body === undefined ? this.#readHead(bytes, next) : this.#readBody(this.#body, bytes, next)
    if (this.isOver && next < bytes.length) this.hasMore = true
  }

  /** The connection has ended in an orderly way. */
  end(): void {
    this.#body?.end()
    if (this.#body?.isOver === true) this.isOver = true
    else if (!this.isOver) this.problem ??= 'it ended before its end'
  }

  #readBody(body: BodyParser, bytes: Buffer, from: number): number {
    const next = body.read(bytes, from)
    this.problem = body.problem
    this.isOver = body.isOver
    return next
  }

  /** @returns where the head ends, or all that has come of it */
  #readHead(bytes: Buffer, from: number): number {
    const before = this.#text.length
    let isWhole = false
    let next = bytes.length
    if (before === 0) {
      const end = bytes.indexOf(headEnd, from)
      isWhole = end !== -1
      if (isWhole) next = end + headEnd.length
      this.#text = bytes.toString('latin1', from, next)
    } else {
      this.#text += bytes.toString('latin1', from, bytes.length)
      const end = this.#text.indexOf('\r\n\r\n', Math.max(0, before - 3))
      isWhole = end !== -1
      if (isWhole) this.#text = this.#text.slice(0, end + headEnd.length)
      next = from + this.#text.length - before
    }
    const { head: same, text } = this.#known
    if (isWhole && same !== undefined && this.#text === text) {
      this.#begin(same)
      return next
    }
    this.#head ??= new ResponseHead()
    const head = this.#head
    if (this.#text.length > mostHead) this.problem = 'a head that is too large'
    else if (head.read(this.#text, isWhole)) {
      // One that came in pieces is a part of a longer text, which would be held with it.
      if (before === 0) this.#remember(head)
      this.#begin(head)
    } else this.problem = head.problem
    return next
  }

  #remember(head: ResponseHead): void {
    if (head.status < 200 || this.#text.length > mostKnown) return
    this.#known.text = this.#text
    this.#known.head = head
  }

  #begin(head: ResponseHead): void {
    const { status } = head
    this.#text = ''
    if (status === 101) this.problem = 'another protocol, which nobody asked for'
    else if (status < 200) this.#inform(head)
    else {
      this.#sink.onHead(head)
      const framing: Framing = head.isChunked ? 'chunked' : (head.length ?? 'until the end')
      if (this.#isHead || status === 204 || status === 304 || framing === 0) {
        this.isOver = true
        this.#sink.onEnd()
      } else this.#body = new BodyParser(this.#sink, framing)
    }
  }

  /** Nothing that the client was promised. */
  #inform(head: ResponseHead): void {
    this.#head = undefined
    if (!head.isKept) this.problem = 'an interim answer that is the last one'
    else if (head.length !== undefined || head.isChunked) this.problem = 'an interim answer with a body'
    else if (++this.#informed > mostInformed) this.problem = 'interim answers without end'
    else this.#sink.onInterim()
  }
}
