/**
 * The body of an upstream's answer with back-pressure: taken slowly, and the upstream is read slowly.
 *
 * Whoever reads it as a stream gets bytes that are his. Whoever only passes them on borrows them (`lendTo`), without a copy.
 */
import { Readable } from 'node:stream'
import type { GiveBack, Lend } from './read-buffers.ts'

/** Where the bytes come from. */
export interface BodySource {
  resume(): void
  abort(reason: Error): void
}

export interface Borrower {
  /** @returns false: no more for now, see `more` */
  take(bytes: Buffer, giveBack: GiveBack): boolean
  /** That was all of it. */
  end(): void
}

export class UpstreamBody extends Readable {
  readonly #source: BodySource
  #whole = false
  /** What came before anybody wanted it; undefined: somebody does. */
  #early: [Buffer, GiveBack][] | undefined = []
  #earlyBytes = 0
  #borrower: Borrower | undefined

  constructor(source: BodySource) {
    super({ highWaterMark: 256 * 1024 })
    this.#source = source
    // Broken before anybody read it: told when somebody does.
    this.on('error', () => undefined)
  }

  /** @returns false when the reader wants no more for now */
  receive(bytes: Buffer, lend: Lend): boolean {
    if (this.#borrower !== undefined) return this.#borrower.take(bytes, lend())
    if (this.#early === undefined) return this.push(Buffer.from(bytes))
    this.#early.push([bytes, lend()])
    this.#earlyBytes += bytes.length
    return this.#earlyBytes < this.readableHighWaterMark
  }

  finish(): void {
    this.#whole = true
    if (this.#borrower !== undefined) this.#endLoans(this.#borrower)
    else if (this.#early === undefined) this.push(null)
  }

  break(error: Error): void {
    this.#whole = true
    this.destroy(error)
  }

  /** In place of reading it: once, and before anybody has read. How it breaks is told as of any stream; behind its end it closes. */
  lendTo(borrower: Borrower): void {
    const early = this.#early
    if (early === undefined) throw new Error('a body that is read already cannot be lent')
    this.#early = undefined
    this.#borrower = borrower
    let isWanted = true
    for (const [bytes, giveBack] of early) isWanted = borrower.take(bytes, giveBack)
    if (this.#whole) this.#endLoans(borrower)
    else if (isWanted) this.more()
  }

  /** Its borrower has room again. */
  more(): void {
    this.#source.resume()
  }

  #endLoans(borrower: Borrower): void {
    borrower.end()
    this.destroy()
  }

  override _read(): void {
    if (this.#borrower !== undefined) return
    const early = this.#early
    this.#early = undefined
    for (const [bytes, giveBack] of early ?? []) {
      this.push(Buffer.from(bytes))
      giveBack()
    }
    if (!this.#whole) this.#source.resume()
    else if (early !== undefined) this.push(null)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Nobody wants the rest: the connection is closed and not given to the next request with bytes in it.
    if (!this.#whole) this.#source.abort(error ?? new Error('nobody reads this answer any more'))
    done(error)
  }
}

/**
 * Reads a body into memory of the reader's own. Rejects when it breaks.
 *
 * @returns its length; what there is no room for is counted, and left out
 */
export function copyInto(body: Readable, room: Buffer): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let size = 0
  const copy = (bytes: Buffer) => {
    if (size + bytes.length <= room.length) room.set(bytes, size)
    size += bytes.length
  }
  const take: Borrower['take'] = (bytes, giveBack) => {
    copy(bytes)
    giveBack()
    return true
  }
  const end = () => resolve(size)
  const cutOff = () => reject(body.errored ?? new Error('the body was let go before its end'))
  if (body.destroyed) cutOff()
  else {
    body.once('error', reject).once('close', cutOff)
    if (body instanceof UpstreamBody) body.lendTo({ take, end })
    else body.on('data', copy).once('end', end)
  }
  return promise
}
