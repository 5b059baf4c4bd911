/**
 * Lets only so many do a thing at once, and only so many wait for it: the rest get Fault('overloaded').
 */
import { Fault } from '../kernel/fault.ts'

export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

export function takeTurns({ atOnce, waiting, about }: { atOnce: number; waiting: number; about: string }): InTurn {
  let running = 0
  const queue: (() => void)[] = []
  return async work => {
    if (running < atOnce) running++
    else {
      if (queue.length >= waiting) throw new Fault('overloaded', { about })
      // Whoever wakes us leaves us the place, so that nobody slips in between.
      await new Promise<void>(resolve => queue.push(resolve))
    }
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next === undefined) running--
      else next()
    }
  }
}

/** What those in one lane may leave for those behind them; forgotten with the lane. */
export type LaneNotes<Note> = Map<string, Note>

/** One at a time for each key; lanes are forgotten when nobody waits in them. */
export function takeTurnsByKey<Note = never>(options: {
  waiting: number
  about: string
}): <T>(key: string, work: (notes: LaneNotes<Note>) => Promise<T>) => Promise<T> {
  const lanes = new Map<string, { inTurn: InTurn; users: number; notes: LaneNotes<Note> }>()
  return async (key, work) => {
    const lane = lanes.get(key) ?? { inTurn: takeTurns({ ...options, atOnce: 1 }), users: 0, notes: new Map() }
    lanes.set(key, lane)
    lane.users++
    try {
      return await lane.inTurn(() => work(lane.notes))
    } finally {
      lane.users--
      if (lane.users === 0) lanes.delete(key)
    }
  }
}
