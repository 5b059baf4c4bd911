/**
 * What the directory says of somebody whose password is not asked: the holder of a certificate, or who is signed in.
 *
 * Not to forget: no bind tells here that an account is disabled, locked or expired, so the entry itself is read for it.
 * Who is locked here, or has a local account, is asked of no directory. A directory that cannot answer is a Fault.
 *
 * Source: OMERO LdapPasswordProvider and its variant 431 (known people are read by their DN, past the filter).
 */
import type { RealmsSection } from '../config/realm.ts'
import type { Reserved } from '../config/reserved-groups.ts'
import { PersonName } from '../config/scalars.ts'
import type { Directory } from '../ldap/directory.ts'
import type { DirectoryAccount, DirectoryAccounts } from './directory-account.ts'
import { admit } from './directory-admission.ts'
import { admissibleGroups } from './directory-groups.ts'
import type { LocalAccounts } from './local-accounts.ts'

export type Verdict =
  | { readonly kind: 'in'; readonly account: DirectoryAccount }
  | {
      readonly kind: 'out'
      /** `locked`: by a command here; `locked-there`: by failed tries in the directory, which passes. */
      readonly reason:
        | 'not-found'
        | 'moved'
        | 'closed'
        | 'no-groups'
        | 'locked'
        | 'locked-there'
        | 'local-account'
        | 'removed'
      /** For the audit trail. */
      readonly why: string
    }

export type Out = Extract<Verdict, { kind: 'out' }>

export interface VerdictParts {
  readonly directory: Pick<Directory, 'find' | 'read' | 'groupsOf'>
  readonly accounts: Pick<DirectoryAccounts, 'find' | 'add' | 'update'>
  readonly local: Pick<LocalAccounts, 'find'>
  readonly provider: RealmsSection['passwordProvider']
  readonly syncOnLogin: boolean
  readonly reserved: Reserved
  readonly now: () => number
}

export const out = (reason: Out['reason'], why: string): Out => ({ kind: 'out', reason, why })

/** What is known here, and is asked of nobody else. Undefined: the directory has the word. */
export function verdictHere(
  name: string,
  account: DirectoryAccount | undefined,
  local: Pick<LocalAccounts, 'find'>,
): Out | undefined {
  if (account !== undefined) return account.locked ? out('locked', 'the account is locked here') : undefined
  // Whoever may add an entry in the directory could otherwise become the gateway's own administrator.
  if (local.find(name) !== undefined) return out('local-account', 'a local account, which is never looked up')
  const possible = PersonName.safeParse(name).success && name.isWellFormed()
  return possible ? undefined : out('not-found', 'a name that nobody can have')
}

/** Makes the account at the first visit. May throw the Faults of Directory, and Fault('state-unavailable'). */
export function createVerdictOf(parts: VerdictParts): (name: string) => Promise<Verdict> {
  const { directory, accounts, local, reserved, now } = parts
  const filterOnce = parts.provider === 'chained431'
  const syncOnLogin = parts.syncOnLogin && !filterOnce
  return async name => {
    const account = accounts.find(name)
    const here = verdictHere(name, account, local)
    if (here !== undefined) return here
    const found = account !== undefined && filterOnce ? await directory.read(account.dn) : await directory.find(name)
    if (found.kind === 'not-found') return out('not-found', found.why)
    const { entry } = found
    if (!filterOnce && entry.name !== name) return out('not-found', `${entry.dn} spells this name otherwise`)
    if (entry.closed !== undefined) return out('closed', `${entry.dn}: ${entry.closed}`)
    if (entry.locked !== undefined) return out('locked-there', `${entry.dn}: ${entry.locked}`)
    // Who is known keeps what they have, where nothing is to be brought up to date.
    const asks = account === undefined || syncOnLogin
    const answer = asks ? await directory.groupsOf(entry) : undefined
    const { groups, dropped } = admissibleGroups(answer?.kind === 'groups' ? answer.groups : [], reserved)
    const visit = { entry: { ...entry, name }, groups, at: now(), signsIn: account === undefined }
    const admission = await admit(visit, { accounts, local, syncOnLogin })
    if (admission.kind === 'admitted') return { kind: 'in', account: admission.account }
    const { reason, why } = admission
    const more = answer?.kind === 'no-groups' ? answer.why : dropped.length > 0 ? `not ${dropped.join(', ')}` : ''
    return out(reason, reason === 'no-groups' && more !== '' ? `${why} (${more})` : why)
  }
}
