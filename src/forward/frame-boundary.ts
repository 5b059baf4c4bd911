/**
 * Tells where in one direction of a WebSocket a frame ends: only there may a closing frame be put in.
 *
 * It reads heads and counts payloads away; nothing is kept, copied, unmasked or judged, however odd it is. Not to forget:
 * behind a length that nobody can mean (2^53 and more) it is lost for good, and says so.
 *
 * Source: RFC 6455 5.2 (base framing), 5.4 (control frames may come between fragments), 5.5.1 (nothing follows a close).
 */

const closing = 0x8
/** Opcodes from here on are about the connection: close, ping, pong. */
const firstControl = 0x8

export class FrameBoundary {
  /** Nobody can tell any more where a frame ends. */
  isLost = false
  /** A closing frame has begun: its sender says nothing more. */
  isClosed = false
  /** Something that is no ping, pong or close passed; for whoever asks to set back. */
  carriedData = false
  #opcode = 0
  /** Bytes of the head that have come, how many it has, and how many of them are the long form of the length. */
  #head = 0
  #headLength = 2
  #longLength = 0
  #length = 0
  /** Bytes of the payload that are still to come. */
  #left = 0

  /** Before the first byte of a frame. */
  get isHere(): boolean {
    return !this.isLost && this.#head === 0 && this.#left === 0
  }

  saw(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) at = this.#step(chunk, at)
  }

  /** Sees no further than to the end of the frame that has begun. @returns how many bytes of the chunk that were */
  sawToEnd(chunk: Uint8Array): number {
    let at = 0
    while (at < chunk.length && !this.isHere) at = this.#step(chunk, at)
    return at
  }

  #step(chunk: Uint8Array, at: number): number {
    if (this.isLost) {
      this.carriedData = true
      return chunk.length
    }
    if (this.#left === 0) {
      this.#readHead(chunk[at] ?? 0)
      return at + 1
    }
    const some = Math.min(this.#left, chunk.length - at)
    this.#left -= some
    if (this.#opcode < firstControl) this.carriedData = true
    return at + some
  }

  #readHead(byte: number): void {
    const nth = this.#head++
    if (nth === 0) {
      this.#opcode = byte & 0x0f
    } else if (nth === 1) {
      const short = byte & 0x7f
      this.#longLength = short === 126 ? 2 : short === 127 ? 8 : 0
      this.#length = this.#longLength === 0 ? short : 0
      this.#headLength = 2 + this.#longLength + (byte >= 0x80 ? 4 : 0)
    } else if (nth < 2 + this.#longLength) {
      this.#length = this.#length * 256 + byte
    }
    if (this.#head < 2 || this.#head < this.#headLength) return
    this.#head = 0
    this.#left = this.#length
    this.isLost = !Number.isSafeInteger(this.#length)
    if (this.#opcode === closing) this.isClosed = true
    if (this.#opcode < firstControl) this.carriedData = true
  }
}
