/**
 * Commands that touch the state run as the account that owns it, and as no other.
 *
 * Root may write everywhere, and that is the trap: what root leaves in the state directory (0600) the gateway can no
 * longer open. So a command is refused before it writes, and the account is named.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { CommandEnd } from './report.ts'
import { shownPath } from './shown-path.ts'

/** Makes the directory (0700) where there is none yet. @throws CommandEnd 2 where it belongs to somebody else */
export function refuseForeignOwner(directory: string): void {
  refuseForeign(directory)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
}

/** The same for what is only made on demand: nothing is made, and what is not there belongs to nobody. */
export function refuseForeign(directory: string): void {
  const own = process.geteuid?.()
  const owner = statSync(directory, { throwIfNoEntry: false })?.uid
  if (own === undefined || owner === undefined || owner === own) return
  const [theirs, ours] = [owner, own].map(uid => accountName(uid) ?? `uid ${uid}`)
  const shown = shownPath(directory)
  const why = 'the gateway could not open files that another account leaves there'
  const sudo = `sudo -u ${accountName(owner) ?? `'#${owner}'`} sallyport …`
  throw new CommandEnd(
    2,
    `${shown} belongs to ${theirs}, and this is ${ours}: ${why}`,
    owner === 0
      ? `if the gateway runs as ${ours}: sudo chown -R ${ours} ${shown}; else run this as root`
      : `run it as the owner: ${sudo}`,
  )
}

/** Of the account that a file belongs to. */
export function ownerName(file: string): string | undefined {
  const owner = statSync(file, { throwIfNoEntry: false })?.uid
  return owner === undefined ? undefined : accountName(owner)
}

/** Undefined: the account has a number and no name, as in many containers. */
function accountName(uid: number): string | undefined {
  try {
    // Asked of `id`, because accounts may stand in a directory and not in /etc/passwd.
    return execFileSync('id', ['-nu', String(uid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
