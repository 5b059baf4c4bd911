/**
 * Remembers what is installed in a viewer folder, in a small text file inside it.
 *
 * Not to forget: only a folder with this file in it was made by us, and only such a one may be replaced.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface InstalledViewer {
  readonly version: string
  readonly integrity: string
  readonly files: number
  readonly bytes: number
}

const fileName = 'VERSION'

export async function writeInstalled(
  folder: string,
  { version, integrity, files, bytes }: InstalledViewer,
): Promise<void> {
  const lines = [`version ${version}`, `integrity ${integrity}`, `files ${files}`, `bytes ${bytes}`]
  await writeFile(join(folder, fileName), `${lines.join('\n')}\n`, { mode: 0o644, flag: 'wx' })
}

/** Undefined: not installed by us, or not completely. */
export async function readInstalled(folder: string): Promise<InstalledViewer | undefined> {
  const text = await readFile(join(folder, fileName), 'utf8').catch(absent)
  if (text === undefined) return undefined
  const [, version, integrity, files, bytes] =
    /^version (\S+)\nintegrity (\S+)\nfiles (\d+)\nbytes (\d+)\n$/.exec(text) ?? []
  if (version === undefined || integrity === undefined) return undefined
  return { version, integrity, files: Number(files), bytes: Number(bytes) }
}

/** Whether the folder may be put in place of: it is not there, is empty, or was made by us. */
export async function isReplaceable(folder: string): Promise<boolean> {
  if ((await readInstalled(folder)) !== undefined) return true
  const names = await readdir(folder).catch(absent)
  return names === undefined || names.length === 0
}

function absent(cause: unknown): undefined {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
  throw cause
}
