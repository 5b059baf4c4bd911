/**
 * Frames for which memory has no room any more, on the disk: one file without a name, written round and round.
 *
 * The file is unlinked as soon as it is open, and what is in it is encrypted with a key that is only in memory: nothing is
 * left behind for anybody, however the process ends, and so nothing has to be trusted or emptied at the start. The index is in
 * memory. What is read back is whole and unchanged, or it was never there (AES-256-GCM). A disk that is full or breaks fails
 * no request: what is not written is asked for again.
 *
 * Not to forget: bytes may be overwritten while they are read; the seal tells.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, read, unlinkSync, write } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Frame, Terms } from './frame-store.ts'

export interface DiskStore extends Disposable {
  /** Writes it, by and by; or not, where too much waits to be written. */
  put(frame: Frame, terms: Terms): void
  find(key: string): Promise<Found | undefined>
  forget(key: string): void
  forgetWhere(goes: (frame: Pick<Frame, 'study'>) => boolean): void
  sweep(): void
  /** Bytes of what could be found. */
  readonly used: number
  /** Bytes that are still to be written. */
  readonly waiting: number
}

interface Found {
  readonly frame: Frame
  readonly terms: Terms
  /** Not forgotten since. */
  isCurrent(): boolean
}

interface Place {
  readonly study: string | undefined
  readonly terms: Terms
  readonly offset: number
  readonly length: number
  readonly nonce: Buffer
  /** Until it is written. */
  frame: Frame | undefined
}

export interface DiskTerms {
  /** The file lies here as long as it takes to open it. */
  readonly folder: string
  /** Bytes. */
  readonly limit: number
  readonly isOld: (terms: Terms) => boolean
  readonly warn: (text: string) => void
}

const readAt = promisify(read)
const writeAt = promisify(write)

/** Bytes. Smaller ones are asked for again sooner than they are found, and each costs memory. */
const smallest = 32 * 1024
/** Each takes some 300 bytes of memory. */
const mostPlaces = 200_000
/** Bytes that wait to be written. */
const mostWaiting = 32 * 1024 ** 2
/** After a write that failed nothing is written for so long. Milliseconds. */
const rest = 60_000
const sealLength = 16

