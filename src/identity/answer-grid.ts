/**
 * Refusals are told on a grid: at the next multiple of a fixed time after the question came. So the time does not tell
 * whether a name is unknown, locked, moved to another entry, or the password wrong.
 *
 * It hides differences that stay within one step; what is done for each kind is about the same work besides. Whoever
 * waits here holds no place in any queue.
 *
 * Source: CWE-208 (observable timing discrepancy).
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** Above what a directory and one scrypt take, below what a person minds. */
export const usualStep = 500

/** Monotonic, in milliseconds. */
export const moment = (): number => performance.now()

/** @param step  milliseconds; 0: told at once. @param arrived  a moment() */
export async function untilNextStep(step: number, arrived: number): Promise<void> {
  if (step <= 0) return
  const told = arrived + Math.ceil((moment() - arrived) / step) * step
  // Timers of Node count from when the event loop last looked at the clock, and may come early.
  for (let left = told - moment(); left > 0; left = told - moment()) await sleep(Math.ceil(left))
}
