/**
 * Frames in memory: bounded in bytes, the one that was asked for longest ago goes first.
 *
 * Bytes count from when they are promised to a fill until nobody reads them any more: a frame that was put out while slow
 * clients still read it goes on to count. Not to forget: a body is handed out as it is, to many at once. Nobody may write
 * into it, and its memory is never used again for another one.
 */
import { collector } from '../kernel/collector.ts'
import type { HeaderList } from '../listener/exchange.ts'

export interface Frame {
  readonly key: string
  readonly study: string | undefined
  /** As the upstream sent them, and a length. */
  readonly headers: HeaderList
  readonly body: Buffer
}

/** How long a frame may be shown. */
export interface Terms {
  /** Milliseconds since 1970 when it was asked for. */
  readonly since: number
  /** Milliseconds. */
  readonly maxAge: number
}

export const isOld = ({ since, maxAge }: Terms, now: number): boolean => Math.abs(now - since) >= maxAge

interface Entry extends Frame {
  cost: number
  /** The body in other forms, by name; those that are no smaller are the body itself. */
  readonly forms: Map<string, Promise<Buffer>>
  readonly terms: Terms
  readers: number
  listed: boolean
}

/** A frame, to be read until `release` is called; once. */
export interface Lent {
  readonly frame: Frame
  /** To one more reader. */
  again(): Lent
  /** The body in another form, which is made once and stays as long as there is room for it. */
  formOf(form: string, make: () => Promise<Buffer>): Promise<Buffer>
  release(): void
}

export interface FrameStore {
  find(key: string): Lent | undefined
  has(key: string): boolean
  /** Promises room, for which others are put out. False: what is there is being read. @param bytes  of a body */
  promise(bytes: number): boolean
  /** Room that was promised and is not needed. */
  giveBack(bytes: number): void
  /** Memory for a body that was promised room; all zero, and nothing was ever in it. */
  room(bytes: number): Buffer
  /**
   * Keeps a frame for which there was room.
   *
   * @param listed  false: nobody finds it; it lasts as long as it is lent
   * @returns       the first to read it
   */
  keep(frame: Frame, terms: Terms, listed: boolean): Lent
  forget(key: string): void
  forgetWhere(goes: (frame: Frame) => boolean): void
  /** Puts out what is too old. */
  sweep(): void
  /** Bytes of all that counts. */
  readonly used: number
}

/**
 * What an entry takes besides its bytes: objects, the place in the map, a small header of each buffer; and 800 bytes for what
 * a client gets of its headers, which is noted on their list (forward/response-headers.ts).
 */
const overhead = 2_048
/** Bytes of frames that have gone without another one in their place, and are worth collecting: so many, or this part of all. */
const worthwhile = { bytes: 32 * 1024 * 1024, part: 1 / 8 }

/**
 * @param limit  bytes
 * @param spill  told of what is put out to make room for another, while it could still be shown
 */
export function createFrameStore(
  limit: number,
  now: () => number,
  spill: (frame: Frame, terms: Terms) => void = () => undefined,
): FrameStore {
  /** The one that was asked for last is last. */
  const entries = new Map<string, Entry>()
  let used = 0
  /** Bytes of bodies that V8 does not count, until they are collected. */
  let uncounted = 0
  /** Bytes that went without another frame in their place, since they were last worth collecting. */
  let gone = 0
  const collected = new FinalizationRegistry((bytes: number) => {
    uncounted -= bytes
  })

  const free = (entry: Entry) => {
    if (!entry.listed && entry.readers === 0) used -= entry.cost
  }
  const unlist = (entry: Entry) => {
    if (!entry.listed) return
    entry.listed = false
    entries.delete(entry.key)
    free(entry)
  }
  const lend = (entry: Entry): Lent => {
    entry.readers++
    return {
      frame: entry,
      again: () => lend(entry),
      formOf: (form, make) => entry.forms.get(form) ?? makeForm(entry, form, make),
      release() {
        entry.readers--
        free(entry)
      },
    }
  }
  const promise = (bytes: number): boolean => {
    for (const entry of entries.values()) {
      if (used + bytes <= limit) break
      // To put out what is being read would win nothing.
      if (entry.readers > 0) continue
      unlist(entry)
      if (!isOld(entry.terms, now())) spill(entry, entry.terms)
    }
    if (used + bytes > limit) return false
    used += bytes
    return true
  }
  /** Nobody asks for them, and nothing comes in their place whose growth V8 would notice. */
  const putOut = (goes: (entry: Entry) => boolean) => {
    gone += used
    for (const entry of entries.values()) if (goes(entry)) unlist(entry)
    gone -= used
    if (gone < Math.max(worthwhile.bytes, limit * worthwhile.part)) return
    gone = 0
    void collector()({ type: 'major', execution: 'async' })
  }
  async function makeForm(entry: Entry, form: string, make: () => Promise<Buffer>): Promise<Buffer> {
    // It reads the entry too: what it makes must not be added to one that is gone.
    entry.readers++
    const making = make()
    entry.forms.set(form, making)
    try {
      const made = await making
      const own = made === entry.body ? 0 : made.length
      if (promise(own)) entry.cost += own
      else entry.forms.delete(form)
      return made
    } catch (cause) {
      entry.forms.delete(form)
      throw cause
    } finally {
      entry.readers--
      free(entry)
    }
  }

  return {
    find(key) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      if (isOld(entry.terms, now())) return void unlist(entry)
      entries.delete(key)
      entries.set(key, entry)
      return lend(entry)
    },
    has: key => entries.has(key),
    promise,
    giveBack(bytes) {
      used -= bytes
    },
    room(bytes) {
      // V8 looks at its whole heap for each 32 MB that it counts, and finds nothing to collect while a cache fills: a third of what a
      // fill costs. It does not count what may be shared. Once as much is out as may be kept, old frames go, and it should look.
      if (uncounted + bytes > limit) return Buffer.alloc(bytes)
      uncounted += bytes
      const memory = new SharedArrayBuffer(bytes)
      collected.register(memory, bytes)
      return Buffer.from(memory)
    },
    keep(frame, terms, listed) {
      const texts = frame.headers.reduce((sum, [name, value]) => sum + name.length + value.length, frame.key.length)
      // The little that comes on top of the body may be over the limit for a moment; the next promise sees to it.
      const cost = frame.body.length + overhead + 2 * texts
      used += cost - frame.body.length
      const before = entries.get(frame.key)
      if (before !== undefined && listed) unlist(before)
      const entry: Entry = { ...frame, cost, terms, readers: 0, listed, forms: new Map() }
      if (listed) entries.set(frame.key, entry)
      return lend(entry)
    },
    forget(key) {
      const entry = entries.get(key)
      if (entry !== undefined) unlist(entry)
    },
    forgetWhere: putOut,
    sweep: () => putOut(entry => isOld(entry.terms, now())),
    get used() {
      return used
    },
  }
}
