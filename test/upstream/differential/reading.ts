/**
 * What became of the bytes of an answer: the same shape for Node's client and for ours, so that both can be compared.
 */
import { Duplex } from 'node:stream'
import type { HeaderList } from '../../../src/listener/exchange.ts'

export interface Given {
  /** The bytes that the server sends, in the pieces in which they come. */
  readonly pieces: readonly Buffer[]
  readonly method: 'GET' | 'HEAD'
}

export interface Reading {
  /** Why nobody gets the answer, or its reader gets an error. */
  readonly refused: string | undefined
  /** 0: there was no head. */
  readonly status: number
  readonly headers: HeaderList
  readonly body: Buffer
  /** It came to its end before the connection did. */
  readonly endedFirst: boolean
  /** The connection would carry the next request. */
  readonly kept: boolean
}

/** A connection that ends in the test: what is written to it goes nowhere, what comes from it is pushed. */
export class MemorySocket extends Duplex {
  override _read(): void {}

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done()
  }

  // As far as clients ask for them.
  setKeepAlive = (): this => this
  setNoDelay = (): this => this
  setTimeout = (): this => this
  ref = (): this => this
  unref = (): this => this

  /** One read for each piece, as far as anybody listens. */
  feed(pieces: readonly Buffer[]): void {
    for (const piece of pieces) if (!this.destroyed) this.push(piece)
  }

  hangUp(): void {
    if (!this.destroyed) this.push(null)
  }
}

export const aTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
