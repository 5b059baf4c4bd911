/**
 * The accounts of the gateway itself, for those whom no directory knows, and for the day it is down.
 *
 * Reading looks at the file each time (and parses it only when it changed), so that a command that locks somebody works
 * at once; `lately`, which each request asks, does so four times a second at most. A file that cannot be read is a Fault('state-unavailable'), never "no accounts": a name that might be local
 * must not be looked up elsewhere. What a person may see of "unknown", "wrong" and "locked" is not decided here.
 */
import { createHash } from 'node:crypto'
import { PersonName } from '../config/scalars.ts'
import type { Clock } from '../kernel/clock.ts'
import { freshFor } from '../kernel/state-database.ts'
import { type AccountRecord, type AccountSource, accountsIn, type FileContent } from './account-file.ts'
import { hashPassword, isPassword, pretendToCheck } from './password-hash.ts'

export type LocalAccount = Omit<AccountRecord, 'password'>

export type LocalAnswer =
  | { readonly kind: 'right'; readonly account: LocalAccount }
  | { readonly kind: 'unknown' | 'wrong' | 'locked' }

export type Added = 'added' | 'name-taken' | 'bad-name' | 'bad-password'

/** All of them may throw Fault('state-unavailable'); its cause names file and line. */
export interface LocalAccounts {
  list(): readonly LocalAccount[]
  find(name: string): LocalAccount | undefined
  /** The same for what is asked at each request: of a quarter of a second ago at most. */
  lately(name: string): LocalAccount | undefined
  /** Another text whenever anything about this account is another; undefined while there is none. */
  version(name: string): string | undefined
  /** Takes as long for every answer. May throw Fault('overloaded'). */
  verify(name: string, password: string): Promise<LocalAnswer>
  add(account: { name: string; groups: readonly string[]; password: string }): Promise<Added>
  /** False: no such account, or a password that nobody could type in (usablePassword). */
  setPassword(name: string, password: string): Promise<boolean>
  setLocked(name: string, locked: boolean): Promise<boolean>
  remove(name: string): Promise<boolean>
}

/** Characters. Nobody types more, and hashing is not to be had for megabytes. */
export const longestPassword = 1024

/** What no realm ever takes: empty or blank (an anonymous bind), with NUL, or longer than a password is. */
export const usablePassword = (password: string): boolean =>
  password.trim() !== '' && !password.includes('\0') && password.length <= longestPassword

/** @param file  or where they stand in its stead */
export function openLocalAccounts({ file, clock }: { file: string | AccountSource; clock: Clock }): LocalAccounts {
  const source = typeof file === 'string' ? accountsIn(file) : file
  let content: FileContent | undefined
  let byName = new Map<string, AccountRecord>()
  let readAt = Number.NEGATIVE_INFINITY
  const records = (): readonly AccountRecord[] => {
    const read = source.read(content)
    readAt = performance.now()
    if (read !== content) byName = new Map(read.accounts.map(account => [account.name, account]))
    content = read
    return read.accounts
  }
  const known = (name: string): LocalAccount | undefined => {
    const record = byName.get(name)
    return record && publicPart(record)
  }
  const recordOf = (name: string) => {
    records()
    return byName.get(name)
  }

  const change = (name: string, changed: (account: AccountRecord) => AccountRecord | undefined): Promise<boolean> =>
    source.change(accounts => {
      if (!accounts.some(account => account.name === name)) return undefined
      return accounts.flatMap(account => (account.name === name ? (changed(account) ?? []) : account))
    })

  return {
    list: () => records().map(publicPart),
    find(name) {
      records()
      return known(name)
    },
    lately(name) {
      if (performance.now() - readAt >= freshFor) records()
      return known(name)
    },
    version(name) {
      const record = recordOf(name)
      return record && createHash('sha256').update(JSON.stringify(record)).digest('base64url')
    },

    async verify(name, password) {
      const record = recordOf(name)
      if (record === undefined) {
        await pretendToCheck(password)
        return { kind: 'unknown' }
      }
      const right = await isPassword(password, record.password)
      // scrypt cannot tell a password from the same with a NUL behind it (HMAC fills its key up with zeros).
      if (!right || !usablePassword(password)) return { kind: 'wrong' }
      return record.locked ? { kind: 'locked' } : { kind: 'right', account: publicPart(record) }
    },

    async add({ name, groups, password }) {
      if (![name, ...groups].every(one => PersonName.safeParse(one).success)) return 'bad-name'
      if (!usablePassword(password)) return 'bad-password'
      // Before the lock is taken: this is slow on purpose.
      const hash = await hashPassword(password)
      const createdAt = new Date(clock.now()).toISOString()
      const added = await source.change(accounts => {
        if (accounts.some(account => account.name === name)) return undefined
        return [...accounts, { name, groups: [...groups], password: hash, locked: false, createdAt }]
      })
      return added ? 'added' : 'name-taken'
    },

    async setPassword(name, password) {
      if (!usablePassword(password)) return false
      const hash = await hashPassword(password)
      return change(name, account => ({ ...account, password: hash }))
    },
    setLocked: (name, locked) => change(name, account => ({ ...account, locked })),
    remove: name => change(name, () => undefined),
  }
}

const publicPart = ({ password: _, ...account }: AccountRecord): LocalAccount => account
