/**
 * Looks after everybody who has an open session of the directory, or something running under a password of it: what it
 * says of them is asked again in time.
 *
 * A login counts as a check. Who is locked or removed here is seen at each look and asked of nobody. Not to forget: after
 * a restart all that is known is when each session was opened, so the looks are spread, and the oldest come first.
 *
 * Source: interface "sessions.recheck".
 */
import type { Eventually } from '../kernel/eventually.ts'
import { Fault, ignoreFault } from '../kernel/fault.ts'
import type { DirectoryAccounts } from './directory-account.ts'
import { groupNames } from './directory-admission.ts'
import { type Out, out, type Verdict } from './directory-verdict.ts'
import type { Principal } from './principal.ts'
import type { Verdicts } from './remembered-verdicts.ts'
import type { Session, SessionStore } from './session-store.ts'

export interface RecheckParts {
  readonly verdicts: Pick<Verdicts, 'again' | 'askedAt' | 'failedAt'>
  readonly sessions: Pick<SessionStore, 'list'>
  readonly running: Pick<RunningByPassword, 'byPassword'>
  readonly accounts: Pick<DirectoryAccounts, 'find'>
  /** Milliseconds. */
  readonly recheck: number
  /** Milliseconds between two looks. */
  readonly lookEvery: number
  readonly now: () => number
  readonly answered: (name: string, verdict: Verdict) => void
  /** Of several processes each looks after some of the sessions. Absent: after all. */
  readonly isMine?: ((name: string) => boolean) | undefined
}

/** Downloads and sockets for which each request carried the password, and that no session stands behind. */
export interface RunningByPassword {
  byPassword(realm: Principal['realm']): ReadonlySet<string>
  /** How much was cut. */
  endByPassword(name: string, realm: Principal['realm']): number
}

/** So few are asked in any case. */
const fewest = 4

/** @returns the look. May throw Fault('state-unavailable') */
export function createRecheck(parts: RecheckParts): () => void {
  const { verdicts, sessions, running, accounts, recheck, lookEvery, now, answered, isMine = () => true } = parts
  return () => {
    const people = lastSignIns(sessions.list().filter(({ name }) => isMine(name)))
    // When their password was checked is not known here: they are asked for at once, and then in time.
    for (const name of running.byPassword('directory')) people.set(name, people.get(name) ?? 0)
    const due: { readonly name: string; readonly waitsSince: number }[] = []
    for (const [name, signedInAt] of people) {
      const gone = unlessUnreadable(() => goneHere(name, accounts))
      if (gone === 'unreadable') continue
      if (gone !== undefined) {
        answered(name, gone)
        continue
      }
      const checkedAt = Math.max(signedInAt, verdicts.askedAt(name) ?? 0)
      if (Math.abs(now() - checkedAt) >= recheck)
        due.push({ name, waitsSince: Math.max(checkedAt, verdicts.failedAt(name) ?? 0) })
    }
    // Twice as many as would keep up: all are through within half of the time, and never at one stroke.
    const most = Math.max(fewest, Math.ceil((2 * people.size * lookEvery) / recheck))
    // Those of whom the directory gives no answer must not stand before all others at each look.
    const first = due.toSorted((one, other) => one.waitsSince - other.waitsSince).slice(0, most)
    for (const { name } of first) verdicts.again(name)
  }
}

function lastSignIns(all: readonly Session[]): Map<string, number> {
  const people = new Map<string, number>()
  for (const { name, realm, createdAt } of all) {
    if (realm === 'directory') people.set(name, Math.max(createdAt, people.get(name) ?? 0))
  }
  return people
}

function goneHere(name: string, accounts: Pick<DirectoryAccounts, 'find'>): Out | undefined {
  const account = accounts.find(name)
  if (account === undefined) return out('removed', 'the account was removed here')
  return account.locked ? out('locked', 'the account is locked here') : undefined
}

/** One record that is damaged must not keep those behind it from being looked after; its own person meets the fault. */
function unlessUnreadable<T>(ask: () => T): T | 'unreadable' {
  try {
    return ask()
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return 'unreadable'
  }
}

export interface SessionsParts {
  readonly sessions: Pick<SessionStore, 'closeAllOf' | 'regroup'>
  readonly running: Pick<RunningByPassword, 'endByPassword'>
  /** Told of everybody whose sessions were ended, or who had something cut. */
  readonly ended: (name: string, held: 'session' | 'password', verdict: Out) => void
}

/**
 * Holds the open sessions of a person, and what runs under their password, to what was said of them.
 *
 * A lock by failed tries ends none: anybody can bring it about by typing a name somewhere, and could so put a doctor out
 * of the archive who had proved who she is.
 */
export function followVerdict(name: string, verdict: Verdict, { sessions, running, ended }: SessionsParts): void {
  if (verdict.kind === 'out' && verdict.reason === 'locked-there') return
  if (verdict.kind === 'in') {
    whenKnown(sessions.regroup(name, 'directory', groupNames(verdict.account)), () => undefined)
    return
  }
  whenKnown(sessions.closeAllOf(name, 'directory'), count => {
    if (count > 0) ended(name, 'session', verdict)
  })
  if (running.endByPassword(name, 'directory') > 0) ended(name, 'password', verdict)
}

/** A store elsewhere that cannot be written to is looked at again with the next answer of the directory. */
function whenKnown(count: Eventually<number>, then: (count: number) => void): void {
  if (typeof count === 'number') then(count)
  else count.then(then).catch(ignoreFault)
}
