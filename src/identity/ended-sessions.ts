/**
 * Sessions that have ended, by digest of their cookie, remembered for as long as one could last: a store that was restored, or
 * failed over to a copy that lags behind, still holds some of them.
 */
export interface EndedSessions {
  has(digest: string): boolean
  add(digest: string): void
}

/** @param longest  milliseconds that a session lasts at most */
export function createEndedSessions(longest: number): EndedSessions {
  /** By the clock of the process, which nobody sets back; the oldest first. */
  const all = new Map<string, number>()
  return {
    has: digest => all.has(digest),
    add(digest) {
      const now = performance.now()
      all.delete(digest)
      all.set(digest, now)
      for (const [old, at] of all) {
        if (now - at <= longest) break
        all.delete(old)
      }
    },
  }
}
