/**
 * An answer over HTTP/1.1, written by ourselves: its head, and a body by length or in chunks.
 *
 * Source: RFC 9112 6.3, 7.1, 9.6; RFC 9110 6.6.1 (Date), 8.6, 15.2.1.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { endInPieces, inOneWrite, OutgoingBody, type Progress, type Sink } from './bodies.ts'
import { type HeaderList, type Reply, withLength } from './exchange.ts'

/** Bytes of a body that are worth a copy, so that head and body are one text and one write. */
const inOneText = 16 * 1024
/** With the head in front of it one record of TLS: Node copies whatever it writes together with something else. */
const firstPiece = 15 * 1024
/** Larger ones are hardly cheaper, and a client that takes less than one in `idle` (120 s: 1.1 KB a second) seems to stand still. */
const piece = 128 * 1024

export interface ReplyOwner {
  readonly socket: Socket
  /** Another request may come behind this answer. */
  readonly mayGoOn: boolean
  /** The end of a head that says so. */
  readonly kept: string
  /** It is out. */
  answered(): void
}

/** Whatever made the header: nothing in it can end its line, and no character becomes another one on the way. */
const odd = /[^\t\x20-\x7e\x80-\xff]/

/** What the headers of an answer are as text: on the list itself, which may be that of many answers. */
const noted = Symbol('as lines')
interface Lines {
  /** All but the length. */
  readonly text: string
  readonly length: string | undefined
  readonly isDated: boolean
}

function linesOf(headers: HeaderList & { [noted]?: Lines }): Lines {
  headers[noted] ??= readLines(headers)
  return headers[noted]
}

function readLines(headers: HeaderList): Lines {
  const lines: string[] = []
  let isDated = false
  let length: string | undefined
  for (const [name, value] of headers) {
    const line = `${name}: ${value}`
    if (odd.test(line)) throw new TypeError(`a header that no answer may have: ${JSON.stringify(name)}`)
    if (name === 'date') isDated = true
    if (name === 'content-length') length = value
    else lines.push(`${line}\r\n`)
  }
  // In one piece: it is copied into each answer.
  return { text: lines.join(''), length, isDated }
}

const date = { second: Number.NaN, line: '' }
/** The header that every answer has, its own or ours; ours is made once in a second. */
function dateLine(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== date.second) {
    date.second = second
    date.line = `Date: ${new Date(second * 1000).toUTCString()}\r\n`
  }
  return date.line
}

export class Reply1 implements Reply, Progress, Sink {
  status: number | undefined
  /** Of an answer that goes out as it comes. */
  body: OutgoingBody | undefined
  aborted = false
  /** The client was told to send its body. */
  continued = false
  /** It told the client that the connection ends behind it. */
  isLast = false
  /** All of it is out. */
  isComplete = false
  writableEnded = false
  readonly #owner: ReplyOwner
  readonly #id: string
  readonly #isHead: boolean
  /** Of a body that is known whole. */
  #length = 0
  #isWaiting = false
  #isBodiless = false
  #isChunked = false
  /** The head goes out together with the first piece of the body. */
  #head = ''

  constructor(owner: ReplyOwner, id: string, isHead: boolean) {
    this.#owner = owner
    this.#id = id
    this.#isHead = isHead
  }

  get bytes(): number {
    return this.body?.bytes ?? (this.isComplete ? this.#length : 0)
  }

  get waiting(): boolean {
    return this.body?.waiting ?? this.#isWaiting
  }

  get destroyed(): boolean {
    return this.#owner.socket.destroyed
  }

  continue(): void {
    if (this.destroyed || this.status !== undefined) return
    this.continued = true
    this.#owner.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
  }

  head(status: number, headers: HeaderList): Writable {
    const lines = linesOf(headers)
    const told = lines.length
    this.#isBodiless = this.#isHead || status === 204 || status === 304
    this.#isChunked = !this.#isBodiless && told === undefined
    const length = this.#isBodiless || told === undefined ? undefined : Number(told)
    this.body = new OutgoingBody(this, clientLeft => this.#cut(!clientLeft), length)
    this.#head = this.#begin(status, lines, told)
    // The first byte of the body may take its time.
    setImmediate(() => this.#flush())
    return this.body
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const mayHaveBody = status !== 204 && status !== 304
    const isSilent = !mayHaveBody || this.#isHead
    if (!isSilent && bytes.length > inOneWrite) {
      endInPieces(this.head(status, withLength(headers, bytes.length)), bytes, firstPiece, piece)
      return
    }
    const head = this.#begin(status, linesOf(headers), mayHaveBody ? bytes.length : undefined)
    if (this.destroyed) return
    this.writableEnded = true
    this.#isWaiting = true
    const { socket } = this.#owner
    this.#length = isSilent ? 0 : bytes.length
    if (this.#length <= inOneText) {
      const text =
        this.#length === 0 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
      socket.write(head + text, 'latin1', this.#written)
      return
    }
    socket.cork()
    socket.write(head, 'latin1')
    socket.write(bytes, this.#written)
    socket.uncork()
  }

  abort(): void {
    this.#cut(true)
  }

  write(chunk: Buffer, written: (error?: Error | null) => void): void {
    if (this.#isBodiless) {
      process.nextTick(written)
      return
    }
    const { socket } = this.#owner
    if (this.#head === '' && !this.#isChunked) {
      socket.write(chunk, written)
      return
    }
    const size = this.#isChunked ? `${chunk.length.toString(16)}\r\n` : ''
    socket.cork()
    socket.write(this.#takeHead() + size, 'latin1')
    if (this.#isChunked) {
      socket.write(chunk)
      socket.write('\r\n', 'latin1', written)
    } else socket.write(chunk, written)
    socket.uncork()
  }

  end(done: (error?: Error | null) => void): void
  end(last: Buffer, done: (error?: Error | null) => void): void
  end(last: Buffer | ((error?: Error | null) => void), done?: (error?: Error | null) => void): void {
    this.writableEnded = true
    const told = typeof last === 'function' ? last : done
    const ended = (error?: Error | null) => {
      told?.(error)
      this.#written(error)
    }
    const rest = typeof last === 'function' ? this.#takeHead() + (this.#isChunked ? '0\r\n\r\n' : '') : ''
    if (typeof last !== 'function') this.write(last, ended)
    else if (rest === '') process.nextTick(ended)
    else this.#owner.socket.write(rest, 'latin1', ended)
  }

  readonly #written = (error?: Error | null): void => {
    this.#isWaiting = false
    if (error || this.aborted || this.isComplete) return // told by 'close', or said before
    this.isComplete = true
    this.#owner.answered()
  }

  #takeHead(): string {
    const head = this.#head
    this.#head = ''
    return head
  }

  #flush(): void {
    if (this.#head !== '' && !this.destroyed) this.#owner.socket.write(this.#takeHead(), 'latin1')
  }

  #begin(status: number, { text, isDated }: Lines, length: string | number | undefined): string {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    this.status = status
    const { mayGoOn, kept } = this.#owner
    this.isLast = !mayGoOn
    const framing = this.#isChunked
      ? 'Transfer-Encoding: chunked\r\n'
      : length === undefined
        ? ''
        : `Content-Length: ${length}\r\n`
    const ours = `X-Request-Id: ${this.#id}\r\n${isDated ? '' : dateLine()}${mayGoOn ? kept : 'Connection: close\r\n\r\n'}`
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${text}${framing}${ours}`
  }

  #cut(byUs: boolean): void {
    // Gone already: then it was the client who went.
    if (this.destroyed || this.isComplete) return
    this.aborted = byUs
    this.#owner.socket.destroy()
  }
}
