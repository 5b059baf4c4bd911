/**
 * An answer over HTTP/2. Every call on a stream that is already gone throws, so each is guarded. Source: RFC 9113 8.1.
 */
import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2'
import type { Writable } from 'node:stream'
import { endInPieces, inOneWrite, OutgoingBody, type Progress, WholeBody } from './bodies.ts'
import { type HeaderList, headerValues, type Reply, withLength } from './exchange.ts'
import type { Tunnel } from './http2-tunnel.ts'

/** Names and values in turn, as Node takes them. */
function rawHead(status: number, id: string, headers: HeaderList): string[] {
  const raw = [':status', String(status), 'x-request-id', id]
  for (const [name, value] of headers) raw.push(name, value)
  return raw
}

export class Reply2 implements Reply {
  status: number | undefined
  /** Of an answer that goes out as it comes. */
  body: OutgoingBody | undefined
  progress: Progress | undefined
  /** Of a WebSocket that was accepted. */
  tunnel: Tunnel | undefined
  aborted = false
  /** END_STREAM goes out apart from the body. */
  endsApart = false
  readonly #stream: ServerHttp2Stream
  readonly #id: string
  readonly #method: string
  readonly #onEnd: () => void

  /**
   * @param method  as it came: of a WebSocket handshake CONNECT
   * @param onEnd   told when END_STREAM has gone out apart from the body
   */
  constructor(stream: ServerHttp2Stream, id: string, method: string, onEnd: () => void) {
    this.#stream = stream
    this.#id = id
    this.#method = method
    this.#onEnd = onEnd
  }

  get bytes(): number {
    return (this.tunnel ?? this.progress)?.bytes ?? 0
  }

  continue(): void {
    const { destroyed, closed, headersSent } = this.#stream
    if (!destroyed && !closed && !headersSent) this.#stream.additionalHeaders({ ':status': 100 })
  }

  head(status: number, headers: HeaderList): Writable {
    const isBodiless = this.#method === 'HEAD' || status === 204 || status === 304
    const [told] = isBodiless ? [] : headerValues(headers, 'content-length')
    const length = told === undefined ? undefined : Number(told)
    const sink = new OutgoingBody(this.#stream, clientLeft => this.#cut(!clientLeft), length)
    this.body = sink
    // Node ends a stream before it resets it, and a body that was cut would look whole. Where no length says better, the
    // end is sent by itself, once the body is out.
    const endsApart = !isBodiless && length === undefined
    this.#begin(status, headers, sink, { endStream: isBodiless, waitForTrailers: endsApart })
    return sink
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const isBodiless = status === 204 || status === 304
    const all = withLength(headers, isBodiless ? undefined : bytes.length)
    const isSilent = isBodiless || this.#method === 'HEAD' || bytes.length === 0
    if (!isSilent && bytes.length > inOneWrite) {
      endInPieces(this.head(status, all), bytes)
      return
    }
    const progress = new WholeBody(this.#stream, isSilent ? 0 : bytes.length)
    if (!this.#begin(status, all, progress, { endStream: isSilent, waitForTrailers: false }) || isSilent) return
    // In the same breath, so that head, body and end are one write.
    this.#stream.end(bytes)
  }

  /** The answer to a WebSocket handshake that was accepted; the stream is the tunnel's from now on. */
  open(headers: HeaderList, tunnel: Tunnel): void {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    this.status = 200
    this.tunnel = tunnel
    this.#stream.respond(rawHead(200, this.#id, headers))
  }

  /** @returns false: there is nobody to answer any more */
  #begin(wanted: number, headers: HeaderList, progress: Progress, how: ServerStreamResponseOptions): boolean {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    // RFC 8441 5: behind a 2xx the client would take a page for the frames of its WebSocket.
    const status = this.#method === 'CONNECT' && wanted < 300 ? 400 : wanted
    this.status = status
    this.progress = progress
    if (this.#stream.destroyed || this.#stream.closed) return false
    this.endsApart = how.waitForTrailers === true
    if (this.endsApart) this.#stream.on('wantTrailers', this.#sendEnd)
    this.#stream.respond(rawHead(status, this.#id, headers), how)
    return true
  }

  readonly #sendEnd = (): void => {
    if (this.#stream.destroyed || this.#stream.closed) return
    this.#stream.sendTrailers({})
    // Node sends them in its next turn, and not at all where the stream is closed by then.
    setImmediate(this.#onEnd)
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
      // RFC 8441 5: the end of a tunnel that was not orderly.
      this.#stream.close(this.tunnel === undefined ? constants.NGHTTP2_INTERNAL_ERROR : constants.NGHTTP2_CANCEL)
    }
    // Node would wait until a client that reads nothing has taken the reset, and the upstream with it.
    this.#stream.destroy()
  }
}
