/**
 * Lets only so many do a thing at once, and only so many wait for it: the rest get Fault('overloaded').
 */
import { Fault } from './fault.ts'

export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

export interface Turns {
  readonly atOnce: number
  readonly waiting: number
  readonly about: string
  /** Milliseconds that anybody waits at most; absent: as long as it takes. */
  readonly within?: number
}

export function takeTurns({ atOnce, waiting, about, within }: Turns): InTurn {
  let running = 0
  const queue = new Set<() => void>()

  function wait(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    queue.add(resolve)
    if (within === undefined) return promise
    const timer = setTimeout(() => {
      queue.delete(resolve)
      reject(new Fault('overloaded', { about }))
    }, within)
    return promise.finally(() => clearTimeout(timer))
  }

  return async work => {
    if (running < atOnce) running++
    else {
      if (queue.size >= waiting) throw new Fault('overloaded', { about })
      // Whoever wakes us leaves us the place, so that nobody slips in between.
      await wait()
    }
    try {
      return await work()
    } finally {
      const [next] = queue
      if (next === undefined) running--
      else {
        queue.delete(next)
        next()
      }
    }
  }
}

/** One at a time for each key; keys are forgotten when nobody waits for them. */
export function takeTurnsByKey(options: Omit<Turns, 'atOnce'>): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const lanes = new Map<string, { inTurn: InTurn; users: number }>()
  return async (key, work) => {
    const lane = lanes.get(key) ?? { inTurn: takeTurns({ ...options, atOnce: 1 }), users: 0 }
    lanes.set(key, lane)
    lane.users++
    try {
      return await lane.inTurn(work)
    } finally {
      lane.users--
      if (lane.users === 0) lanes.delete(key)
    }
  }
}
