/**
 * Installs the OHIF viewer: fetches it, checks it, unpacks it beside the target, and puts it in place.
 *
 *   already there? -> fetch -> check SHA-512 -> unpack -> swap
 *
 * Until the last step the folder that is there is not touched, so an install that is interrupted leaves the old viewer.
 * Not to forget: the default version is pinned by its SHA-512 here; for any other the word of the registry must do,
 * and the result says so.
 *
 * Source: Subresource Integrity (form of the hash); npm-pack(1).
 */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ViewerRefusal } from './install-refusal.ts'
import { type InstalledViewer, isReplaceable, readInstalled, writeInstalled } from './installed.ts'
import { isVersion, npmClient } from './npm-client.ts'
import { integrityOf, unpackViewer } from './unpack.ts'

export const defaultViewerVersion = '3.13.2'

const pinned: ReadonlyMap<string, string> = new Map([
  ['3.13.2', 'sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=='],
])

export type InstallProgress =
  /** Said again every second: npm keeps what has arrived to itself. */
  | { readonly step: 'fetch'; readonly version: string; readonly seconds: number }
  | { readonly step: 'check' }
  | { readonly step: 'unpack'; readonly files: number; readonly bytes: number }

export interface InstallWishes {
  /** The folder that is to hold the viewer. */
  readonly root: string
  readonly version?: string
  /** The package as a file, for machines without network; absent: npm fetches it. */
  readonly archive?: string
  readonly onProgress?: (progress: InstallProgress) => void
  readonly signal?: AbortSignal
  /** The npm to run; `npm` when absent. */
  readonly npm?: string
}

export interface InstallResult extends InstalledViewer {
  /** 'present': this very version was there already, nothing was done. */
  readonly outcome: 'installed' | 'present'
  /** By what the content was judged: our own pin, or only the registry's statement, or nothing but the file itself. */
  readonly checkedAgainst: 'pin' | 'registry' | 'nothing'
}

/** Rejects with a ViewerRefusal that names the cure, or with what the disk said. */
export async function installViewer(wishes: InstallWishes): Promise<InstallResult> {
  const { version = defaultViewerVersion, archive, onProgress = () => undefined, signal } = wishes
  const root = resolve(wishes.root)
  if (!isVersion(version))
    throw new ViewerRefusal('version-invalid', `"${version}" is no version; write one like 3.13.2.`)
  const checkedAgainst = pinned.has(version) ? 'pin' : archive === undefined ? 'registry' : 'nothing'

  const before = await readInstalled(root)
  if (before?.version === version) return { ...before, outcome: 'present', checkedAgainst }
  if (!(await isReplaceable(root))) {
    const cure = 'Name another folder, or move this one away.'
    throw new ViewerRefusal('folder-taken', `${root} holds files that did not come from this command. ${cure}`)
  }

  await mkdir(dirname(root), { recursive: true })
  await sweep(root)
  // Beside the target, because a rename works on one file system only.
  const draft = await mkdtemp(`${root}${draftMark}`)
  try {
    const file = archive ?? (await fetch(version, draft, wishes))
    onProgress({ step: 'check' })
    const integrity = await integrityOf(file, signal)
    const expected =
      pinned.get(version) ?? (archive === undefined ? await npmOf(wishes).integrity(version, signal) : integrity)
    if (integrity !== expected) {
      const seen = `It is ${integrity}, but ${expected} is expected`
      throw new ViewerRefusal('integrity-mismatch', `The package is not the one that was published. ${seen}.`)
    }
    const folder = join(draft, 'viewer')
    await mkdir(folder, { mode: 0o755 })
    const unpacked = await unpackViewer(file, folder, sums => onProgress({ step: 'unpack', ...sums }), signal)
    if (
      !(await stat(join(folder, 'index.html')).then(
        facts => facts.isFile(),
        () => false,
      ))
    ) {
      throw new ViewerRefusal('archive-incomplete', 'The archive holds no built viewer (package/dist/index.html).')
    }
    const installed: InstalledViewer = { version, integrity, ...unpacked }
    await writeInstalled(folder, installed)
    signal?.throwIfAborted()
    await swap(folder, root, join(draft, 'old'))
    return { ...installed, outcome: 'installed', checkedAgainst }
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

const draftMark = '.installing-'
const npmOf = ({ npm = 'npm' }: InstallWishes) => npmClient(npm)

async function fetch(version: string, folder: string, wishes: InstallWishes): Promise<string> {
  const begun = Date.now()
  const tell = () => wishes.onProgress?.({ step: 'fetch', version, seconds: Math.round((Date.now() - begun) / 1000) })
  tell()
  const ticking = setInterval(tell, 1_000)
  try {
    return await npmOf(wishes).fetch(version, folder, wishes.signal)
  } finally {
    clearInterval(ticking)
  }
}

/** Two renames; if the second fails, the first is taken back. Requests that are being answered keep their open files. */
async function swap(fresh: string, root: string, old: string): Promise<void> {
  const there = await rename(root, old).then(
    () => true,
    cause => {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return false
      throw cause
    },
  )
  try {
    await rename(fresh, root)
  } catch (cause) {
    if (there) await rename(old, root)
    throw cause
  }
}

/** Removes what installs that were killed have left behind; younger than a day may be at work. */
async function sweep(root: string): Promise<void> {
  for (const name of await readdir(dirname(root))) {
    if (!name.startsWith(`${basename(root)}${draftMark}`)) continue
    const path = join(dirname(root), name)
    const facts = await stat(path).catch(() => undefined)
    if (facts !== undefined && Date.now() - facts.mtimeMs > 86_400_000) await rm(path, { recursive: true, force: true })
  }
}
