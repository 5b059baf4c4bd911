/**
 * Writes a file so that a reader sees the old text or the new one, never half of it, and a crash leaves one of both.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** @param mode  permission bits of the new file, e.g. 0o600 for whatever is secret */
export function writeFileAtomically(file: string, text: string | Uint8Array, mode: number): void {
  const draft = join(dirname(file), `.${randomBytes(6).toString('hex')}.draft`)
  // wx: never follows a link that someone put there first.
  const descriptor = openSync(draft, 'wx', mode)
  try {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
    fsyncSync(descriptor)
  } catch (cause) {
    rmSync(draft, { force: true })
    throw cause
  } finally {
    closeSync(descriptor)
  }
  renameSync(draft, file)
}
