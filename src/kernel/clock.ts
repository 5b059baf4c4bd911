/**
 * The time, handed in, so that a test can move it. Wall clock: certificates and audit lines are dated by it.
 */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }
