/**
 * One request and its answer, from the turn that it was given to the last byte, on one connection.
 *
 * The connection is used again only when the request was written to its end, the answer was read to its end, and nothing
 * came behind it. An answer may come before the request is written: it is passed on, the rest of the body stays here,
 * and the connection ends.
 */
import { type BodySource, UpstreamBody } from './body.ts'
import { NotSent, upstreamFault } from './failure.ts'
import { gone } from './http-client.ts'
import type { Http1Connection } from './http1-connection.ts'
import { type BodyOwner, RequestBody } from './request-body.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'
import type { ResponseSink } from './response-parser.ts'
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts'

export interface CallOwner {
  readonly name: string
  /** The call wants a connection now. */
  onReady(call: Http1Call): void
  /** The connection may be used again. @param head  of the answer that was read */
  onFree(connection: Http1Connection, head: ResponseHead): void
  /** Counted up in steps of equal time. */
  readonly tick: number
}

export interface Settled {
  resolve(answer: UpstreamResponse): void
  reject(error: Error): void
  ended(): void
}

const bodiless = (status: number) => status === 204 || status === 304

export class Http1Call implements ResponseSink, BodySource, BodyOwner {
  readonly request: UpstreamRequest
  isOver = false
  /** When the upstream was last seen to do something, by the owner's tick. */
  since = 0
  readonly #owner: CallOwner
  readonly #settled: Settled
  readonly #requestHead: RequestHead
  readonly #sending: RequestBody | undefined
  #connection: Http1Connection | undefined
  #isSent = false
  #isLast = false
  #isPaused = false
  #isWhole = false
  #head: ResponseHead | undefined
  /** What came of the body with the head: to be used before the read is over. */
  readonly #pieces: Buffer[] = []
  #body: UpstreamBody | undefined

  constructor(request: UpstreamRequest, head: RequestHead, owner: CallOwner, settled: Settled) {
    this.request = request
    this.#requestHead = head
    this.#owner = owner
    this.#settled = settled
    if (request.body !== undefined) this.#sending = new RequestBody(request.body, head.length, this)
  }

  start(): void {
    this.request.signal.addEventListener('abort', this)
    if (this.#sending === undefined) this.onReady()
    else this.#sending.start()
  }

  /** The client went. */
  handleEvent(): void {
    this.fail(gone(this.request.signal))
  }

  /** @param isOld  the connection is closed behind this one */
  begin(connection: Http1Connection, isOld: boolean): void {
    const { method } = this.request
    const { start, fields, expectsBody } = this.#requestHead
    // A server that forgets that HEAD has no body, or that this method may have one, must not spoil the next request.
    this.#isLast = isOld || method === 'HEAD' || (this.#sending !== undefined && !expectsBody)
    this.#connection = connection
    this.since = this.#owner.tick
    connection.begin(this, method === 'HEAD')
    const head = `${start}connection: ${this.#isLast ? 'close' : 'keep-alive'}\r\n${fields}`
    if (this.#sending !== undefined) return void this.#sending.begin(connection.socket, head, this.#requestHead)
    this.#isSent = true
    connection.socket.write(`${head}${expectsBody ? 'content-length: 0\r\n' : ''}\r\n`, 'latin1')
  }

  /** Whether it is the upstream that keeps us waiting. */
  get isWaiting(): boolean {
    if (this.#isPaused || this.#connection === undefined) return false
    return this.#hasSent || this.#connection.socket.writableNeedDrain
  }

  get isUnanswered(): boolean {
    return this.#head === undefined
  }

  get #hasSent(): boolean {
    return this.#sending?.isSent ?? this.#isSent
  }

  onReady(): void {
    this.#owner.onReady(this)
  }

  onProgress(): void {
    this.since = this.#owner.tick
  }

  onBroken(error: Error): void {
    this.fail(error)
  }

  onInterim(): void {
    this.since = this.#owner.tick
  }

  onHead(head: ResponseHead): void {
    this.#head = head
    this.since = this.#owner.tick
  }

  onData(bytes: Buffer): void {
    if (this.isOver) return
    this.since = this.#owner.tick
    if (this.#body === undefined) this.#pieces.push(bytes)
    else this.#receive(this.#body, bytes)
  }

  onEnd(): void {
    this.#isWhole = true
  }

  /** A read is over: what came with it is told in one go. */
  settle(): void {
    const head = this.#head
    if (this.isOver || head === undefined) return
    if (this.#isWhole) return void this.#complete(head)
    if (this.#body !== undefined) return
    const body = new UpstreamBody(this)
    this.#body = body
    for (const piece of this.#pieces.splice(0)) this.#receive(body, piece)
    this.#settled.resolve(this.#answer(head, body))
  }

  fail(error: Error): void {
    if (this.isOver) return
    this.#leave()
    this.#sending?.stop()
    this.#connection?.close()
    if (this.#body === undefined) return void this.#settled.reject(error)
    const { signal } = this.request
    this.#body.break(signal.aborted ? gone(signal) : upstreamFault(error, `${this.#owner.name}, while answering`))
    this.#settled.ended()
  }

  /** There is no connection to be had. */
  unreached(error: Error): void {
    if (this.isOver) return
    this.#leave()
    this.#settled.reject(new NotSent(error, this.#sending?.giveBack()))
  }

  resume(): void {
    if (!this.#isPaused || this.isOver) return
    this.#isPaused = false
    this.since = this.#owner.tick
    this.#connection?.socket.resume()
  }

  abort(reason: Error): void {
    this.fail(reason)
  }

  #leave(): void {
    this.isOver = true
    this.request.signal.removeEventListener('abort', this)
  }

  #receive(body: UpstreamBody, bytes: Buffer): void {
    const connection = this.#connection
    if (connection === undefined || body.receive(bytes, connection.buffers.lend) || this.isOver) return
    this.#isPaused = true
    connection.socket.pause()
  }

  #endsWithConnection({ status, length, isChunked }: ResponseHead): boolean {
    return length === undefined && !isChunked && !bodiless(status) && this.request.method !== 'HEAD'
  }

  #answer(head: ResponseHead, body: UpstreamResponse['body']): UpstreamResponse {
    return { status: head.status, headers: head.headers, closeDelimited: this.#endsWithConnection(head), body }
  }

  #complete(head: ResponseHead): void {
    this.#leave()
    const connection = this.#connection
    // A server that announces a body where there is none may also send it.
    const isOdd = bodiless(head.status) && (head.isChunked || (head.length ?? 0) > 0)
    const isKept = head.isKept && !this.#isLast && this.#hasSent && !isOdd && !this.#endsWithConnection(head)
    if (!this.#hasSent) this.#sending?.stop()
    if (connection !== undefined) {
      if (isKept && connection.isClean) this.#owner.onFree(connection, head)
      else connection.close()
    }
    this.#settled.ended()
    if (this.#body !== undefined) this.#body.finish()
    // A copy: it is no larger than one read.
    else this.#settled.resolve(this.#answer(head, Buffer.concat(this.#pieces)))
  }
}
