/**
 * An answer over HTTP/1.1. Source: RFC 9112 9.6.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Writable } from 'node:stream'
import { endInPieces, inOneWrite, OutgoingBody, type Progress, WholeBody } from './bodies.ts'
import { type HeaderList, type Reply, withLength } from './exchange.ts'
import { flat } from './http1-request.ts'

/** Bytes that a client may still send after it was answered early; the connection is cut at the first read behind them. */
const lingering = 512 * 1024
/** Bytes of a body that are worth a copy, so that head and body are one text and one write. */
const inOneText = 16 * 1024

export class Reply1 implements Reply {
  status: number | undefined
  /** Of an answer that goes out as it comes. */
  body: OutgoingBody | undefined
  progress: Progress | undefined
  aborted = false
  /** The connection ends behind this answer. */
  last = false
  /** The client was told to send its body. */
  continued = false
  readonly #message: IncomingMessage
  readonly #response: ServerResponse
  readonly #isLeaving: () => boolean

  constructor(message: IncomingMessage, response: ServerResponse, isLeaving: () => boolean) {
    this.#message = message
    this.#response = response
    this.#isLeaving = isLeaving
  }

  get bytes(): number {
    return this.progress?.bytes ?? 0
  }

  continue(): void {
    this.continued = true
    if (!this.#response.destroyed && !this.#response.headersSent) this.#response.writeContinue()
  }

  head(status: number, headers: HeaderList): Writable {
    const response = this.#response
    const sink = new OutgoingBody(response, clientLeft => this.#cut(!clientLeft))
    this.body = sink
    if (!this.#begin(status, flat(headers), sink)) return sink
    // Node holds the head back until a byte of the body comes, which may take its time.
    setImmediate(() => {
      if (!response.destroyed && !response.writableEnded) response.flushHeaders()
    })
    return sink
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const isBodiless = status === 204 || status === 304
    const all = withLength(headers, isBodiless ? undefined : bytes.length)
    const isSilent = isBodiless || this.#message.method === 'HEAD' || bytes.length === 0
    if (!isSilent && bytes.length > inOneWrite) {
      endInPieces(this.head(status, all), bytes)
      return
    }
    const response = this.#response
    if (!this.#begin(status, flat(all), new WholeBody(response, isSilent ? 0 : bytes.length))) return
    if (isSilent) response.end()
    else if (bytes.length > inOneText) response.end(bytes)
    // Node makes one text of a head and a body that is one; of a buffer it makes two writes.
    else response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), 'latin1')
  }

  /** @returns false: there is nobody to answer any more */
  #begin(status: number, headers: string[], progress: Progress): boolean {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    this.status = status
    this.progress = progress
    const response = this.#response
    if (response.destroyed) return false
    if (this.last || this.#isLeaving()) response.shouldKeepAlive = false
    response.writeHead(status, STATUS_CODES[status] ?? '', headers)
    if (!this.#message.complete) this.#linger()
    return true
  }

  abort(): void {
    this.#cut(true)
  }

  #cut(byUs: boolean): void {
    // Gone already: then it was the client who went.
    if (this.#response.destroyed) return
    this.aborted = byUs
    this.#response.destroy()
    // One that waits behind others has no socket yet: it would take the place of all that come behind it, and never end.
    this.#message.socket.destroy()
  }

  /** An answer that comes before the body was read: a little is swallowed, so that the client gets to read the answer. */
  #linger(): void {
    const { socket } = this.#message
    const from = socket.bytesRead
    this.#response.once('finish', () => {
      if (this.#message.complete) return
      const patience = setTimeout(() => socket.destroy(), 5_000).unref()
      const isEnough = () => socket.bytesRead - from > lingering && socket.destroy()
      const over = () => {
        clearTimeout(patience)
        socket.off('data', isEnough).off('close', over)
      }
      this.#message.once('close', over).resume()
      socket.once('close', over)
      // Node tells of no more data of the message once the answer is out; what the socket reads it does tell. With somebody who
      // listens to that, it lets go of the parser, which has to have begun to read again before.
      setImmediate(() => {
        if (!this.#message.complete && !socket.destroyed) socket.on('data', isEnough)
      })
    })
  }
}
