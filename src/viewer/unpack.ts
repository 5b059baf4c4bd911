/**
 * Unpacks the viewer out of the npm package: what lies under package/dist, without source maps, and the licence.
 *
 * Not to forget: a link, a device, or a path that leads outside is a reason to refuse the whole archive, not to skip an
 * entry. Times are those of unpacking: the package's are all alike and would make two versions of a file look the same.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { extract, type ReadEntry } from 'tar'
import { ViewerRefusal } from './install-refusal.ts'

export interface Unpacked {
  readonly files: number
  readonly bytes: number
}

/** Several times what OHIF 3.13 needs. */
const mostBytes = 2 * 1024 ** 3
const mostFiles = 20_000

/** As npm writes it: `sha512-` and Base64. */
export async function integrityOf(archive: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha512')
  await pipeline(createReadStream(archive), hash, { ...(signal && { signal }) })
  return `sha512-${hash.digest('base64')}`
}

/** @param report  told after each file, with the sums so far */
export async function unpackViewer(
  archive: string,
  folder: string,
  report: (sofar: Unpacked) => void,
  signal: AbortSignal | undefined,
): Promise<Unpacked> {
  let files = 0
  let bytes = 0
  let unsafe: string | undefined

  const wanted = (path: string, entry: ReadEntry): boolean => {
    if (signal?.aborted) return false // tar cannot be thrown out of: the rest is read and dropped
    unsafe ??= problemOf(path, entry)
    if (unsafe !== undefined || !path.startsWith('package/dist/') || path.endsWith('.map')) return false
    if (entry.type === 'Directory') return true
    files += 1
    bytes += entry.size
    if (bytes > mostBytes || files > mostFiles) unsafe = 'it is larger than any viewer'
    else report({ files, bytes })
    return unsafe === undefined
  }
  // The signature allows a Stats, which only `create` hands over.
  const unpack = async (strip: number, filter: (path: string, entry: ReadEntry) => boolean) =>
    await extract({
      file: archive,
      cwd: folder,
      strip,
      filter: (path, entry) => filter(path, entry as ReadEntry),
      ...terms,
    })
  try {
    await unpack(2, wanted)
    if (unsafe === undefined) await unpack(1, path => path === 'package/LICENSE')
  } catch (cause) {
    signal?.throwIfAborted()
    if (isOfTheDisk(cause)) throw cause
    throw new ViewerRefusal('archive-unreadable', `The archive cannot be unpacked: ${String(cause)}`, { cause })
  }
  signal?.throwIfAborted()
  if (unsafe !== undefined) throw new ViewerRefusal('archive-unsafe', `The archive is refused: ${unsafe}.`)
  return { files, bytes }
}

const terms = {
  strict: true,
  preservePaths: false,
  noMtime: true,
  preserveOwner: false,
  fmode: 0o644,
  dmode: 0o755,
} as const

function problemOf(path: string, { type, size }: Pick<ReadEntry, 'type' | 'size'>): string | undefined {
  const shown = JSON.stringify(path.slice(0, 200))
  if (!['File', 'OldFile', 'ContiguousFile', 'Directory'].includes(type)) return `${shown} is a ${type}, not a file`
  if (path.startsWith('/') || /(^|[\\/])\.\.([\\/]|$)|\\|\0/.test(path)) return `${shown} leads outside`
  return Number.isSafeInteger(size) && size >= 0 ? undefined : `${shown} has no size`
}

/** A full disk or a forbidden folder is not the archive's doing. */
const isOfTheDisk = (cause: unknown): boolean =>
  cause instanceof Error &&
  'code' in cause &&
  ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EIO', 'EPERM'].includes(String(cause.code))
