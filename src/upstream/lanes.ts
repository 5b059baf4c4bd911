/**
 * Whose turn it is at an upstream that has few connections: nobody has all of them, and whoever has fewest is next.
 *
 * A slow reader holds a connection for as long as he reads, and forty of them would be the whole archive.
 */
import type { Eventually } from '../kernel/eventually.ts'
import { Fault } from '../kernel/fault.ts'
import type { Signal } from '../kernel/signal.ts'

export interface Lanes {
  /**
   * Gives, when there is a connection for this client, the way to give it back; once.
   *
   * Rejects with the signal's reason, and throws Fault('upstream-busy') where too many wait.
   */
  enter(client: string, signal: Signal): Eventually<() => void>
  /** There may be more connections than before. */
  widened(): void
}

/**
 * Requests that may wait for a connection, for each that is allowed at one time; half of them of one client. However many
 * wait, one may wait for each connection of everybody: a few who fill the queue must not keep all others out of it.
 */
const queued = 50
/** The part of all connections that is kept for those who have fewer than that. */
const keptFor = 1 / 8

/** Clients that are remembered while they have and want nothing: most of them come again at once. */
const remembered = 1_000

interface Lane {
  running: number
  /** Counted up with each turn that anybody gets. */
  servedAt: number
  /** The one that came first is first. */
  readonly waiting: Set<() => void>
  readonly leave: () => void
}

/** @param most  connections at one time; asked each time */
export function createLanes(name: string, most: () => number): Lanes {
  const lanes = new Map<string, Lane>()
  let [running, waiting, served] = [0, 0, 0]

  const mayStart = (lane: Lane) => {
    const connections = most()
    const kept = Math.floor(connections * keptFor)
    return running < connections && (running < connections - kept || lane.running < kept)
  }
  const laneOf = (client: string): Lane => {
    const known = lanes.get(client)
    if (known !== undefined) return known
    if (lanes.size >= remembered)
      for (const [other, { running, waiting }] of lanes) if (running === 0 && waiting.size === 0) lanes.delete(other)
    const leave = () => {
      running--
      lane.running--
      wakeNext()
    }
    const lane: Lane = { running: 0, servedAt: 0, waiting: new Set(), leave }
    lanes.set(client, lane)
    return lane
  }
  const start = (lane: Lane) => {
    running++
    lane.running++
    lane.servedAt = ++served
  }
  const isNext = (lane: Lane, other: Lane | undefined) =>
    other === undefined ||
    lane.running < other.running ||
    (lane.running === other.running && lane.servedAt < other.servedAt)
  const wakeNext = () => {
    while (waiting > 0) {
      let next: Lane | undefined
      for (const lane of lanes.values()) if (lane.waiting.size > 0 && mayStart(lane) && isNext(lane, next)) next = lane
      const [wake] = next?.waiting ?? []
      if (next === undefined || wake === undefined) return
      start(next)
      wake()
    }
  }

  return {
    enter(client, signal) {
      const lane = laneOf(client)
      if (lane.waiting.size === 0 && mayStart(lane)) {
        start(lane)
        return lane.leave
      }
      const connections = most()
      const room = connections * queued
      const mine = lane.waiting.size
      if (mine >= room / 2 || (waiting >= room && mine >= connections))
        throw new Fault('upstream-busy', { about: `${name}, ${waiting} requests wait` })
      signal.throwIfAborted()
      return wait(lane, signal).then(() => lane.leave)
    },
    widened: wakeNext,
  }

  function wait(lane: Lane, signal: Signal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const settle = () => {
      signal.removeEventListener('abort', leave)
      lane.waiting.delete(wake)
      waiting--
    }
    const wake = () => {
      settle()
      resolve()
    }
    const leave = () => {
      settle()
      reject(signal.reason)
    }
    lane.waiting.add(wake)
    waiting++
    signal.addEventListener('abort', leave, { once: true })
    return promise
  }
}
