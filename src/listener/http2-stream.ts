/**
 * One stream of HTTP/2: what came of its body, what was not wanted any more, and how it ended.
 *
 * Node tells nobody of the pieces of a body that is not read yet, nor of those that come after it was let go; the guard has
 * to know of both.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Source } from './bodies.ts'
import type { Connection } from './exchange.ts'
import type { Account, Carrying } from './http2-guard.ts'
import type { Reply2 } from './http2-reply.ts'
import type { RequestReader } from './http2-request.ts'

/**
 * Fills a line that holds 1.25 MB (1 Gbit/s and 10 ms): a window is opened anew when half of it was read, and a sender
 * has as much more under way until it hears of it.
 */
export const windowSize = 3 * 1024 * 1024
/** Pieces of a body between two looks at what they are worth: of one byte each, thousands come at one time. */
const piecesPerLook = 64

export interface CarryingStream extends Carrying {
  readonly stream: ServerHttp2Stream
  /** The client has said all that it had to say. */
  whole: boolean
  /** The stream is closed. */
  ended?: () => void
  reply?: Reply2
}

export interface Line {
  readonly connection: Connection
  readonly account: Account
  readonly reader: RequestReader
  readonly flooded: (why: string) => void
  /** Streams that are open. */
  running: number
  /** By the clock of the process: since when there has been none. */
  quietSince: number
}

export const sourceOf = (stream: ServerHttp2Stream): Source => ({
  begin(body) {
    // A body without a byte has its end at once, and tells of it only once.
    if (stream.readableEnded) return body.finish()
    stream.on('data', (chunk: Buffer) => body.receive(chunk))
    stream.on('end', () => body.finish())
  },
  pause: () => void stream.pause(),
  resume: () => void stream.resume(),
})

/** Counts a body while it comes: Node tells nobody of the pieces of one that is not read yet. */
export function countPieces(carrying: CarryingStream, { account, flooded }: Line): void {
  const { stream } = carrying
  const push = stream.push
  let pieces = 0
  stream.push = (chunk: Buffer | null, encoding) => {
    carrying.came += chunk?.length ?? 0
    // At the end of a stream that was closed Node says it too.
    if (chunk === null && !stream.closed) carrying.whole = true
    if (++pieces % piecesPerLook === 0) {
      const why = account.look(performance.now())
      if (why !== undefined) flooded(why)
    }
    return push.call(stream, chunk, encoding)
  }
}

/** What is on its way of a body that is let go carries nothing, and is nobody's fault. */
export function unwanted(carrying: CarryingStream, account: Account): void {
  if (!carrying.whole) account.unwanted(windowSize, performance.now())
  carrying.whole = true
}

/**
 * Node ends its half of a stream that a client resets without an error (code 0), which looks like an answer that is whole. One
 * that is whole stays so when the client cancels then: a viewer lets go of a frame at its last byte, which may be before the end.
 */
export const isComplete = ({
  rstCode,
  aborted,
  headersSent,
  writableFinished,
}: Pick<ServerHttp2Stream, 'rstCode' | 'aborted' | 'headersSent' | 'writableFinished'>): boolean =>
  (rstCode === constants.NGHTTP2_NO_ERROR || rstCode === constants.NGHTTP2_CANCEL) &&
  !aborted &&
  headersSent &&
  writableFinished
