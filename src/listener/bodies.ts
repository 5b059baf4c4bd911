/**
 * The two halves of an exchange as one-way streams, with the counts that limits and logs are made of.
 *
 * One-way on purpose: an HTTP client destroys the request body that it has sent, and a duplex HTTP/2 stream given to it
 * would lose its answer with it. Bytes are passed by reference, never copied.
 */
import { Readable, Writable } from 'node:stream'
import { passes } from '../kernel/passing.ts'

/** Whether we are waiting for the client just now, and how far it has come. */
export interface Progress {
  readonly waiting: boolean
  readonly bytes: number
}

/** A client that leaves is told to whoever reads or writes just then; where nobody does, it is no error of anybody. */
const nobodyReads = (): void => undefined

/** Where an engine has the bytes of a request body from. */
export interface Source {
  /** Somebody reads: from now on each piece goes to `body.receive`, and behind the last one `body.finish` is called. Once. */
  begin(body: IncomingBody): void
  pause(): void
  resume(): void
}

export class IncomingBody extends Readable implements Progress {
  bytes = 0
  waiting = false
  readonly #source: Source
  #started = false

  constructor(source: Source) {
    super({ highWaterMark: 256 * 1024 })
    this.#source = source
    this.on('error', nobodyReads)
  }

  override _read(): void {
    this.waiting = true
    if (this.#started) {
      this.#source.resume()
      return
    }
    // Nothing is read before somebody wants it: a denied upload stays where it is.
    this.#started = true
    this.#source.begin(this)
  }

  receive(chunk: Buffer): void {
    if (this.destroyed) return // swallowed
    this.bytes += chunk.length
    this.waiting = false
    passes(chunk.length)
    if (!this.push(chunk)) this.#source.pause()
  }

  finish(): void {
    this.waiting = false
    this.push(null)
  }

  override _destroy(reason: Error | null, done: (error?: Error | null) => void): void {
    // What was begun to be read stays where it is, until the engine swallows it.
    if (this.#started) this.#source.pause()
    done(reason)
  }

  /** The client went before the end: whoever reads learns it as an error. */
  cut(): void {
    if (!this.readableEnded) this.destroy(new ClientGone())
  }
}

/** The client went away. Not a fault of anybody here. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
  constructor() {
    super('the client went away')
  }
}

/** What an engine has for the bytes of an answer. */
export interface Sink {
  readonly destroyed: boolean
  readonly writableEnded: boolean
  write(chunk: Buffer, written: (error?: Error | null) => void): unknown
  /** @param done  also where there is nothing left to be written */
  end(done: (error?: Error | null) => void): unknown
  end(last: Buffer, done: (error?: Error | null) => void): unknown
}

/** A body that goes out in one write, so that it has either gone or not. */
export class WholeBody implements Progress {
  readonly #sink: Pick<Writable, 'writableFinished'>
  readonly #length: number

  constructor(sink: Pick<Writable, 'writableFinished'>, length: number) {
    this.#sink = sink
    this.#length = length
  }

  get bytes(): number {
    return this.#sink.writableFinished ? this.#length : 0
  }

  get waiting(): boolean {
    return !this.#sink.writableFinished
  }
}

/** Bytes of a body that go out in one write; of a longer one, whoever watches the pace sees how it comes along. */
export const inOneWrite = 64 * 1024

/** @param bytes  longer than `inOneWrite`; passed on by reference */
export function endInPieces(sink: Writable, bytes: Uint8Array, first = inOneWrite, piece = inOneWrite): void {
  sink.write(bytes.subarray(0, first))
  for (let at = first; at < bytes.length; at += piece) sink.write(bytes.subarray(at, at + piece))
  sink.end()
}

export class OutgoingBody extends Writable implements Progress {
  bytes = 0
  waiting = false
  readonly #sink: Sink
  readonly #abort: (clientLeft: boolean) => void
  /** Bytes still to come; undefined where the end alone tells. */
  #left: number | undefined

  /**
   * @param abort   cuts the exchange, when this stream is destroyed before its end
   * @param length  bytes of the body, where the client was told: then the last of them goes out together with the end
   */
  constructor(sink: Sink, abort: (clientLeft: boolean) => void, length?: number) {
    super({ highWaterMark: 256 * 1024 })
    this.#sink = sink
    this.#abort = abort
    this.#left = length
    this.on('error', nobodyReads)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#sink.destroyed) {
      done(new ClientGone())
      return
    }
    // In chunks it would be the end, and behind the last byte a second one.
    if (chunk.length === 0) {
      done()
      return
    }
    if (this.#left !== undefined) this.#left -= chunk.length
    if ((this.#left ?? 0) < 0) {
      done(new Error('the body is longer than its length'))
      return
    }
    this.waiting = true
    const written = (error?: Error | null) => {
      this.waiting = false
      this.bytes += chunk.length
      done(error ? new ClientGone() : null)
    }
    // Node's HTTP/2 looks for the end a tick behind the write, and between two writes the bytes would be on their way by then.
    if (this.#left === 0) process.nextTick(() => this.#sink.end(chunk, written))
    else this.#sink.write(chunk, written)
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#sink.destroyed) {
      done(new ClientGone())
      return
    }
    if ((this.#left ?? 0) > 0) {
      done(new Error('the body is shorter than its length'))
      return
    }
    if (this.#sink.writableEnded) {
      done()
      return
    }
    this.waiting = true
    this.#sink.end(() => {
      this.waiting = false
      done()
    })
  }

  override _destroy(reason: Error | null, done: (error?: Error | null) => void): void {
    if (!this.writableFinished) this.#abort(reason instanceof ClientGone)
    // A client that left is an ending, not an error; what else went wrong has been reported where it happened.
    done()
  }
}
