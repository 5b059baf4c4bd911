/**
 * One connection of HTTP/1.1: requests one after the other, each with its answer.
 *
 * The next request is read when the answer before it is out, so that nothing is answered out of turn, and whoever asks for
 * much at once is not served before others. Not to forget: behind whatever is not certain to be the end of a request, nothing
 * is read any more (RFC 9112 6.3, 9.6).
 */
import type { Socket } from 'node:net'
import type { Limits } from '../config/listener.ts'
import type { Member } from '../kernel/members.ts'
import type { Take } from './engine.ts'
import type { Connection } from './exchange.ts'
import { HeldReading } from './held-reading.ts'
import { Asked, type AskedOwner } from './http1-asked.ts'
import { HeadReader, type RequestHead } from './http1-head.ts'
import { readRequest } from './http1-request.ts'
import { upgradeOf } from './http1-upgrade.ts'
import { sayStatus } from './last-words.ts'

export interface Http1Terms {
  readonly take: Take
  readonly limits: Limits
  /** Each answer is the last of its connection. */
  readonly isLeaving: boolean
  /** The end of a head that is not the last. */
  readonly kept: string
  /** Milliseconds, as of the last look at all connections. */
  readonly now: number
}

/** What a client may still send after it was answered early: bytes, and milliseconds. */
const [lingering, patience] = [512 * 1024, 5_000]
/** Milliseconds that one who never says anything has besides; and one who was told how long it may stay quiet. */
const [silence, grace] = [2_000, 1_000]

export class ClientConnection extends HeldReading implements Member, AskedOwner {
  at = -1
  readonly connection: Connection
  readonly #terms: Http1Terms
  readonly #reader: HeadReader
  /** Under way. */
  #asked: Asked | undefined
  /** Was answered before its body had come, which nobody wants any more. */
  #swallowing: Asked | undefined
  #swallowed = 0
  /** The answer that is under way, or was, is the last one. */
  #mustEnd = false
  #isHandedOver = false
  #hasAsked = false
  /** Since when it says nothing, or only a part of a head, or the rest of a body that nobody wants. */
  #since: number

