/**
 * A request of HTTP/1.1 that is under way: its body, its answer, and who is told how it ended.
 */
import { BodyParser, type BodySink, type Framing } from '../http1/message-body.ts'
import { Settleable } from '../kernel/outcome.ts'
import { Departure } from '../kernel/signal.ts'
import { IncomingBody, type Source } from './bodies.ts'
import type { Connection, Ending, Exchange } from './exchange.ts'
import { exchangeId } from './exchange-id.ts'
import type { RequestHead } from './http1-head.ts'
import { Reply1, type ReplyOwner } from './http1-reply.ts'
import { readRequest } from './http1-request.ts'

export interface AskedOwner extends ReplyOwner {
  readonly connection: Connection
  /** Somebody wants the body, or for now no more of it. */
  want(asked: Asked, isWanted: boolean): void
  /** The body is whole. */
  wholeIs(asked: Asked): void
}

export class Asked implements Source, BodySink {
  readonly exchange: Exchange
  readonly reply: Reply1
  readonly body: IncomingBody | undefined
  /** Undefined: there is none, or it is whole. */
  parser: BodyParser | undefined
  isBodyWanted = false
  readonly #owner: AskedOwner
  readonly #gone = new Departure()
  readonly #finished = new Settleable<Ending>()

  constructor(head: RequestHead, owner: AskedOwner) {
    const { length, isChunked } = head.fields
    const framing: Framing = isChunked ? 'chunked' : (length ?? 0)
    this.#owner = owner
    const id = exchangeId()
    this.reply = new Reply1(owner, id, head.method === 'HEAD')
    if (framing !== 0) {
      this.body = new IncomingBody(this)
      this.parser = new BodyParser(this, framing)
    }
    this.exchange = {
      id,
      startedAt: Date.now(),
      connection: owner.connection,
      request: readRequest(head, this.body),
      reply: this.reply,
      signal: this.#gone,
      finished: this.#finished,
    }
  }

  /** The client waits to be told to send its body, or may not do so: nobody can know whether it comes. */
  get isBodyDoubtful(): boolean {
    return this.parser !== undefined && this.exchange.request.expectsContinue && !this.reply.continued
  }

  /** The answer is out. */
  answered(): void {
    if (this.parser !== undefined) this.body?.destroy()
    this.#finished.settle('complete')
  }

  /** The connection is gone before that. */
  cut(): void {
    this.body?.cut()
    this.#gone.abort()
    this.reply.body?.destroy()
    this.#finished.settle(this.reply.aborted ? 'aborted' : 'client-gone')
  }

  begin(): void {
    this.#owner.want(this, true)
  }

  pause(): void {
    this.#owner.want(this, false)
  }

  resume(): void {
    this.#owner.want(this, true)
  }

  onData(bytes: Buffer): void {
    this.body?.receive(bytes)
  }

  onEnd(): void {
    this.parser = undefined
    this.body?.finish()
    this.#owner.wholeIs(this)
  }
}
