/**
 * An answer over HTTP/2. Every call on a stream that is already gone throws, so each is guarded. Source: RFC 9113 8.1.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Writable } from 'node:stream'
import { OutgoingBody } from './bodies.ts'
import type { HeaderList, Reply } from './exchange.ts'
import { headerValues } from './exchange.ts'

/** Names with several values become a list. */
function toRecord(status: number, headers: HeaderList): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.assign(Object.create(null), { ':status': String(status) })
  for (const [name, value] of headers) {
    const earlier = record[name]
    record[name] = earlier === undefined ? value : [...[earlier].flat(), value]
  }
  return record
}

export class Reply2 implements Reply {
  status: number | undefined
  body: OutgoingBody | undefined
  aborted = false
  /** END_STREAM goes out apart from the body. */
  endsApart = false
  readonly #stream: ServerHttp2Stream
  readonly #method: string

  constructor(stream: ServerHttp2Stream, method: string) {
    this.#stream = stream
    this.#method = method
  }

  get bytes(): number {
    return this.body?.bytes ?? 0
  }

  continue(): void {
    const { destroyed, closed, headersSent } = this.#stream
    if (!destroyed && !closed && !headersSent) this.#stream.additionalHeaders({ ':status': 100 })
  }

  head(status: number, headers: HeaderList): Writable {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    this.status = status
    const sink = new OutgoingBody(this.#stream, clientLeft => this.#cut(!clientLeft))
    this.body = sink
    if (this.#stream.destroyed || this.#stream.closed) return sink
    const bodiless = this.#method === 'HEAD' || status === 204 || status === 304
    // Node ends a stream before it resets it, and a body that was cut would look whole. Where no length says better, the
    // end is sent by itself, once the body is out.
    this.endsApart = !bodiless && headerValues(headers, 'content-length').length === 0
    this.#stream.respond(toRecord(status, headers), { endStream: bodiless, waitForTrailers: this.endsApart })
    return sink
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const bodiless = status === 204 || status === 304
    const sink = this.head(status, bodiless ? headers : [...headers, ['content-length', String(bytes.length)]])
    if (bodiless || this.#method === 'HEAD' || bytes.length === 0) sink.end()
    else sink.end(bytes)
  }

  abort(): void {
    this.#cut(true)
  }

  #cut(byUs: boolean): void {
    // Gone already: then it was the client who went.
    if (this.#stream.destroyed) return
    // Closed and not destroyed: the client reset it without an error, and what is left of the answer has no end.
    if (!this.#stream.closed) {
      this.aborted = byUs
      this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    }
    // Node would wait until a client that reads nothing has taken the reset, and the upstream with it.
    this.#stream.destroy()
  }
}
