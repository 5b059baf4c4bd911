/**
 * Memory that a burst of work left behind, given back to the system once it is over, and every five seconds while it
 * lasts.
 *
 * V8 collects when it needs room, not when it has time, and keeps what it once had: after a flood the process would hold
 * three times of what it needs, for as long as nothing presses it. What everyday work has left is given back when a gateway has had
 * next to nothing to do for five minutes, and not earlier: bin/sallyport.js keeps V8 from doing it in each pause.
 */
import { performance } from 'node:perf_hooks'
import { collector } from './collector.ts'
import { every } from './every.ts'

/** Milliseconds without a further call, after which the burst is over; and after which it is collected in the middle of one. */
const [quiet, long] = [1_000, 5_000]
/** Collecting takes this part of the time at most, whatever comes; and nothing is collected for less than a tenth more. */
const mostOfTime = 1 / 50
const worthwhile = 1.1

/** Milliseconds, and the part of them that the process may have worked, to count as a pause. */
const pause = { length: 5 * 60_000, worked: 0.01 }

// One for the process, as its memory is.
let timer: NodeJS.Timeout | undefined
let begun = 0
let notBefore = 0
/** Bytes that the process held before the burst. */
let before = Number.POSITIVE_INFINITY

/** Reading it takes a descriptor, and may be asked for where none is left. @returns undefined where the system does not say */
function held(): number | undefined {
  try {
    return process.memoryUsage.rss()
  } catch {
    return undefined
  }
}

/**
 * To be called again and again while the burst lasts.
 *
 * @param since  bytes that the process held before it; 0 for a process that has just begun: half of what it holds then is
 *   left from reading programs and configuration
 */
export function giveBackSoon(since = held()): void {
  before = Math.min(before, since ?? before)
  const now = performance.now()
  if (timer === undefined) begun = now
  clearTimeout(timer)
  timer = setTimeout(giveBack, Math.max(Math.min(quiet, begun + long - now), notBefore - now)).unref()
}

function giveBack(): void {
  timer = undefined
  if ((held() ?? 0) < before * worthwhile) return
  const collect = collector()
  const spent = process.threadCpuUsage()
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  const { user, system } = process.threadCpuUsage(spent)
  notBefore = performance.now() + (user + system) / 1_000 / mostOfTime
  before = held() ?? Number.POSITIVE_INFINITY
}

/** For as long as the process serves. @param length  milliseconds of a pause after which memory is given back */
export function giveBackInPauses(length = pause.length): Disposable {
  let last = performance.eventLoopUtilization()
  let heldThen = held() ?? 0
  return every(length, () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    if (utilization > pause.worked || (held() ?? 0) < heldThen * worthwhile) return
    before = 0
    giveBack()
    heldThen = held() ?? 0
  })
}
