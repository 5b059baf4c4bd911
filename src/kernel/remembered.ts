/**
 * What was read before, kept for a while: a table of a stated size, from which the one not used for longest goes first.
 *
 * It knows nothing of what it keeps, and nothing of when that is over: whoever asks says which `epoch` counts now. A fault
 * is kept by nobody.
 */
export interface Remembered<Value> {
  /** What was kept in this epoch, else what `read` gives now. */
  of(key: string, epoch: number, read: () => Value): Value
  forget(key: string): void
}

/** @param most  entries */
export function createRemembered<Value>(most: number): Remembered<Value> {
  const entries = new Map<string, { readonly value: Value; readonly epoch: number }>()
  return {
    of(key, epoch, read) {
      const known = entries.get(key)
      if (known !== undefined) entries.delete(key)
      const entry = known?.epoch === epoch ? known : { value: read(), epoch }
      entries.set(key, entry)
      const oldest = entries.size > most ? entries.keys().next().value : undefined
      if (oldest !== undefined) entries.delete(oldest)
      return entry.value
    },
    forget: key => void entries.delete(key),
  }
}
