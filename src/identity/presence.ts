/**
 * Who somebody is now, for whom something was begun and still runs: a session that may have ended, an account that may be
 * locked or in other groups, a password that may be another one.
 *
 * It is asked again and again, so it reads what is known here; no directory is asked, and nothing counts as use. Whose
 * certificate no longer counts is not its business: holders.ts ends their connections whole.
 */
import type { RealmsSection } from '../config/realm.ts'
import type { HolderReader } from './certificate-holders.ts'
import type { TlsPeer } from './client-certificate.ts'
import type { DirectoryAccounts } from './directory-account.ts'
import { groupNames } from './directory-admission.ts'
import type { LocalAccounts } from './local-accounts.ts'
import { groupSet, type Principal } from './principal.ts'
import type { SessionStore } from './session-store.ts'
import { isUnchanged, type Standing, standingThen } from './standing.ts'

export interface SessionAccounts {
  readonly local: Pick<LocalAccounts, 'find'>
  /** Of people of the directory. Undefined: there is none, and sessions of one that was taken away hold no longer. */
  readonly accounts: Pick<DirectoryAccounts, 'find'> | undefined
  readonly provider: RealmsSection['passwordProvider']
}

export interface PresenceParts extends SessionAccounts {
  readonly sessions: Pick<SessionStore, 'peek'>
  readonly standing: Standing
  /** Whether HTTP Basic proves anybody. */
  readonly basic: boolean
  /** @param listener  name of it */
  readonly certificatesOf: (listener: string) => Pick<HolderReader, 'known'>
  readonly now: () => number
}

/** Undefined: nobody any more. May throw Fault('state-unavailable'). */
export type Presence = (was: Principal, peer: TlsPeer & object, listener: string) => Principal | undefined

/**
 * The groups that the account behind a session or a password has now; undefined: it holds no longer, because its account
 * is locked or gone, or its realm vouches for nobody any more.
 */
export function groupsNow(
  { name, realm }: Pick<Principal, 'name' | 'realm'>,
  { local, accounts, provider }: SessionAccounts,
): ReadonlySet<string> | undefined {
  if (realm === 'local') {
    const account = local.find(name)
    // Linked while somebody was signing in: the local account lies dormant now.
    const isDormant = accounts?.find(name) !== undefined
    const holds = account !== undefined && !account.locked && !isDormant && provider !== 'directory'
    return holds ? groupSet(account.groups, name => name) : undefined
  }
  const account = realm === 'directory' && provider !== 'local' ? accounts?.find(name) : undefined
  return account === undefined || account.locked ? undefined : groupNames(account)
}

export function createPresence(parts: PresenceParts): Presence {
  const { sessions, standing, basic, certificatesOf, now } = parts
  return (was, peer, listener) => {
    const { name, proof } = was
    if (proof.kind === 'session') {
      const groups = sessions.peek(proof.id) === undefined ? undefined : groupsNow(was, parts)
      return groups && { ...was, groups }
    }
    // Its text is another one with every change of the account, groups included.
    if (proof.kind === 'password') {
      const holds = basic && isUnchanged(standingThen(was), standing(name)) && groupsNow(was, parts) !== undefined
      return holds ? was : undefined
    }
    const answer = certificatesOf(listener).known(peer, now())
    return answer?.kind === 'proven' ? answer.principal : was
  }
}
