/**
 * How often something has failed lately, by key, and who came in from where: what the throttle goes by.
 *
 * In memory here, which is enough for one process; failure-records.ts counts for all of a machine. It outlives a reload, so
 * that the limits may change and nothing is forgotten. Bounded: past `most` keys the one that
 * failed longest ago is forgotten first, which with the usual limits none does before its time.
 */
import type { Clock } from '../kernel/clock.ts'

export interface Failures {
  readonly count: number
  /** Milliseconds until they are forgotten. */
  readonly left: number
}

export interface FailureCounter {
  of(key: string): Failures
  /**
   * @param within       milliseconds until the failures of this key are forgotten
   * @param anew         that time begins again with each failure, else with the first
   */
  add(key: string, within: number, anew: boolean): void
  forget(key: string): void
}

export const mostKeys = 100_000

/** In memory. */
export interface FailureMemory extends FailureCounter {
  /** What somebody else has counted. */
  set(key: string, failures: Failures): void
  keys(): Iterable<string>
}

export function createFailureCounter(clock: Clock, most = mostKeys): FailureMemory {
  const counts = new Map<string, { count: number; since: number; within: number }>()
  const none: Failures = { count: 0, left: 0 }

  function of(key: string): Failures {
    const known = counts.get(key)
    if (known === undefined) return none
    const age = clock.now() - known.since
    // A clock that was set back must not make the time longer than it is.
    if (age < 0) known.since = clock.now()
    const left = known.within - Math.max(age, 0)
    if (left > 0) return { count: known.count, left }
    counts.delete(key)
    return none
  }

  return {
    of,
    add(key, within, anew) {
      const { count } = of(key)
      const known = counts.get(key)
      const next = known === undefined || anew ? { count: count + 1, since: clock.now(), within } : known
      if (next === known) known.count++
      keepLatest(counts, key, next, most)
    },
    forget: key => void counts.delete(key),
    set(key, { count, left }) {
      if (count === 0 || left === 0) counts.delete(key)
      else keepLatest(counts, key, { count, since: clock.now(), within: left }, most)
    },
    keys: () => counts.keys(),
  }
}

/** What the throttle is about to ask for. */
export interface Asked {
  readonly kind: 'name' | 'strangers' | 'familiar' | 'entry' | 'address' | 'everyone'
  readonly key: string
}

export interface FailureCounts {
  readonly byName: FailureCounter
  /** Tries of a name from where its person did not come in before: all that strangers get to see of it. */
  readonly byStrangers: FailureCounter
  /** Tries from a familiar address, when address or everyone have none left. */
  readonly byFamiliar: FailureCounter
  /** Refused binds of one entry of the directory, whatever it was called. */
  readonly byEntry: FailureCounter
  readonly byAddress: FailureCounter
  readonly byEveryone: FailureCounter
  readonly familiar: FamiliarAddresses
  /**
   * Brings what others have counted up to date, where that has to be waited for.
   *
   * @param names  whose familiar addresses are asked for
   */
  readonly learn?: (counts: readonly Asked[], names: readonly string[]) => Promise<void>
}

/** @param open  by the name under which it is counted */
export const countersBy = (open: (kind: Asked['kind']) => FailureCounter): Omit<FailureCounts, 'familiar'> => ({
  byName: open('name'),
  byStrangers: open('strangers'),
  byFamiliar: open('familiar'),
  byEntry: open('entry'),
  byAddress: open('address'),
  byEveryone: open('everyone'),
})

export const createFailureCounts = (clock: Clock): FailureCounts => ({
  ...countersBy(() => createFailureCounter(clock)),
  familiar: createFamiliarAddresses(clock),
})

/** From which addresses somebody has come in before. */
export interface FamiliarAddresses {
  has(nameKey: string, addressKey: string): boolean
  /** From anywhere. */
  knows(nameKey: string): boolean
  add(nameKey: string, addressKey: string): void
}

/** In memory. */
export interface FamiliarMemory extends FamiliarAddresses {
  /** Seen by somebody else. @param at  milliseconds since 1970 */
  set(nameKey: string, addressKey: string, at: number): void
}

/** Milliseconds. */
export const familiarFor = 7 * 86_400_000
const mostNames = 20_000
/** The office, home, the telephone, the ward. */
export const mostAddresses = 8

export function createFamiliarAddresses(clock: Clock): FamiliarMemory {
  const names = new Map<string, Map<string, number>>()
  const set: FamiliarMemory['set'] = (nameKey, addressKey, at) => {
    const addresses = names.get(nameKey) ?? new Map<string, number>()
    keepLatest(addresses, addressKey, at, mostAddresses)
    keepLatest(names, nameKey, addresses, mostNames)
  }
  const isRecent = (at: number | undefined): boolean => at !== undefined && Math.abs(clock.now() - at) < familiarFor
  return {
    has: (nameKey, addressKey) => isRecent(names.get(nameKey)?.get(addressKey)),
    knows: nameKey => names.get(nameKey)?.values().some(isRecent) ?? false,
    add: (nameKey, addressKey) => set(nameKey, addressKey, clock.now()),
    set,
  }
}

/** The last of the map is what was put last; the first is forgotten when there are too many. */
export function keepLatest<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.size > most ? map.keys().next().value : undefined
  if (oldest !== undefined) map.delete(oldest)
}
