/**
 * A WebSocket handshake over HTTP/2 (extended CONNECT) as the exchange that it would be over HTTP/1.1, whose answer may be a
 * tunnel: the rest of its stream, both ways.
 *
 * Nothing of it is read before it was accepted. Not to forget: END_STREAM is the end of a connection, and a stream that
 * is cut is reset with CANCEL, so that nobody takes it for one that has ended. Source: RFC 8441 5; RFC 6455 4.
 */
import { randomBytes } from 'node:crypto'
import type { ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import { ClientGone } from './bodies.ts'
import type { ExchangeRequest, Header, HeaderList, UpgradeExchange } from './exchange.ts'
import { headerValues } from './exchange.ts'
import type { Reply2 } from './http2-reply.ts'

/** Over HTTP/2 there is no key, and nothing to name in Connection: what a client says there is not what it asked. */
const ofHttp1 = new Set(['sec-websocket-key', 'sec-websocket-accept', 'connection', 'upgrade'])

/**
 * The handshake as one over HTTP/1.1, with a key of our own: the upstream speaks nothing else.
 *
 * @param isWhole  the stream has been ended with its head
 */
export function asHandshake(request: ExchangeRequest, isWhole: boolean): ExchangeRequest {
  const headers: Header[] = request.headers.filter(([name]) => !ofHttp1.has(name))
  headers.push(
    ['connection', 'Upgrade'],
    ['upgrade', 'websocket'],
    ['sec-websocket-key', randomBytes(16).toString('base64')],
  )
  const malformed = isWhole
    ? 'a WebSocket that ends before it begins'
    : headerValues(headers, 'content-length').length > 0
      ? 'a WebSocket handshake has no body'
      : undefined
  return {
    ...request,
    ...{ method: 'GET', headers, body: undefined, length: undefined, expectsContinue: false },
    malformed: request.malformed ?? malformed,
  }
}

/** What is said to the client: its key is not answered, and a tunnel has no length. */
const accepting = (headers: HeaderList): HeaderList =>
  headers.filter(([name]) => !ofHttp1.has(name) && name !== 'content-length')

export const upgradeOf = (stream: ServerHttp2Stream, reply: Reply2): UpgradeExchange['upgrade'] => ({
  early: Buffer.alloc(0),
  accept(headers) {
    const tunnel = new Tunnel(stream, () => reply.abort())
    if (stream.destroyed || stream.closed) tunnel.destroy()
    else reply.open(accepting(headers), tunnel)
    return tunnel
  },
})

/** A stream as the raw connection that a WebSocket has over HTTP/1.1. */
export class Tunnel extends Duplex {
  /** That went to the client. */
  bytes = 0
  readonly #stream: ServerHttp2Stream
  readonly #cut: () => void

  constructor(stream: ServerHttp2Stream, cut: () => void) {
    super({ allowHalfOpen: true })
    this.#stream = stream
    this.#cut = cut
    stream.on('data', (chunk: Buffer) => this.push(chunk) || stream.pause())
    stream.once('end', () => this.push(null))
    stream.once('close', () => this.destroy())
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#isGone) done(new ClientGone())
    else
      this.#stream.write(chunk, error => {
        this.bytes += chunk.length
        done(error ? new ClientGone() : null)
      })
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#isGone) done(new ClientGone())
    else this.#stream.end(() => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Both ends of it are said: the stream closes by itself.
    if (!this.readableEnded || !this.writableFinished) this.#cut()
    done(error instanceof ClientGone ? null : error)
  }

  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }
}
