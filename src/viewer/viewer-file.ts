/**
 * Finds the file that a path of the viewer means. It reads nothing of the content.
 *
 * Not to forget: what is found lies inside the root after every link is followed, has no segment that begins with a
 * dot, and is a plain file. Everything else does not exist, whatever the disk says.
 *
 * The image of OHIF empties every script and leaves its .gz beside it; such a file is called hollow here.
 * Source: OHIF, .docker/compressDist.sh.
 */
import { constants, type Stats } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { Fault } from '../kernel/fault.ts'

export type Packing = 'br' | 'gzip'

/** Bytes as they lie on the disk or in memory. */
export type Source =
  | { readonly kind: 'disk'; readonly file: string; readonly size: number }
  | { readonly kind: 'memory'; readonly bytes: Buffer }

export interface ViewerFile {
  /** The last segment of its path. */
  readonly name: string
  /** Differs whenever the content differs. */
  readonly version: string
  /** Undefined for a hollow file: its content is in `packed` only. */
  readonly plain: Source | undefined
  /** The same content, compressed by whoever built the viewer. */
  readonly packed: ReadonlyMap<Packing, Source>
}

/** Decodes the path once. Undefined: no file can have such a path. @param path  canonical */
export function segmentsOf(path: string): readonly string[] | undefined {
  const segments: string[] = []
  for (const escaped of path.split('/')) {
    if (escaped === '') continue
    const segment = decodeSegment(escaped)
    if (segment === undefined || segment.startsWith('.') || /[/\\\p{Cc}]/u.test(segment)) return undefined
    segments.push(segment)
  }
  return segments
}

function decodeSegment(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return undefined // the only way it says that the escapes are broken
  }
}

/** Undefined when there is no such file. Faults: viewer-missing when the root itself is not there. */
export async function findFile(root: string, segments: readonly string[]): Promise<ViewerFile | undefined> {
  const home = await realpath(root).catch(cause => {
    throw new Fault('viewer-missing', { cause, about: root })
  })
  const path = join(home, ...segments)
  const found = await lookUp(home, path)
  if (found === undefined) return undefined

  const packed = new Map<Packing, Source>()
  let { version } = found
  for (const [packing, ending] of [
    ['br', '.br'],
    ['gzip', '.gz'],
  ] as const) {
    const sibling = await lookUp(home, path + ending)
    if (sibling === undefined || sibling.size === 0) continue
    // Older than the file itself: someone changed the file and forgot its packed form.
    if (found.size > 0 && sibling.changed < found.changed) continue
    packed.set(packing, { kind: 'disk', file: sibling.file, size: sibling.size })
    if (found.size === 0) version = sibling.version
  }
  const hollow = found.size === 0 && packed.size > 0
  return {
    name: segments.at(-1) ?? '',
    version,
    plain: hollow ? undefined : { kind: 'disk', file: found.file, size: found.size },
    packed,
  }
}

interface OnDisk {
  readonly file: string
  readonly size: number
  readonly changed: number
  readonly version: string
}

async function lookUp(home: string, path: string): Promise<OnDisk | undefined> {
  try {
    const file = await realpath(path)
    const inside = relative(home, file).split(sep)
    if (inside.some(segment => segment === '' || segment.startsWith('.'))) return undefined
    const facts = await stat(file)
    return facts.isFile() ? { file, size: facts.size, changed: facts.mtimeMs, version: versionOf(facts) } : undefined
  } catch (cause) {
    if (isAbsence(cause)) return undefined
    throw new Fault('viewer-missing', { cause, about: path })
  }
}

const versionOf = ({ size, mtimeMs }: Stats): string => `${size.toString(16)}-${Math.round(mtimeMs).toString(16)}`

const isAbsence = (cause: unknown): boolean =>
  cause instanceof Error &&
  'code' in cause &&
  typeof cause.code === 'string' &&
  ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(cause.code)

/** Opens what findFile has found; a link that took its place meanwhile is not followed. */
export const openFound = (file: string) =>
  open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch(cause => {
    throw new Fault('viewer-missing', { cause, about: file })
  })

export async function readSource(source: Source): Promise<Buffer> {
  if (source.kind === 'memory') return source.bytes
  await using handle = await openFound(source.file)
  return await handle.readFile()
}

export const sizeOf = (source: Source): number => (source.kind === 'memory' ? source.bytes.length : source.size)
