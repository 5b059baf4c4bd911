/**
 * An answer over HTTP/1.1. Source: RFC 9112 9.6.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Writable } from 'node:stream'
import { OutgoingBody } from './bodies.ts'
import type { HeaderList, Reply } from './exchange.ts'
import { flat } from './http1-request.ts'

/** Bytes that a client may still send after it was answered early, before the connection is cut. */
const lingering = 512 * 1024

export class Reply1 implements Reply {
  status: number | undefined
  body: OutgoingBody | undefined
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
    return this.body?.bytes ?? 0
  }

  continue(): void {
    this.continued = true
    if (!this.#response.destroyed && !this.#response.headersSent) this.#response.writeContinue()
  }

  head(status: number, headers: HeaderList): Writable {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    this.status = status
    const response = this.#response
    const sink = new OutgoingBody(response, clientLeft => this.#cut(!clientLeft))
    this.body = sink
    if (response.destroyed) return sink
    if (this.last || this.#isLeaving()) response.shouldKeepAlive = false
    response.writeHead(status, STATUS_CODES[status] ?? '', flat(headers))
    if (!this.#message.complete) this.#linger()
    // Node holds the head back until a byte of the body comes, which may take its time.
    setImmediate(() => {
      if (!response.destroyed && !response.writableEnded) response.flushHeaders()
    })
    return sink
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const bodiless = status === 204 || status === 304
    const sink = this.head(status, bodiless ? headers : [...headers, ['content-length', String(bytes.length)]])
    if (bodiless || this.#message.method === 'HEAD' || bytes.length === 0) sink.end()
    else sink.end(bytes)
  }

  abort(): void {
    this.#cut(true)
  }

  #cut(byUs: boolean): void {
    // Gone already: then it was the client who went.
    if (this.#response.destroyed) return
    this.aborted = byUs
    this.#response.destroy()
  }

  /** An answer that comes before the body was read: a little is swallowed, so that the client gets to read the answer. */
  #linger(): void {
    const { socket } = this.#message
    const from = socket.bytesRead
    this.#response.once('finish', () => {
      if (this.#message.complete) return
      const cut = setTimeout(() => socket.destroy(), 5_000).unref()
      this.#message.on('data', () => {
        if (socket.bytesRead - from > lingering) socket.destroy()
      })
      this.#message.once('close', () => clearTimeout(cut))
      this.#message.resume()
    })
  }
}
