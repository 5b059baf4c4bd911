/**
 * The forms in which a file can be sent, and the memory of those that had to be made.
 *
 * Compressing 17 MB of script takes a quarter of a second: it is done off the event loop, once for all who wait, and kept
 * while it fits into 64 MB. Two at a time, because zlib's threads are also the file system's.
 * Not to forget: nothing here depends on who asked, so one client's going away stops nobody else's work.
 */
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from 'node:zlib'
import type { Coding } from './content-coding.ts'
import { mediaTypeOf } from './media-type.ts'
import { type Packing, readSource, type Source, sizeOf, type ViewerFile } from './viewer-file.ts'

const memory = 64 * 1024 ** 2
/** Below, the headers outweigh what is saved. */
const smallest = 1024
/** Above, compressing costs more than it saves: such files go out as they are. */
const largest = 32 * 1024 ** 2
const atOneTime = 2

const brotli = promisify(brotliCompress)
const unbrotli = promisify(brotliDecompress)
const pack = promisify(gzip)
const unpack = promisify(gunzip)

/** What the file can be sent as, best first. */
export function offeredCodings({ name, plain, packed }: ViewerFile): readonly Coding[] {
  const size = plain === undefined ? 0 : sizeOf(plain)
  const made: Coding[] = size <= largest ? ['br', 'gzip'] : []
  const worthIt = plain === undefined || (mediaTypeOf(name).compressible && size >= smallest && size <= largest)
  // What lies there packed costs nothing; what is binary or small is packed only for who takes nothing else.
  return [...new Set<Coding>([...packed.keys(), ...(worthIt ? made : []), 'identity', ...made])]
}

export interface Variants {
  /** The bytes of the file in this coding, one of `offeredCodings`. */
  inCoding(file: ViewerFile, coding: Coding): Promise<Source>
}

export function createVariants(): Variants {
  // In the order of last use: the first key is the first to go.
  const kept = new Map<string, Buffer>()
  const inWork = new Map<string, Promise<Buffer>>()
  const waiting: (() => void)[] = []
  let keptBytes = 0
  let running = 0

  async function turn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= atOneTime) await new Promise<void>(resolve => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }

  function keep(key: string, bytes: Buffer): void {
    if (bytes.length > memory) return
    kept.set(key, bytes)
    keptBytes += bytes.length
    for (const [oldest, { length }] of kept) {
      if (keptBytes <= memory) return
      kept.delete(oldest)
      keptBytes -= length
    }
  }

  async function made(key: string, make: () => Promise<Buffer>): Promise<Source> {
    const held = kept.get(key)
    if (held !== undefined) {
      kept.delete(key)
      kept.set(key, held)
      return { kind: 'memory', bytes: held }
    }
    const begun = inWork.get(key)
    if (begun !== undefined) return { kind: 'memory', bytes: await begun }
    const work = turn(make)
    inWork.set(key, work)
    try {
      const bytes = await work
      keep(key, bytes)
      return { kind: 'memory', bytes }
    } finally {
      inWork.delete(key)
    }
  }

  return {
    async inCoding(file, coding) {
      const ready = coding === 'identity' ? file.plain : file.packed.get(coding)
      if (ready !== undefined) return ready
      const path = [file.plain, ...file.packed.values()]
        .map(source => (source?.kind === 'disk' ? source.file : ''))
        .join()
      return await made(`${coding} ${file.version} ${path} ${file.name}`, async () => {
        const plain = await plainBytes(file)
        return coding === 'identity' ? plain : await compress(plain, coding)
      })
    },
  }
}

async function plainBytes({ plain, packed }: ViewerFile): Promise<Buffer> {
  if (plain !== undefined) return await readSource(plain)
  for (const [packing, source] of packed) {
    const bytes = await readSource(source)
    return packing === 'gzip' ? await unpack(bytes) : await unbrotli(bytes)
  }
  return Buffer.alloc(0)
}

const compress = (bytes: Buffer, packing: Packing): Promise<Buffer> =>
  packing === 'gzip'
    ? pack(bytes, { level: 6 })
    : brotli(bytes, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
      })
