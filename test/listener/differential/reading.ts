/**
 * What became of the bytes of a client: the same shape for Node's server and for ours, so that both can be compared.
 */
import type { HeaderList } from '../../../src/listener/exchange.ts'
import { MemorySocket } from '../../upstream/differential/reading.ts'

/** Between two pieces: nothing; what an answer that is out leads to at once; all that the one before it has led to. */
export const paces = ['at once', 'in one turn', 'in turns'] as const
export type Pace = (typeof paces)[number]

export interface Given {
  /** The bytes that the client sends, in the pieces in which they come. */
  readonly pieces: readonly Buffer[]
  readonly pace: Pace
  /** Requests are answered at once, and nobody reads their bodies. */
  readonly early: boolean
}

/** A request that somebody is to answer. */
export interface Taken {
  readonly method: string
  /** In origin-form, as far as it can be had. */
  readonly target: string
  readonly headers: HeaderList
  /** What has come of it; behind an upgrade all that came. */
  body: Buffer
  /** Undefined: nobody looked. */
  isWhole: boolean | undefined
  readonly isUpgrade: boolean
}

export interface Reading {
  readonly taken: readonly Taken[]
  /** Why it is not read any further, where the reason is what was sent. */
  readonly refused: string | undefined
  /** Nothing is read any more. */
  readonly isOver: boolean
  /** Requests that were taken although nothing might be read any more. */
  readonly afterwards: number
  /** Pieces that had been given when it was refused. */
  readonly refusedAt: number
}

/** The gateway's end of a connection. */
export class Wire extends MemorySocket {
  /** What was answered. */
  said = ''

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.said += chunk.toString('latin1')
    done()
  }
}

/** Of `size` bytes each. */
export const inPieces = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
