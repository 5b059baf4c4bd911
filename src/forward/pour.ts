/**
 * Pours the body of an answer out to the client, no faster than it is taken.
 *
 * Whatever breaks on the way ends both sides: the client's is cut, never ended cleanly, and nothing more is asked of the
 * upstream's. An upstream's body that goes straight to a client is borrowed, not copied: its memory is given back when its write
 * is done, and only then. Not Node's `pipeline`, which makes and breaks a signal for each body: that alone took a tenth of a request.
 */
import type { Readable, Writable } from 'node:stream'
import { ClientGone, OutgoingBody } from '../listener/bodies.ts'
import { type Borrower, UpstreamBody } from '../upstream/body.ts'

export interface Look {
  /** The bytes are the look's until it returns. */
  saw(chunk: Buffer): void
  /** Asked at a clean end: why the body is not whole all the same. */
  atEnd(): Error | undefined
}

/** Resolves when the last byte has gone out; rejects with what broke. */
export function pour(body: Readable, sink: Writable, look?: Look): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const fail = (cause: Error) => {
    reject(cause)
    body.destroy()
    sink.destroy(cause)
  }
  const cutOff = () => fail(body.errored ?? new Error('the body was let go before its end'))
  if (body.destroyed) cutOff()
  else if (sink.destroyed) fail(new ClientGone())
  else {
    let isWhole = false
    const end = () => {
      isWhole = true
      const problem = look?.atEnd()
      if (problem === undefined) sink.end()
      else fail(problem)
    }
    body.once('error', fail)
    body.once('close', () => isWhole || cutOff())
    sink.once('finish', resolve)
    sink.once('close', () => sink.writableFinished || fail(new ClientGone()))
    if (body instanceof UpstreamBody && sink instanceof OutgoingBody) {
      sink.on('drain', () => body.more())
      const take: Borrower['take'] = (bytes, giveBack) => {
        look?.saw(bytes)
        // What was not written, or to somebody who left, may still be in somebody's hands: never given back.
        return sink.write(bytes, error => error || sink.destroyed || giveBack())
      }
      body.lendTo({ take, end })
    } else {
      body.on('data', (chunk: Buffer) => {
        look?.saw(chunk)
        if (!sink.write(chunk)) body.pause()
      })
      sink.on('drain', () => body.resume())
      body.once('end', end)
    }
  }
  return promise
}
