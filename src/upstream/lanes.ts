/**
 * Whose turn it is at an upstream that has few connections: nobody has all of them, and whoever has fewest is next.
 *
 * A slow reader holds a connection for as long as he reads, and forty of them would be the whole archive.
 */
import { Fault } from '../kernel/fault.ts'

export interface Lanes {
  /**
   * Resolves when there is a connection for this client, with the way to give it back; once.
   *
   * Rejects with the signal's reason, and with Fault('upstream-busy') where too many wait.
   */
  enter(client: string, signal: AbortSignal): Promise<() => void>
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

interface Lane {
  running: number
  /** The one that came first is first. */
  readonly waiting: Set<() => void>
}

/** @param most  connections at one time; asked each time */
export function createLanes(name: string, most: () => number): Lanes {
  /** Of clients that have or want a connection; the one that was served last is last. */
  const lanes = new Map<string, Lane>()
  let [running, waiting] = [0, 0]

  const mayStart = (lane: Lane) => {
    const connections = most()
    const kept = Math.floor(connections * keptFor)
    return running < connections && (running < connections - kept || lane.running < kept)
  }
  const start = (client: string, lane: Lane) => {
    running++
    lane.running++
    lanes.delete(client)
    lanes.set(client, lane)
  }
  const forget = (client: string, lane: Lane) => {
    if (lane.running === 0 && lane.waiting.size === 0) lanes.delete(client)
  }
  const wakeNext = () => {
    while (waiting > 0) {
      let next: readonly [string, Lane] | undefined
      for (const one of lanes) {
        if (one[1].waiting.size === 0 || !mayStart(one[1])) continue
        if (next === undefined || one[1].running < next[1].running) next = one
      }
      const [wake] = next?.[1].waiting ?? []
      if (next === undefined || wake === undefined) return
      start(...next)
      wake()
    }
  }
  const leaveOf = (client: string, lane: Lane) => () => {
    running--
    lane.running--
    forget(client, lane)
    wakeNext()
  }

  return {
    async enter(client, signal) {
      const lane = lanes.get(client) ?? { running: 0, waiting: new Set() }
      if (lane.waiting.size === 0 && mayStart(lane)) start(client, lane)
      else {
        const connections = most()
        const room = connections * queued
        const mine = lane.waiting.size
        if (mine >= room / 2 || (waiting >= room && mine >= connections))
          throw new Fault('upstream-busy', { about: `${name}, ${waiting} requests wait` })
        signal.throwIfAborted()
        await wait(client, lane, signal)
      }
      return leaveOf(client, lane)
    },
    widened: wakeNext,
  }

  function wait(client: string, lane: Lane, signal: AbortSignal): Promise<void> {
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
      forget(client, lane)
      reject(signal.reason)
    }
    if (!lanes.has(client)) lanes.set(client, lane)
    lane.waiting.add(wake)
    waiting++
    signal.addEventListener('abort', leave, { once: true })
    return promise
  }
}
