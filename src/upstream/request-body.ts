/**
 * The body of a request on its way to the upstream: head and first bytes in one write, no faster than the upstream takes
 * it, and exactly as long as it was announced.
 *
 * It asks for a connection when its first bytes are there: one that was chosen before may be closed by then. Not to
 * forget: a body that is not whole leaves half a request behind, whose rest would be the next one's.
 *
 * Source: RFC 9112 6.2, 7.1.
 */
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { RequestHead } from './request-head.ts'

export interface BodyOwner {
  /** There are bytes, or none will come: now `begin` is called when there is a connection. */
  onReady(): void
  /** The upstream took something, or was given all there is. */
  onProgress(): void
  onBroken(error: Error): void
}

export class RequestBody {
  /** All of it was handed to the connection. */
  isSent = false
  readonly #body: Readable
  readonly #owner: BodyOwner
  readonly #length: number | undefined
  #socket: Socket | undefined
  /** The framing begins with the first bytes; undefined then. */
  #head: string | undefined
  #first: Buffer | undefined
  #isReady = false
  #isEnded = false
  #isOver = false
  #count = 0

  /** @param length  bytes, if they are announced */
  constructor(body: Readable, length: number | undefined, owner: BodyOwner) {
    this.#body = body
    this.#owner = owner
    this.#length = length
  }

  start(): void {
    const body = this.#body
    if (body.readableEnded) return void this.#onEnd()
    if (body.destroyed) return void this.#onClose()
    body.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose).resume()
  }

  /** @param start  the head as far as nothing frames the body */
  begin(socket: Socket, start: string, { expectsBody }: Pick<RequestHead, 'expectsBody'>): void {
    this.#socket = socket
    this.#head = start
    socket.on('drain', this.#onDrain)
    if (this.#first !== undefined) this.#write(this.#first)
    else socket.write(`${start}${expectsBody ? 'content-length: 0\r\n' : ''}\r\n`, 'latin1')
    this.#first = undefined
    if (this.#isEnded) this.#finish()
    else if (!socket.writableNeedDrain) this.#body.resume()
  }

  /** Nobody takes any more of it. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket?.off('drain', this.#onDrain)
    const body = this.#body
    body.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    // Its errors go on having somebody who hears them.
    body.destroy()
  }

  /** Nothing of it has gone out: all of it, for another try. */
  giveBack(): Readable {
    this.#isOver = true
    const body = this.#body.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).pause()
    const first = this.#first
    if (first === undefined) return body
    // What was read cannot be put back behind the end, and whoever counts it would count it twice.
    return Readable.from(wholeOf(first, this.#isEnded ? undefined : body), { objectMode: false })
  }

  #ready(): void {
    if (this.#isReady) return
    this.#isReady = true
    this.#owner.onReady()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver || chunk.length === 0) return
    if (this.#socket === undefined) {
      this.#first = this.#first === undefined ? chunk : Buffer.concat([this.#first, chunk])
      this.#body.pause()
      this.#ready()
    } else {
      this.#write(chunk)
      if (this.#socket.writableNeedDrain) this.#body.pause()
    }
  }

  readonly #onEnd = (): void => {
    this.#isEnded = true
    if (this.#isOver) return
    if (this.#length !== undefined && this.#first === undefined && this.#count !== this.#length)
      return void this.#break('shorter')
    if (this.#socket !== undefined) this.#finish()
    else this.#ready()
  }

  readonly #onError = (error: Error): void => {
    if (!this.#isOver) this.#owner.onBroken(error)
  }

  readonly #onClose = (): void => {
    if (!this.#isOver && !this.#isEnded)
      this.#owner.onBroken(this.#body.errored ?? new Error('the body of the request broke off'))
  }

  readonly #onDrain = (): void => {
    this.#owner.onProgress()
    this.#body.resume()
  }

  #break(how: string): void {
    this.#owner.onBroken(new Error(`the body of the request is ${how} than announced`))
  }

  #write(chunk: Buffer): void {
    const socket = this.#socket
    if (socket === undefined) return
    this.#count += chunk.length
    if (this.#length !== undefined && this.#count > this.#length) return void this.#break('longer')
    const head = this.#head
    this.#head = undefined
    socket.cork()
    if (this.#length !== undefined) {
      if (head !== undefined) socket.write(`${head}content-length: ${this.#length}\r\n\r\n`, 'latin1')
      socket.write(chunk)
    } else {
      const framing = head === undefined ? '' : `${head}transfer-encoding: chunked\r\n\r\n`
      socket.write(`${framing}${chunk.length.toString(16)}\r\n`, 'latin1')
      socket.write(chunk)
      socket.write('\r\n', 'latin1')
    }
    socket.uncork()
    // From here on the upstream is waited for.
    if (socket.writableNeedDrain) this.#owner.onProgress()
  }

  #finish(): void {
    if (this.#length !== undefined && this.#count !== this.#length) return void this.#break('shorter')
    this.#isOver = true
    this.isSent = true
    this.#socket?.off('drain', this.#onDrain)
    if (this.#count > 0 && this.#length === undefined) this.#socket?.write('0\r\n\r\n', 'latin1')
    this.#owner.onProgress()
  }
}

async function* wholeOf(first: Buffer, rest: AsyncIterable<Buffer> | undefined): AsyncGenerator<Buffer> {
  yield first
  if (rest !== undefined) yield* rest
}
