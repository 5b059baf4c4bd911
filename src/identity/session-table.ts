/**
 * Sessions that were read lately, by digest of their cookie and by their handle: what answers a request without a read.
 *
 * It holds only what there is: made-up cookies leave nothing behind, and put nobody out. Of a stated size: the one not
 * used for longest makes room, and is read again when it comes back.
 */
import type { SessionRecord } from './session-records.ts'

export interface SessionTable {
  /** Undefined: not known, or not in this epoch. */
  byDigest(digest: string, epoch: number): SessionRecord | undefined
  byId(id: string, epoch: number): SessionRecord | undefined
  put(digest: string, record: SessionRecord, epoch: number): void
  use(id: string, at: number): void
  forget(id: string): void
  forgetAll(): void
}

interface Entry {
  readonly digest: string
  readonly record: SessionRecord
  readonly epoch: number
}

export function createSessionTable(most: number): SessionTable {
  /** The one used last is the last. */
  const entries = new Map<string, Entry>()
  const ids = new Map<string, string>()

  const forget = (id: string) => {
    const entry = entries.get(id)
    if (entry === undefined) return
    entries.delete(id)
    ids.delete(entry.digest)
  }
  const keep = (entry: Entry) => {
    const { id } = entry.record
    entries.delete(id)
    entries.set(id, entry)
    ids.set(entry.digest, id)
    const oldest = entries.size > most ? entries.keys().next().value : undefined
    if (oldest !== undefined) forget(oldest)
  }
  const byId = (id: string, epoch: number) => {
    const entry = entries.get(id)
    if (entry?.epoch !== epoch) return undefined
    entries.delete(id)
    entries.set(id, entry)
    return entry.record
  }
  return {
    byId,
    byDigest(digest, epoch) {
      const id = ids.get(digest)
      return id === undefined ? undefined : byId(id, epoch)
    },
    put: (digest, record, epoch) => keep({ digest, record, epoch }),
    use(id, at) {
      const entry = entries.get(id)
      if (entry !== undefined) keep({ ...entry, record: { ...entry.record, lastUsedAt: at } })
    },
    forget,
    forgetAll() {
      entries.clear()
      ids.clear()
    },
  }
}
