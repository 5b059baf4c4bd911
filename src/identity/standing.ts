/**
 * What a password that was right once still rests on: the account behind the name, as it is now.
 *
 * Whoever remembers that a password was right (Basic, a running download) compares this text with the one of then. Not to
 * forget: undefined is the account that is locked, and nobody comes in with it; a name without account has a text too.
 */
import { createHash } from 'node:crypto'
import { createRemembered } from '../kernel/remembered.ts'
import { freshFor } from '../kernel/state-database.ts'
import type { DirectoryAccounts } from './directory-account.ts'
import type { LocalAccounts } from './local-accounts.ts'
import type { Principal } from './principal.ts'

export interface StandingParts {
  readonly local: Pick<LocalAccounts, 'find' | 'version'>
  /** Of people of the directory; their local account lies dormant. */
  readonly accounts: Pick<DirectoryAccounts, 'find'>
}

/** May throw Fault('state-unavailable'). */
export type Standing = (name: string) => string | undefined

/** Whether an account is still what it was. @param was  its text of then */
export const isUnchanged = (was: string | undefined, now: string | undefined): boolean =>
  was !== undefined && was === now

/** Of a password that was proven. */
export const standingThen = ({ proof }: Pick<Principal, 'proof'>): string | undefined =>
  proof.kind === 'password' ? proof.standing : undefined

export const createStanding =
  ({ local, accounts }: StandingParts): Standing =>
  name => {
    const account = accounts.find(name)
    const version = local.version(name) ?? 'none'
    if (account === undefined) return local.find(name)?.locked === true ? undefined : `local ${version}`
    const { locked, entryId, dn, groups, createdAt } = account
    // Another mail address is no reason to cut somebody's download. By its date an account that was removed, and made
    // again by the next request, is another one.
    const facts = JSON.stringify([createdAt, entryId ?? dn, groups.map(group => group.name).toSorted()])
    return locked ? undefined : `directory ${createHash('sha256').update(facts).digest('base64url')} ${version}`
  }

/** Names whose standing each request with a password asks for. */
const mostKnown = 10_000

/** What requests ask: nothing is read for them, and what another program has written is seen within a second. */
export function asOfLately(parts: {
  readonly local: Pick<LocalAccounts, 'find' | 'lately' | 'version'>
  readonly accounts: Pick<DirectoryAccounts, 'find' | 'lately'>
}): Pick<StandingParts, 'accounts'> & { readonly local: Pick<LocalAccounts, 'find'>; readonly standing: Standing } {
  const standing = createStanding(parts)
  const known = createRemembered<string | undefined>(mostKnown)
  return {
    local: { find: parts.local.lately },
    accounts: { find: parts.accounts.lately },
    standing: name => known.of(name, Math.floor(performance.now() / freshFor), () => standing(name)),
  }
}
