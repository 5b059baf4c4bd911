/**
 * users.yaml: reading it with care, and writing it whole.
 *
 * The one fact not to forget: two may write at once (the gateway, a command), so a writer holds the lock file beside it
 * from the moment it reads to the moment it has replaced the file, and does nothing slow in between.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Document, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import { z } from 'zod'
import { PersonName } from '../config/scalars.ts'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { Fault } from '../kernel/fault.ts'
import { readPasswordHash } from './password-hash.ts'

const Account = z.strictObject({
  name: PersonName,
  groups: z.array(PersonName).default([]),
  password: z
    .string()
    .refine(text => readPasswordHash(text) !== undefined, 'this is no scrypt hash; use "sallyport users passwd"'),
  locked: z.boolean().default(false),
  createdAt: z.iso.datetime(),
})
const AccountFile = z.strictObject({ accounts: z.array(Account).default([]) })

/** As it stands in the file: `password` is the hash. */
export type AccountRecord = z.output<typeof Account>

/** What is wrong with the file, for a log or a terminal. Holds no hash. */
export class AccountFileError extends Error {
  override readonly name = 'AccountFileError'
}

const broken = (file: string, line: number | undefined, why: string): Fault =>
  new Fault('state-unavailable', {
    about: 'local accounts',
    cause: new AccountFileError(`${file}${line === undefined ? '' : `:${line}`}: ${why}`),
  })

/** @param file  for messages only */
export function parseAccounts(text: string, file: string): AccountRecord[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: false, uniqueKeys: true, stringKeys: true })
  const [error] = document.errors
  if (error !== undefined)
    throw broken(file, error.linePos?.[0].line, `not valid YAML: ${error.message.split('\n')[0]}`)

  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    for (let length = path.length; length > 0; length--) {
      const holder = document.getIn(path.slice(0, length - 1), true)
      const last = String(path[length - 1])
      const key = isMap(holder)
        ? holder.items.find(({ key }) => isScalar(key) && String(key.value) === last)?.key
        : undefined
      const node = key ?? document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return undefined
  }
  visit(document, {
    // An alias has no business here, and could be built to unfold without end.
    Alias: (_, { range }) => {
      throw broken(file, range ? lines.linePos(range[0]).line : undefined, 'aliases (*) are not for this file')
    },
  })
  const parsed = AccountFile.safeParse(document.toJS() ?? {})
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])]
    throw broken(
      file,
      lineOf(path),
      unknown === undefined ? `${path.join('.')}: ${issue?.message}` : `unknown key "${unknown}"`,
    )
  }
  const { accounts } = parsed.data
  const twice = accounts.findIndex(({ name }, at) => accounts.findIndex(other => other.name === name) !== at)
  if (twice >= 0)
    throw broken(
      file,
      lineOf(['accounts', twice, 'name']),
      `the name "${accounts[twice]?.name}" stands here a second time`,
    )
  return accounts
}

const heading = ' Local accounts. Passwords are hashes: change them with "sallyport users".'

export function formatAccounts(accounts: readonly AccountRecord[]): string {
  const document = new Document({ accounts }, { aliasDuplicateObjects: false })
  document.commentBefore = heading
  return document.toString({ lineWidth: 0 })
}

export interface FileContent {
  readonly accounts: readonly AccountRecord[]
  /** Equal as long as the file is the same. */
  readonly stamp: string
}

const missing: FileContent = { accounts: [], stamp: 'missing' }
/** Milliseconds. Editors empty a file, or move it away, before they write it: nobody is signed out in between. */
const saving = 2_000

/** @param known  what was read before; given back if the file has not changed */
export function readAccountFile(file: string, known?: FileContent): FileContent {
  const refuseToLose = (changedAt: number) => {
    if (known !== undefined && known.accounts.length > 0 && Math.abs(Date.now() - changedAt) < saving)
      throw broken(file, undefined, 'held accounts a moment ago, and is empty or gone')
  }
  try {
    const descriptor = openSync(file, 'r')
    try {
      const { ino, size, mtimeNs } = fstatSync(descriptor, { bigint: true })
      const stamp = `${ino} ${size} ${mtimeNs}`
      if (known?.stamp === stamp) return known
      if (size === 0n) refuseToLose(Number(mtimeNs / 1_000_000n))
      return { accounts: parseAccounts(readFileSync(descriptor, 'utf8'), file), stamp }
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) {
      refuseToLose(statSync(dirname(file), { throwIfNoEntry: false })?.mtimeMs ?? 0)
      return missing
    }
    if (cause instanceof Error && 'syscall' in cause)
      throw new Fault('state-unavailable', { cause, about: 'local accounts' })
    throw cause
  }
}

const hasCode = (cause: unknown, code: string): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === code

const lockPatience = 5_000
/** A change takes milliseconds. A lock that is older was left behind by a process that died. */
const lockAge = 30_000

/** Where accounts stand: this file, or what several machines share in its stead. */
export interface AccountSource {
  /** For messages. */
  readonly place: string
  /** @param known  what was read before; given back if it is the same */
  read(known?: FileContent): FileContent
  /** As one step. `change` gives undefined to leave it as it is. */
  change(change: (accounts: readonly AccountRecord[]) => readonly AccountRecord[] | undefined): Promise<boolean>
}

export const accountsIn = (file: string): AccountSource => ({
  place: file,
  read: known => readAccountFile(file, known),
  change: change => changeAccountFile(file, change),
})

/** Reads, changes and replaces the file as one step. `change` gives undefined to leave it as it is. */
export async function changeAccountFile(
  file: string,
  change: (accounts: readonly AccountRecord[]) => readonly AccountRecord[] | undefined,
): Promise<boolean> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const lock = `${file}.lock`
  await takeLock(lock)
  try {
    const changed = change(readAccountFile(file).accounts)
    if (changed === undefined) return false
    writeFileAtomically(file, formatAccounts(changed), 0o600)
    return true
  } finally {
    rmSync(lock, { force: true })
  }
}

async function takeLock(lock: string): Promise<void> {
  for (const started = Date.now(); ; await sleep(20)) {
    try {
      return closeSync(openSync(lock, 'wx', 0o600))
    } catch (cause) {
      if (!hasCode(cause, 'EEXIST')) {
        throw new Fault('state-unavailable', { cause, about: 'local accounts' })
      }
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (age > lockAge) rmSync(lock, { force: true })
      else if (Date.now() - started > lockPatience) {
        throw new Fault('state-unavailable', { cause, about: `local accounts: ${lock} is held by another command` })
      }
    }
  }
}
