/**
 * A name and a password against the directory, for people whom it knows or may know: the steps of OMERO's provider.
 *
 *   known account   read the entry -> is it still theirs -> bind -> is it open -> groups -> account brought up to date
 *   unknown name    find the entry -> bind -> is it open -> groups -> account made
 *
 * Not to forget: nothing is written, and no group asked for, before the password was right; OMERO synchronizes whoever's
 * name is typed. Each way that is cut short pretends a bind, so that the directory has the same work with all.
 *
 * Source: OMERO LdapPasswordProvider 76-166, LdapPasswordProvider431, LdapImpl.
 */

import type { Reserved } from '../config/reserved-groups.ts'
import type { Clock } from '../kernel/clock.ts'
import { ignoreFault } from '../kernel/fault.ts'
import { takeTurnsByKey } from '../kernel/turns.ts'
import type { Directory } from '../ldap/directory.ts'
import { dnKey } from '../ldap/dn.ts'
import type { DirectoryGroup, PasswordAnswer, PasswordNotice, PersonEntry } from '../ldap/person.ts'
import type { RefusalReason } from './answer.ts'
import type { DirectoryAccount, DirectoryAccounts } from './directory-account.ts'
import { admit, isSameEntry } from './directory-admission.ts'
import { admissibleGroups } from './directory-groups.ts'
import type { LocalAccounts } from './local-accounts.ts'
import type { Throttle } from './throttle.ts'

export type PasswordDirectory = Pick<Directory, 'find' | 'read' | 'checkPassword' | 'groupsOf' | 'pretendToCheck'>

export interface DirectoryLoginParts {
  readonly directory: PasswordDirectory
  readonly accounts: Pick<DirectoryAccounts, 'find' | 'add' | 'update'>
  readonly local: Pick<LocalAccounts, 'find'>
  readonly binds: Throttle['binds']
  readonly syncOnLogin: boolean
  /** chained431: the user filter is asked at the first sign-in only, then the remembered entry is bound as it is. */
  readonly filterOnce: boolean
  readonly reserved: Reserved
  readonly clock: Clock
  readonly warn: (facts: Readonly<Record<string, unknown>>, message: string) => void
}

export type DirectoryVerdict =
  | { readonly kind: 'in'; readonly account: DirectoryAccount; readonly notice: PasswordNotice | undefined }
  /** `why` is for the audit trail. */
  | { readonly kind: 'out'; readonly reason: RefusalReason; readonly why: string }

/**
 * May throw the faults of Directory and of DirectoryAccounts.
 *
 * @param isFamiliar  whether they have come in from there before
 */
export type DirectoryLogin = (name: string, password: string, isFamiliar: boolean) => Promise<DirectoryVerdict>

const out = (why: string, reason: RefusalReason = 'wrong-credentials'): DirectoryVerdict & { kind: 'out' } => ({
  kind: 'out',
  reason,
  why,
})

const reasons = {
  wrong: 'wrong-credentials',
  expired: 'password-expired',
  'must-change': 'password-must-change',
} as const satisfies Record<(PasswordAnswer & { right: false })['reason'], RefusalReason>

export function createDirectoryLogin(parts: DirectoryLoginParts): DirectoryLogin {
  const { directory, accounts, local, binds, clock } = parts
  const syncOnLogin = parts.syncOnLogin && !parts.filterOnce
  // One entry may answer to several names: the next try waits until it is known what became of this one.
  const inTurnOfEntry = takeTurnsByKey({ waiting: 16, about: 'sign-ins of one entry of the directory' })

  async function pretend(why: string): Promise<DirectoryVerdict & { kind: 'out' }> {
    await directory.pretendToCheck()
    return out(why)
  }

  function bind(entry: PersonEntry, password: string, isFamiliar: boolean): Promise<PasswordAnswer> {
    const key = entry.id ?? dnKey(entry.dn) ?? entry.dn
    return inTurnOfEntry(key, async () => {
      await binds.learn(key)
      const spent = binds.refusal(key, isFamiliar)
      if (spent !== undefined) {
        await directory.pretendToCheck()
        return { right: false, reason: 'wrong', why: spent }
      }
      const answer = await directory.checkPassword(entry, password)
      if (answer.right) binds.taken(key)
      else if (answer.reason === 'wrong') {
        try {
          binds.refused(key)
        } catch (fault) {
          ignoreFault(fault) // it counts here all the same, and name and address behind it tell of the same fault
        }
      }
      return answer
    })
  }

  async function freshGroups(entry: PersonEntry): Promise<{ groups: readonly DirectoryGroup[]; why: string }> {
    const membership = await directory.groupsOf(entry)
    if (membership.kind === 'no-groups') return { groups: [], why: membership.why }
    const { groups, dropped } = admissibleGroups(membership.groups, parts.reserved)
    if (dropped.length === 0) return { groups, why: '' }
    parts.warn(
      { person: entry.name, dn: entry.dn, groups: dropped },
      'the directory names groups that it may not confer',
    )
    return { groups, why: `only groups that the directory may not confer: ${dropped.join(', ')}` }
  }

  /** After a right password. */
  async function letIn(
    entry: PersonEntry,
    known: DirectoryAccount | undefined,
    notice: PasswordNotice | undefined,
  ): Promise<DirectoryVerdict> {
    if (entry.closed !== undefined) return out(`directory: ${entry.dn}: ${entry.closed}`)
    // Who is known keeps what they have, where nothing is to be brought up to date.
    const asks = known === undefined || syncOnLogin
    const { groups, why } = asks ? await freshGroups(entry) : { groups: [], why: '' }
    const name = known?.name ?? entry.name
    const admission = await admit(
      { entry: { ...entry, name }, groups, at: clock.now(), signsIn: true },
      { accounts, local, syncOnLogin },
    )
    if (admission.kind === 'admitted') return { kind: 'in', account: admission.account, notice }
    return out(`directory: ${admission.why}${why === '' ? '' : ` (${why})`}`)
  }

  return async (name, password, isFamiliar) => {
    const known = accounts.find(name)
    const found = known !== undefined && parts.filterOnce ? await directory.read(known.dn) : await directory.find(name)
    if (found.kind === 'not-found') {
      return await pretend(
        `directory: ${found.why}${known === undefined ? '' : ` (the account is that of ${known.dn})`}`,
      )
    }
    const { entry } = found
    if (known?.locked === true) return await pretend('directory: the account is locked here')
    if (known !== undefined && !isSameEntry(known, entry)) {
      return await pretend(
        `directory: the account is that of ${known.dn}, and the name is now that of ${entry.dn}; if both are one person: sallyport accounts link ${known.name}`,
      )
    }
    const answer = await bind(entry, password, isFamiliar)
    if (!answer.right) return out(`directory: ${entry.dn}: ${answer.why}`, reasons[answer.reason])
    return await letIn(entry, known, answer.notice)
  }
}
