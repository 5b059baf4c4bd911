/**
 * How it stands with Redis, for operators and for whoever goes on without it: away, refusing to write, or well.
 *
 * One that can be read and refuses to write (full, a replica, `min-replicas-to-write`) is as bad for who signs in. Not to forget:
 * a full one may still take what removes something, so that ends are told to others.
 */
import type { Fault } from '../kernel/fault.ts'

export interface Standing {
  /** It is away. */
  gone(fault: Fault): void
  /**
   * It is there.
   *
   * @param refusal        why it takes no writes; undefined: it does
   * @param takesRemovals  whether it takes what removes something
   */
  there(refusal: Fault | undefined, takesRemovals: boolean): void
  readonly isRefusing: boolean
  /** Milliseconds for which no end could be told to others; undefined: it can. */
  cutOffFor(): number | undefined
}

/** Milliseconds for which it may refuse before anybody is told. */
const wavering = 2_000

/** @param changed  told once at each change. Undefined: it is well again */
export function createStanding(changed: (fault: Fault | undefined) => void): Standing {
  let isTold = false
  let refusingSince: number | undefined
  /** Whatever became of it in between: away and refusing are one time. */
  let cutOffSince: number | undefined
  const say = (fault: Fault | undefined) => {
    if (isTold === (fault !== undefined)) return
    isTold = fault !== undefined
    changed(fault)
  }
  return {
    gone(fault) {
      cutOffSince ??= performance.now()
      say(fault)
    },
    there(refusal, takesRemovals) {
      const now = performance.now()
      cutOffSince = takesRemovals ? undefined : (cutOffSince ?? now)
      refusingSince = refusal === undefined ? undefined : (refusingSince ?? now)
      if (refusingSince === undefined || now - refusingSince >= wavering) say(refusal)
    },
    get isRefusing() {
      return refusingSince !== undefined
    },
    cutOffFor: () => (cutOffSince === undefined ? undefined : performance.now() - cutOffSince),
  }
}