export function openDiskStore({ folder, limit, isOld, warn }: DiskTerms): DiskStore {
  const file = join(folder, `.frames-${randomBytes(9).toString('hex')}`)
  // wx: never follows a link that someone put there first.
  const descriptor = openSync(file, 'wx+', 0o600)
  unlinkSync(file)
  const key = randomBytes(32)
  const names = new Map<string, Place>()
  /** All that was written, the oldest first, also what nobody finds any more. */
  const ring = new Set<readonly [name: string, place: Place]>()
  let [head, used, waiting, work, count] = [0, 0, 0, 0, 0n]
  let restsSince: number | undefined
  let isClosed = false

  /** Keys are long, and there are many. */
  const nameOf = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, 22)
  const drop = (name: string, place: Place) => {
    if (names.get(name) !== place) return
    names.delete(name)
    used -= place.length
  }
  const dropOldest = (goes: (place: Place) => boolean) => {
    for (const one of ring) {
      if (!goes(one[1])) return
      ring.delete(one)
      drop(...one)
    }
  }
  const placeFor = (length: number): number => {
    if (head + length > limit) {
      const end = head
      dropOldest(({ offset }) => offset >= end)
      head = 0
    }
    const offset = head
    head += length
    dropOldest(place => place.offset < head && place.offset + place.length > offset)
    if (ring.size >= mostPlaces) dropOldest(() => ring.size >= mostPlaces)
    return offset
  }
  const finished = () => {
    if (--work === 0 && isClosed) closeSync(descriptor)
  }
  /** Each has a nonce of its own under this key, which is why the key is never used again. */
  const nextNonce = () => {
    const nonce = Buffer.alloc(12)
    nonce.writeBigUInt64BE(++count, 4)
    return nonce
  }

  async function writeDown(name: string, place: Place, bytes: Buffer): Promise<void> {
    work++
    waiting += bytes.length
    try {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await writeAt(descriptor, bytes, at, bytes.length - at, place.offset + at)
        at += bytesWritten
      }
      place.frame = undefined
    } catch (cause) {
      drop(name, place)
      if (restsSince === undefined)
        warn(`frames cannot be kept on the disk: ${cause instanceof Error ? cause.message : cause}`)
      restsSince = performance.now()
    } finally {
      waiting -= bytes.length
      finished()
    }
  }

  async function readBack(name: string, place: Place): Promise<Frame | undefined> {
    work++
    const sealed = Buffer.allocUnsafeSlow(place.length)
    try {
      for (let at = 0; at < sealed.length; ) {
        const { bytesRead } = await readAt(descriptor, sealed, at, sealed.length - at, place.offset + at)
        if (bytesRead === 0) throw new Error('the file is shorter than it was')
        at += bytesRead
      }
      return unsealed(sealed, key, place)
    } catch {
      // Overwritten, or no longer readable: as if it had never been there.
      drop(name, place)
      return undefined
    } finally {
      finished()
    }
  }

  return {
    put(frame, terms) {
      if (restsSince !== undefined && performance.now() - restsSince > rest) restsSince = undefined
      const name = nameOf(frame.key)
      if (isClosed || restsSince !== undefined || frame.body.length < smallest) return
      if (names.get(name)?.terms.since === terms.since) return
      const nonce = nextNonce()
      const bytes = sealedFrame(frame, key, nonce)
      if (waiting + bytes.length > Math.min(mostWaiting, limit / 4)) return
      const before = names.get(name)
      if (before !== undefined) drop(name, before)
      const { study } = frame
      const place: Place = { study, terms, offset: placeFor(bytes.length), length: bytes.length, nonce, frame }
      names.set(name, place)
      ring.add([name, place])
      used += place.length
      void writeDown(name, place, bytes)
    },
    async find(text) {
      const name = nameOf(text)
      const place = names.get(name)
      if (place === undefined || isClosed) return undefined
      if (isOld(place.terms)) return void drop(name, place)
      const frame = place.frame ?? (await readBack(name, place))
      if (frame?.key !== text) return undefined
      return { frame, terms: place.terms, isCurrent: () => names.get(name) === place }
    },
    forget(text) {
      const name = nameOf(text)
      const place = names.get(name)
      if (place !== undefined) drop(name, place)
    },
    forgetWhere(goes) {
      for (const [name, place] of names) if (goes(place)) drop(name, place)
    },
    sweep() {
      for (const [name, place] of names) if (isOld(place.terms)) drop(name, place)
    },
    get used() {
      return used
    },
    get waiting() {
      return waiting
    },
    [Symbol.dispose]() {
      if (isClosed) return
      isClosed = true
      names.clear()
      key.fill(0)
      if (work === 0) closeSync(descriptor)
    },
  }
}

/** Length of the head, the head as JSON, the body; then the seal. */
function sealedFrame({ key: text, study, headers, body }: Frame, key: Buffer, nonce: Buffer): Buffer {
  const head = Buffer.from(JSON.stringify({ text, study, headers }))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  return Buffer.concat([
    cipher.update(length),
    cipher.update(head),
    cipher.update(body),
    cipher.final(),
    cipher.getAuthTag(),
  ])
}

/** @throws when it is not what was written */
function unsealed(sealed: Buffer, key: Buffer, { nonce }: Place): Frame {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: sealLength })
  decipher.setAuthTag(sealed.subarray(-sealLength))
  const plain = decipher.update(sealed.subarray(0, -sealLength))
  decipher.final()
  const end = 4 + plain.readUInt32BE(0)
  const { text, study, headers } = JSON.parse(plain.subarray(4, end).toString())
  return { key: text, study, headers, body: plain.subarray(end) }
}
