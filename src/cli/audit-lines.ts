/**
 * The lines of a file that is being written: from its start, from its end, and as they come.
 *
 * A file of any size is read piece by piece. A line is handed on when its end has come; what is too long to be an event
 * is cut. The file may be moved away while it is followed: the rest of it is read, then the new one from its start.
 */
import { type FileHandle, open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

const piece = 64 * 1024
/** Bytes. An event has a few KB; more is no event, and must not fill the memory. */
const longest = 1024 * 1024
/** Milliseconds between two looks at a file that is followed. */
const look = 250

/** Puts pieces together to lines. */
function createSplitter() {
  let begun: Buffer[] = []
  let size = 0
  return {
    *add(bytes: Buffer): Generator<string> {
      let from = 0
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
        const line = Buffer.concat([...begun, bytes.subarray(from, at)])
        from = at + 1
        begun = []
        size = 0
        if (line.length > 0) yield line.toString()
      }
      size += bytes.length - from
      if (size <= longest && from < bytes.length) begun.push(bytes.subarray(from))
    },
    /** What has no end yet. */
    rest(): string {
      return Buffer.concat(begun).toString()
    },
  }
}

/** All lines from `start` on; the last one also without its end. */
export async function* linesOf(source: FileHandle | Readable, start = 0): AsyncGenerator<string> {
  const splitter = createSplitter()
  const bytes: AsyncIterable<Buffer> = 'createReadStream' in source ? source.createReadStream({ start }) : source
  for await (const part of bytes) yield* splitter.add(part)
  const rest = splitter.rest()
  if (rest !== '') yield rest
}

/**
 * Where the last lines begin, looked for from the end and kept nowhere: they may be more than memory holds.
 *
 * @param count      lines
 * @param isStill    what stands behind the last end is a line too: nobody writes on
 */
export async function startOfLast(handle: FileHandle, count: number, isStill: boolean): Promise<number> {
  const buffer = Buffer.alloc(piece)
  const { size } = await handle.stat()
  let ends = 0
  // One end more than lines: the first of them is only known to begin behind another one.
  for (let from = size; from > 0; ) {
    const length = Math.min(piece, from)
    from -= length
    const { bytesRead } = await handle.read({ buffer, length, position: from })
    const part = buffer.subarray(0, bytesRead)
    for (let at = part.lastIndexOf(10); at >= 0; at = at === 0 ? -1 : part.lastIndexOf(10, at - 1)) {
      const isRest = isStill && ends === 0 && from + at + 1 < size
      ends += isRest ? 2 : 1
      if (ends > count) return from + at + 1
    }
  }
  return 0
}

/**
 * Whole lines from `position` on, for ever: of this file, and of the next one at `file` when it was moved away.
 *
 * @param handle  closed when nobody wants more
 */
export async function* followLines(file: string, handle: FileHandle, position: number): AsyncGenerator<string> {
  let [current, at, splitter] = [handle, position, createSplitter()]
  let isLeft = false
  try {
    for (;;) {
      const { bytesRead, buffer } = await current.read({ buffer: Buffer.alloc(piece), position: at })
      if (bytesRead > 0) {
        at += bytesRead
        yield* splitter.add(buffer.subarray(0, bytesRead))
        continue
      }
      const [own, found] = [await current.stat(), await stat(file).catch(() => undefined)] // moved, and no new one yet
      if (isLeft) {
        const next = await open(file, 'r')
        await current.close()
        ;[current, at, splitter, isLeft] = [next, 0, createSplitter(), false]
        continue
      }
      // Emptied in place (copytruncate).
      if (own.size < at) [at, splitter] = [0, createSplitter()]
      // A write that was under way when it was moved is still to come there.
      isLeft = found !== undefined && found.ino !== own.ino
      await pause(look)
    }
  } finally {
    await current.close()
  }
}