  constructor(socket: Socket, connection: Connection, terms: Http1Terms) {
    super(socket)
    this.connection = connection
    this.#terms = terms
    this.#reader = new HeadReader(terms.limits)
    this.#since = terms.now
    socket.on('error', () => undefined) // told by 'close'
    socket.once('close', this.#onClose)
  }

  get mayGoOn(): boolean {
    return !this.#mustEnd && !this.#terms.isLeaving && this.#asked?.isBodyDoubtful !== true
  }

  get kept(): string {
    return this.#terms.kept
  }

  /** Nothing is under way, and nothing has begun. */
  get isIdle(): boolean {
    const isBusy = this.#asked !== undefined || this.#swallowing !== undefined || this.hasAhead
    return !isBusy && !this.isOver && !this.#reader.isWithin
  }

  /** Called again and again: who takes too long is cut. */
  look(): void {
    const waited = this.#terms.now - this.#since
    const { headers, keepAlive } = this.#terms.limits
    if (this.#asked !== undefined) {
      // Its pace is watched. But of one that has sent too much ahead nobody sees any more whether it is still there.
      if (this.isOverfull && waited > headers) this.#cut('more than one request, which waits for no answer')
    } else if (this.#isHandedOver) return
    else if (this.#swallowing !== undefined || this.isOver) {
      if (waited > patience) this.socket.destroy()
    } else if (this.#reader.isWithin) {
      if (waited > headers) this.#refuse(408, 'the head of a request took too long')
    } else if (waited > (this.#hasAsked ? keepAlive + grace : headers + silence)) this.socket.destroy()
    else if (waited > grace) this.#reader.forget()
  }

  protected override step(bytes: Buffer, at: number): number | undefined {
    const asked = this.#asked
    if (this.#swallowing !== undefined) return this.#swallow(this.#swallowing, bytes, at)
    if (asked === undefined) return this.#readHead(bytes, at)
    return asked.parser !== undefined && asked.isBodyWanted ? this.#readBody(asked, bytes, at) : undefined
  }

  protected override get isBodyWaiting(): boolean {
    return this.#asked?.parser !== undefined
  }

  protected override overfull(): void {
    this.#since = this.#terms.now
  }

  #readBody(asked: Asked, bytes: Buffer, from: number): number {
    const { parser } = asked
    if (parser === undefined) return from
    const next = parser.read(bytes, from)
    if (parser.problem === undefined) return next
    this.#cut(parser.problem)
    return bytes.length
  }

  #swallow(asked: Asked, bytes: Buffer, from: number): number {
    const next = this.#readBody(asked, bytes, from)
    this.#swallowed += next - from
    if (this.#swallowed <= lingering) return next
    this.end()
    this.socket.destroy()
    return bytes.length
  }

  want(asked: Asked, isWanted: boolean): void {
    // Whoever reads the body of a request that was answered has no say in the next one.
    if (asked !== this.#asked || asked.isBodyWanted === isWanted) return
    asked.isBodyWanted = isWanted
    if (isWanted) this.goOn()
    else if (asked.parser !== undefined) this.socket.pause()
  }

  wholeIs(asked: Asked): void {
    // Whoever read it may have been slow at the end: else nobody would see that the client goes.
    if (asked === this.#asked) this.goOn()
    if (asked !== this.#swallowing) return
    this.#swallowing = undefined
    this.#rest()
  }

  #readHead(bytes: Buffer, from: number): number {
    const reader = this.#reader
    const hadBegun = reader.isWithin
    const head = reader.read(bytes, from)
    if (head !== undefined) this.#ask(head, bytes)
    else if (reader.problem !== undefined) this.#refuse(reader.problem.status, reader.problem.why)
    else if (!hadBegun && reader.isWithin) this.#since = this.#terms.now
    return reader.next
  }

  #ask(head: RequestHead, bytes: Buffer): void {
    this.#hasAsked = true
    const { method, fields, facts } = head
    if (method === 'CONNECT') return void this.#sayLast(405)
    if (facts.expects === 'other') return void this.#sayLast(417)
    if (facts.upgrade === 'websocket' && method === 'GET') return void this.#upgrade(head, bytes)
    const asked = new Asked(head, this)
    const { exchange, body, reply } = asked
    this.#mustEnd = exchange.request.malformed !== undefined || !fields.isKept || facts.upgrade !== undefined
    this.#asked = asked
    this.#terms.take.exchange(exchange, () => [body, reply])
  }

  #upgrade(head: RequestHead, bytes: Buffer): void {
    this.#isHandedOver = true
    this.handOver()
    const { socket, connection } = this
    const { take, limits } = this.#terms
    const early = bytes.subarray(this.#reader.next)
    take.upgrade(upgradeOf(readRequest(head, undefined), socket, early, connection, limits.idle))
  }

  answered(): void {
    const asked = this.#asked
    if (asked === undefined) return
    // As the client was told: it may have sent its next request on that.
    this.#mustEnd = asked.reply.isLast
    this.#asked = undefined
    if (asked.parser !== undefined) {
      this.#swallowing = asked
      this.#swallowed = 0
      this.#since = this.#terms.now
    }
    asked.answered()
    if (this.#swallowing === undefined) return void this.#rest()
    if (this.#mustEnd) this.socket.end()
    this.goOn() // a reset would take the answer along
  }

  /** Nothing is under way. */
  #rest(): void {
    this.#since = this.#terms.now
    if (this.#mustEnd) {
      this.end()
      this.socket.end()
    }
    this.goOn()
  }

  #refuse(status: number, why: string): void {
    this.#sayLast(status)
    this.#terms.take.malformed(this.connection, why)
  }

  /** In the middle of an answer, a 400 would pass for more of its body. */
  #cut(why: string): void {
    this.end()
    this.#terms.take.malformed(this.connection, why)
    this.socket.destroy()
  }

  #sayLast(status: number): void {
    this.end()
    sayStatus(this.socket, status)
  }

  readonly #onClose = (): void => {
    this.end()
    const asked = this.#asked
    this.#asked = undefined
    this.#swallowing = undefined
    asked?.cut()
  }
}
