/**
 * The memory that one connection is read into, over and over.
 *
 * What was read is lent to whoever passes it on, and nothing is read over it before it was given back. Who does not give it
 * back in time is waited for by nobody: the connection goes on with other memory. It belongs to this one connection and goes
 * with it.
 *
 * Not to forget: memory that is given back too early shows one person's bytes to another. So each loan ends once, when the
 * write that it was for has been done, and one of a write that failed never ends: its memory is left to the collector.
 */

/** Ends a loan; calling it again does nothing. */
export type GiveBack = () => void
/** To be called while the bytes are being handed on: until the loan ends they stay as they are. */
export type Lend = () => GiveBack

/** Bytes. Pages that nothing was read into cost nothing. */
const slabSize = 256 * 1024
/** Slabs: as many as may be on their way to a client, for the `highWaterMark` of its body and one read. */
const mostSpare = 3
/**
 * Bytes that one read gets: no more, because what is read in one piece is written in one, and pace and guard see how a body
 * comes along by what was written; no less, because what TLS unpacks comes in pieces of 16 KB.
 */
const room = { most: 64 * 1024, least: 16 * 1024 }

interface Slab {
  readonly bytes: Buffer
  loans: number
}

const newSlab = (): Slab => ({ bytes: Buffer.allocUnsafeSlow(slabSize), loans: 0 })

export class ReadBuffers {
  /** Takes what was read; the bytes are its own until it returns. Who keeps them longer copies or lends them. */
  reader: ((bytes: Buffer) => void) | undefined
  /** Something came while there was no reader, and is lost. */
  hasMissed = false
  #slab = newSlab()
  /** Where in it the next read begins. */
  #at = 0
  /** Of no loan any more. */
  readonly #spare: Slab[] = []

  /** For the socket, as it is made. Node asks for memory at once, and anew behind each read. */
  readonly onread = {
    buffer: () => this.#room(),
    callback: (count: number): boolean => {
      const bytes = this.#slab.bytes.subarray(this.#at, this.#at + count)
      this.#at += count
      if (this.reader === undefined) this.hasMissed = true
      else this.reader(bytes)
      return true
    },
  }

  readonly lend: Lend = () => {
    const slab = this.#slab
    slab.loans++
    let isLent = true
    return () => {
      if (!isLent) return
      isLent = false
      slab.loans--
      if (slab.loans === 0 && slab !== this.#slab && this.#spare.length < mostSpare) this.#spare.push(slab)
    }
  }

  #room(): Buffer {
    if (this.#slab.loans === 0) this.#at = 0
    else if (slabSize - this.#at < room.least) {
      this.#slab = this.#spare.pop() ?? newSlab()
      this.#at = 0
    }
    return this.#slab.bytes.subarray(this.#at, this.#at + room.most)
  }
}
