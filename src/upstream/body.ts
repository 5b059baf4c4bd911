/**
 * The body of an upstream's answer as a stream with back-pressure: read slowly, and the upstream is read slowly.
 */
import { Readable } from 'node:stream'

/** Where the bytes come from. */
export interface BodySource {
  resume(): void
  abort(reason: Error): void
}

export class UpstreamBody extends Readable {
  readonly #source: BodySource
  #whole = false

  constructor(source: BodySource) {
    super({ highWaterMark: 256 * 1024 })
    this.#source = source
    // Broken before anybody read it: told when somebody does.
    this.on('error', () => undefined)
  }

  /** @returns false when the reader wants no more for now */
  receive(chunk: Buffer): boolean {
    return this.push(chunk)
  }

  finish(): void {
    this.#whole = true
    this.push(null)
  }

  break(error: Error): void {
    this.#whole = true
    this.destroy(error)
  }

  override _read(): void {
    this.#source.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Nobody wants the rest: the connection is closed and not given to the next request with bytes in it.
    if (!this.#whole) this.#source.abort(error ?? new Error('nobody reads this answer any more'))
    done(error)
  }
}
