/**
 * What the gateway remembers of a person of the directory: types only.
 *
 * Not to forget: whoever has such an account is asked of the directory and of nothing else, also where a local account
 * of the same name lies dormant in users.yaml; `accounts unlink` wakes that one up.
 *
 * Source: OMERO experimenter and its `ldap` flag; LdapImpl (which groups a synchronization may touch).
 */
import type { Eventually } from '../kernel/eventually.ts'
import type { Particulars } from '../ldap/person.ts'

export interface AccountGroup {
  readonly name: string
  /** Only those of the directory are taken away by a synchronization. */
  readonly source: 'directory' | 'local'
  /** Of the directory's `newUserGroupOwner`. */
  readonly owner: boolean
}

export interface DirectoryAccount {
  /** As the directory spelt it at the first sign-in. */
  readonly name: string
  /** Of the entry at the last sign-in, or of `accounts link`. */
  readonly dn: string
  /** PersonEntry.id; undefined: the directory names its entries by DN only. */
  readonly entryId: string | undefined
  readonly particulars: Particulars
  readonly groups: readonly AccountGroup[]
  /** By `sallyport users lock`: nobody comes in as them, whatever the directory says. */
  readonly locked: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Milliseconds since 1970; undefined: never yet. */
  readonly lastLoginAt: number | undefined
}

/** All of them may throw Fault('state-unavailable'), or reject with it; only writing has to be waited for. */
export interface DirectoryAccounts extends Disposable {
  /** @param name  from outside, may hold anything; compared exactly */
  find(name: string): DirectoryAccount | undefined
  /** The same for what is asked at each request: of a quarter of a second ago at most, where another program writes. */
  lately(name: string): DirectoryAccount | undefined
  /** By name. */
  list(): readonly DirectoryAccount[]
  /** Another text whenever anything but the time of the last sign-in is another; undefined while there is none. */
  version(name: string): string | undefined
  /** False: the name has an account already. */
  add(account: DirectoryAccount): Eventually<boolean>
  /** False: there is none. */
  update(name: string, changed: Partial<Omit<DirectoryAccount, 'name' | 'createdAt'>>): Eventually<boolean>
  /** False: there was none. */
  remove(name: string): Eventually<boolean>
}

/** One that waits for nothing. */
export interface FileDirectoryAccounts extends DirectoryAccounts {
  add(account: DirectoryAccount): boolean
  update(...given: Parameters<DirectoryAccounts['update']>): boolean
  remove(name: string): boolean
}
