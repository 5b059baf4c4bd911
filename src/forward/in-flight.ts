/**
 * What runs under a session or a password: it counts as use of the session, and ends when the session ends, or when the
 * account behind the password is locked, changed or removed, or the directory lets its person in no longer.
 */
import type { Principal } from '../identity/principal.ts'
import type { SessionStore } from '../identity/session-store.ts'
import type { Standing } from '../identity/standing.ts'
import { every } from '../kernel/every.ts'
import { Fault } from '../kernel/fault.ts'

/** What the right to run hangs on. */
export type Hold =
  | { readonly kind: 'session'; readonly id: string }
  | {
      readonly kind: 'password'
      readonly name: string
      readonly realm: Principal['realm']
      readonly standing: Standing
      /** The text of it when the right was given. */
      readonly was: string | undefined
    }

export interface InFlight extends Disposable {
  /**
   * @param hold     undefined: the work hangs on neither
   * @param end      cuts the work
   * @param lasting  a tunnel: it has no end of its own, and is cut when the gateway drains
   */
  add(hold: Hold | undefined, end: () => void, lasting: boolean): Disposable
  endLasting(): void
  /** Whoever of this realm has something running under a password. */
  byPassword(realm: Principal['realm']): ReadonlySet<string>
  /** How much was cut. */
  endByPassword(name: string, realm: Principal['realm']): number
}

const touchEvery = 30_000
/** Commands change accounts, and nobody tells of it. */
const lookEvery = 1_000

export function createInFlight(sessions: Pick<SessionStore, 'touch' | 'onEnd'>): InFlight {
  const running = new Set<{ readonly hold: Hold | undefined; readonly end: () => void; readonly lasting: boolean }>()

  /** Records that cannot be asked just now end nothing: what was permitted goes on, and new requests are told. */
  const unlessUnknown = (hasEnded: () => boolean): boolean => {
    try {
      return hasEnded()
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      return false
    }
  }
  const hasEnded = (hold: Hold, standingOf: (name: string, standing: Standing) => string | undefined): boolean =>
    unlessUnknown(() => {
      if (hold.kind === 'session') return !sessions.touch(hold.id)
      const now = standingOf(hold.name, hold.standing)
      return now === undefined || now !== hold.was
    })
  sessions.onEnd(id => {
    for (const { hold, end } of running) if (hold?.kind === 'session' && hold.id === id) end()
  })
  const touches = every(touchEvery, () => {
    const ids = [...running].flatMap(({ hold }) => (hold?.kind === 'session' ? hold.id : []))
    for (const id of new Set(ids)) unlessUnknown(() => sessions.touch(id))
  })
  const looks = every(lookEvery, () => {
    const standingOf = askedOnce()
    for (const { hold, end } of running) if (hold?.kind === 'password' && hasEnded(hold, standingOf)) end()
  })
  return {
    add(hold, end, lasting) {
      // It may have ended since the decision, while an upstream took its time: then nobody tells of it any more.
      if (hold !== undefined && hasEnded(hold, (name, standing) => standing(name))) end()
      const work = { hold, end, lasting }
      running.add(work)
      return { [Symbol.dispose]: () => void running.delete(work) }
    },
    byPassword(realm) {
      const holds = [...running].map(({ hold }) => hold)
      return new Set(holds.flatMap(hold => (hold?.kind === 'password' && hold.realm === realm ? hold.name : [])))
    },
    endByPassword(name, realm) {
      const theirs = [...running].filter(
        ({ hold }) => hold?.kind === 'password' && hold.realm === realm && hold.name === name,
      )
      for (const { end } of theirs) end()
      return theirs.length
    },
    endLasting() {
      for (const work of running) if (work.lasting) work.end()
    },
    [Symbol.dispose]() {
      touches[Symbol.dispose]()
      looks[Symbol.dispose]()
    },
  }
}

/** A viewer has hundreds of downloads under one name; each name is asked once in a look. */
function askedOnce(): (name: string, standing: Standing) => string | undefined {
  const answers = new Map<Standing, Map<string, string | undefined>>()
  return (name, standing) => {
    const known = answers.get(standing) ?? new Map<string, string | undefined>()
    answers.set(standing, known)
    if (!known.has(name)) known.set(name, standing(name))
    return known.get(name)
  }
}
