/**
 * What runs under a session: it counts as use of the session, and ends when the session ends.
 */
import type { SessionStore } from '../identity/session-store.ts'
import { Fault } from '../kernel/fault.ts'

export interface InFlight extends Disposable {
  /**
   * @param session  id of the session; undefined: the work hangs on no session
   * @param end      cuts the work
   * @param lasting  a tunnel: it has no end of its own, and is cut when the gateway drains
   */
  add(session: string | undefined, end: () => void, lasting: boolean): Disposable
  endLasting(): void
}

const touchEvery = 30_000

export function createInFlight(sessions: Pick<SessionStore, 'touch' | 'onEnd'>): InFlight {
  const running = new Set<{
    readonly session: string | undefined
    readonly end: () => void
    readonly lasting: boolean
  }>()
  /** Records that cannot be asked just now end nothing: what was permitted goes on, and new requests are told. */
  const hasEnded = (id: string): boolean => {
    try {
      return !sessions.touch(id)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      return false
    }
  }
  sessions.onEnd(id => {
    for (const work of running) if (work.session === id) work.end()
  })
  const timer = setInterval(() => {
    for (const id of new Set([...running].flatMap(({ session }) => session ?? []))) hasEnded(id)
  }, touchEvery).unref()
  return {
    add(session, end, lasting) {
      // It may have ended since the decision, while an upstream took its time: then nobody tells of it any more.
      if (session !== undefined && hasEnded(session)) end()
      const work = { session, end, lasting }
      running.add(work)
      return { [Symbol.dispose]: () => void running.delete(work) }
    },
    endLasting() {
      for (const work of running) if (work.lasting) work.end()
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
