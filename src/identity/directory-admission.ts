/**
 * What becomes of somebody whom the directory has found: the account is made at the first visit, brought up to date at
 * later ones, or the visit is refused.
 *
 * It asks nobody: neither the directory, nor whether a password is right. Not to forget: an account belongs to one entry.
 * Another entry of the same name is somebody else, and gets nothing of what the first one had.
 *
 * Source: OMERO LdapPasswordProvider (one entry for an account), LdapImpl 303-424 (synchronization).
 */
import { sameDn } from '../ldap/dn.ts'
import type { DirectoryGroup, PersonEntry } from '../ldap/person.ts'
import type { DirectoryAccount, DirectoryAccounts } from './directory-account.ts'
import { synchronized } from './directory-groups.ts'
import type { LocalAccounts } from './local-accounts.ts'
import { groupSet } from './principal.ts'

export interface Visit {
  readonly entry: Pick<PersonEntry, 'name' | 'dn' | 'id' | 'particulars'>
  /** What the directory confers now, without reserved names; of no account for who is known, without `syncOnLogin`. */
  readonly groups: readonly DirectoryGroup[]
  /** Milliseconds since 1970. */
  readonly at: number
  /** False: somebody who is in already is only looked after. */
  readonly signsIn: boolean
}

export type Admission =
  | { readonly kind: 'admitted'; readonly account: DirectoryAccount }
  /** `why` is for the audit trail. */
  | { readonly kind: 'refused'; readonly reason: RefusedAdmission; readonly why: string }

type RefusedAdmission = 'locked' | 'moved' | 'no-groups' | 'local-account'

export interface AdmissionParts {
  readonly accounts: Pick<DirectoryAccounts, 'find' | 'add' | 'update'>
  readonly local: Pick<LocalAccounts, 'find'>
  /** `realms.directory.syncOnLogin`: false leaves groups and particulars as they were at the first visit. */
  readonly syncOnLogin: boolean
}

/** Whether an entry is the one that the account was made for; an id outlives a change of name, so it comes first. */
export function isSameEntry(
  { dn, entryId }: Pick<DirectoryAccount, 'dn' | 'entryId'>,
  entry: Pick<PersonEntry, 'dn' | 'id'>,
): boolean {
  return entryId !== undefined && entry.id !== undefined ? entryId === entry.id : sameDn(dn, entry.dn)
}

export const groupNames = ({ groups }: Pick<DirectoryAccount, 'groups'>): ReadonlySet<string> =>
  groupSet(groups, ({ name }) => name)

/** @returns the account as it stands afterwards. May throw Fault('state-unavailable') */
export async function admit(visit: Visit, parts: AdmissionParts): Promise<Admission> {
  const { entry, groups, at, signsIn } = visit
  const { accounts, local, syncOnLogin } = parts
  const { name, dn, particulars } = entry
  const no = (reason: RefusedAdmission, why: string): Admission => ({ kind: 'refused', reason, why })

  const known = accounts.find(name)
  if (known?.locked === true) return no('locked', 'the account is locked here')
  if (known !== undefined && !isSameEntry(known, entry))
    return no('moved', `the account belongs to another entry, ${known.dn}, and not to ${dn}`)
  const none = `the directory confers no group on ${dn}`

  if (known === undefined) {
    // Added, or unlinked, while the directory was being asked: it must not fall asleep under an account made here.
    if (local.find(name) !== undefined) return no('local-account', 'there is a local account of this name by now')
    if (groups.length === 0) return no('no-groups', none)
    const account: DirectoryAccount = {
      ...{ name, dn, entryId: entry.id, particulars, groups: synchronized([], groups), locked: false },
      ...{ createdAt: at, lastLoginAt: signsIn ? at : undefined },
    }
    // Somebody was faster, perhaps from another entry: judged again by what they have made.
    return (await accounts.add(account)) ? { kind: 'admitted', account } : admit(visit, parts)
  }
  const current: DirectoryAccount = {
    ...known,
    ...{ dn, entryId: entry.id ?? known.entryId },
    ...(syncOnLogin ? { particulars, groups: synchronized(known.groups, groups) } : {}),
  }
  // Those of our own giving are enough; and what was lost is written down, though nobody comes in by it.
  const comesIn = current.groups.length > 0
  const changed = JSON.stringify(current) !== JSON.stringify(known)
  if (changed || (signsIn && comesIn)) {
    const { dn, entryId, particulars, groups } = current
    const kept = await accounts.update(name, {
      ...{ dn, entryId },
      ...(syncOnLogin ? { particulars, groups } : {}),
      ...(signsIn && comesIn ? { lastLoginAt: at } : {}),
    })
    // Removed in this very moment: the next visit makes it anew.
    if (!kept) return admit(visit, parts)
  }
  if (!comesIn) return no('no-groups', syncOnLogin ? none : `${name} has no group here, and none is asked for any more`)
  return { kind: 'admitted', account: signsIn ? { ...current, lastLoginAt: at } : current }
}
