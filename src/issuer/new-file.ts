/**
 * Writes a file that must not exist yet: whole or not at all, with its mode from the first byte on.
 *
 * Keys, certificates and PKCS#12 files all pass through here. It never replaces anything: an overwritten key is gone
 * for good, and with it every certificate that it signed or answers for.
 */
import { closeSync, openSync, rmSync } from 'node:fs'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { IssuerRefusal } from './refusal.ts'

/** For whatever holds a private key. */
export const secretMode = 0o600
/** For certificates, which are public. */
export const publicMode = 0o644

/** Refuses with `file-exists`, and then `file` is untouched; also for a link, whatever it points to. */
export function writeNewFile(file: string, content: string | Uint8Array, mode: number): void {
  // The name is taken before the content goes there: of two commands at the same time exactly one gets it. A hard link
  // would do it in one step, but not on the network file systems that volumes of containers often are.
  claim(file, mode)
  try {
    writeFileAtomically(file, content, mode)
  } catch (cause) {
    rmSync(file, { force: true })
    throw cause
  }
}

function claim(file: string, mode: number): void {
  try {
    closeSync(openSync(file, 'wx', mode))
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
    throw new IssuerRefusal('file-exists', `${file} exists and is not overwritten: move it away first`, { cause })
  }
}
