/** A clock that stands still until a test moves it. */
import type { Clock } from '../../src/kernel/clock.ts'

export interface MovedClock extends Clock {
  /** @param milliseconds  may be negative: someone sets the clock back */
  move(milliseconds: number): void
}

export function movedClock(start = Date.UTC(2026, 10, 22, 12)): MovedClock {
  let now = start
  return {
    now: () => now,
    move(milliseconds) {
      now += milliseconds
    },
  }
}
