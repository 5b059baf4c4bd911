/**
 * How it stands with Redis, for operators and for whoever goes on without it: away, refusing to write, or well.
 *
 * One that can be read and refuses to write (full, a replica, `min-replicas-to-write`) is as bad for who signs in. Not to forget:
 * a full one still takes what removes something, so ends are told to others.
 */
import { causeLine, type Fault } from '../kernel/fault.ts'

export interface Standing {
  /** It is away. */
  gone(fault: Fault): void
  /** It is there. @param refusal  why it takes no writes; undefined: it does */
  there(refusal: Fault | undefined): void
  /** Milliseconds for which it has refused all writes, those that remove something too. */
  deafFor(): number | undefined
}

/** Milliseconds for which it may refuse before anybody is told. */
const wavering = 2_000

/** @param changed  told once at each change. Undefined: it is well again */
export function createStanding(changed: (fault: Fault | undefined) => void): Standing {
  let isTold = false
  let refusing: { readonly since: number; readonly isFull: boolean } | undefined
  const say = (fault: Fault | undefined) => {
    if (isTold === (fault !== undefined)) return
    isTold = fault !== undefined
    changed(fault)
  }
  return {
    gone: say,
    there(refusal) {
      if (refusal === undefined) {
        refusing = undefined
        return say(undefined)
      }
      refusing = { since: refusing?.since ?? performance.now(), isFull: /\bOOM\b/.test(causeLine(refusal)) }
      if (performance.now() - refusing.since >= wavering) say(refusal)
    },
    deafFor: () => (refusing === undefined || refusing.isFull ? undefined : performance.now() - refusing.since),
  }
}
