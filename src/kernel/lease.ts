/**
 * Things with a life that several owners use at one time: opened by the first, closed behind the last.
 */

export interface Leases<Part extends AsyncDisposable | Disposable> {
  /** The part known by this key, or a new one. Disposing the lease gives it back. */
  take(key: string, open: () => Part): Lease<Part>
}

export interface Lease<Part> extends AsyncDisposable {
  readonly part: Part
}

export function createLeases<Part extends AsyncDisposable | Disposable>(): Leases<Part> {
  const held = new Map<string, { readonly part: Part; owners: number }>()
  return {
    take(key, open) {
      const known = held.get(key)
      const entry = known ?? { part: open(), owners: 0 }
      entry.owners++
      held.set(key, entry)
      let isGiven = false
      return {
        part: entry.part,
        async [Symbol.asyncDispose]() {
          if (isGiven) return
          isGiven = true
          entry.owners--
          if (entry.owners > 0) return
          held.delete(key)
          await dispose(entry.part)
        },
      }
    },
  }
}

async function dispose(part: AsyncDisposable | Disposable): Promise<void> {
  if (Symbol.asyncDispose in part) await part[Symbol.asyncDispose]()
  else part[Symbol.dispose]()
}
