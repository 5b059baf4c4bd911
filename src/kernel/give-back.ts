/**
 * Memory that a burst of work left behind, given back to the system once it is over.
 *
 * V8 collects when it needs room, not when it has time, and keeps what it once had: after a flood the process would hold
 * three times of what it needs, for as long as nothing presses it.
 */
import { collector } from './collector.ts'

/** Milliseconds without a further call, after which the burst is over. */
const quiet = 1_000
/** Collecting takes this part of the time at most, whatever comes; and nothing is collected for less than a tenth more. */
const mostOfTime = 1 / 50
const worthwhile = 1.1

// One for the process, as its memory is.
let timer: NodeJS.Timeout | undefined
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
  clearTimeout(timer)
  timer = setTimeout(giveBack, Math.max(quiet, notBefore - performance.now())).unref()
}

function giveBack(): void {
  if ((held() ?? 0) < before * worthwhile) return
  const collect = collector()
  const spent = process.threadCpuUsage()
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  const { user, system } = process.threadCpuUsage(spent)
  notBefore = performance.now() + (user + system) / 1_000 / mostOfTime
  before = held() ?? Number.POSITIVE_INFINITY
}
