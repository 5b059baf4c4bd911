/**
 * Watches revocation lists for their end: a warning when a quarter of a life is left, an alarm when it is over.
 */
import type { RevocationParts } from './revocation.ts'
import { endOf, isFresh, type RevocationPool } from './revocation-pool.ts'

export interface EndWatch {
  /** Tells what is to be told. @returns whether an answer of the pool is another one than when it was last looked at */
  look(now: number): boolean
  /** Milliseconds until there is something to see. */
  next(now: number): number
}

export function createEndWatch(pool: RevocationPool, tell: RevocationParts['tell']): EndWatch {
  /** By digest of the list. */
  const told = new Map<string, 'ending' | 'stale'>()
  return {
    look(now) {
      let changed = false
      const current = pool.current(now)
      for (const { list, source } of current) {
        const end = endOf(list)
        const facts = { source, issuer: list.issuer, until: new Date(end).toISOString() }
        const before = told.get(list.digest)
        if (!isFresh(list, now)) {
          if (before === 'stale') continue
          told.set(list.digest, 'stale')
          changed = true
          tell(
            'error',
            facts,
            list.thisUpdate > now
              ? 'a revocation list is dated in the future and does not count yet'
              : 'a revocation list is out of date and no newer one has come',
          )
          continue
        }
        if (before === 'stale') changed = true
        const isEnding = now > end - (end - list.thisUpdate) / 4
        if (isEnding && before !== 'ending')
          tell('warn', facts, 'a revocation list ends soon and no newer one has come')
        if (isEnding) told.set(list.digest, 'ending')
        else told.delete(list.digest)
      }
      for (const digest of told.keys()) if (!current.some(({ list }) => list.digest === digest)) told.delete(digest)
      return changed
    },
    next(now) {
      const ends = pool.current(now).map(({ list }) => (list.thisUpdate > now ? list.thisUpdate : endOf(list)) - now)
      return Math.min(...ends.filter(left => left > 0))
    },
  }
}
