/**
 * Bytes of a connection, read in order and as far as they may be: the rest is held back until there is a use for it.
 *
 * What is held back is little; behind it the socket is paused, and the client waits.
 */
import type { Socket } from 'node:net'

/** Bytes that are held while the socket is read on, so that it is seen when the client goes. */
const mostAhead = 16 * 1024

export abstract class HeldReading {
  readonly socket: Socket
  /** Nothing is read any more. */
  protected isOver = false
  /** More has come than is held: nobody would see that the client goes. */
  protected isOverfull = false
  #ahead: Buffer | undefined
  #isPlanned = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', this.#onData)
  }

  /** @returns where it goes on; undefined: not now, see `goOn` */
  protected abstract step(bytes: Buffer, at: number): number | undefined
  /** What is held back belongs to what is under way: as little of it as possible. */
  protected abstract readonly isBodyWaiting: boolean
  /** From now on it is overfull. */
  protected abstract overfull(): void

  protected get hasAhead(): boolean {
    return this.#ahead !== undefined
  }

  /** Reads on, but not in the same breath: a thousand requests would be one. */
  protected goOn(): void {
    this.isOverfull = false
    if (this.#ahead === undefined) {
      if (this.socket.isPaused()) this.socket.resume()
      return
    }
    if (this.#isPlanned) return
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      // It may be somebody else's by now.
      if (this.socket.destroyed || this.isOver) return
      if (this.socket.isPaused()) this.socket.resume()
      if (this.#ahead !== undefined) this.#read(this.#ahead)
    })
  }

  /** Reads no more; what was held back is lost, and so is what comes. */
  protected end(): void {
    this.isOver = true
    this.#ahead = undefined
  }

  /** Leaves the socket to somebody else, who resumes it. */
  protected handOver(): void {
    this.end()
    this.socket.off('data', this.#onData).pause()
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#read(this.#ahead === undefined ? bytes : Buffer.concat([this.#ahead, bytes]))
  }

  #read(bytes: Buffer): void {
    this.#ahead = undefined
    let at = 0
    while (at < bytes.length && !this.isOver) {
      const next = this.step(bytes, at)
      if (next === undefined) return void this.#holdBack(at === 0 ? bytes : bytes.subarray(at))
      at = next
    }
  }

  #holdBack(bytes: Buffer): void {
    this.#ahead = bytes
    const { isBodyWaiting } = this
    if (!isBodyWaiting && bytes.length <= mostAhead) return
    this.socket.pause()
    if (isBodyWaiting || this.isOverfull) return
    this.isOverfull = true
    this.overfull()
  }
}
