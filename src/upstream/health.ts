/**
 * Whether an upstream answered when it was last asked, and since when. Told by the traffic itself.
 */
export interface Health {
  readonly state: 'up' | 'down' | 'unknown'
  /** Milliseconds since 1970 of the last change. */
  readonly since: number
}

export interface HealthRecord {
  readonly health: Health
  answered(): void
  failed(): void
}

export function createHealthRecord(now: () => number): HealthRecord {
  let health: Health = { state: 'unknown', since: now() }
  const turn = (state: Health['state']) => {
    if (health.state !== state) health = { state, since: now() }
  }
  return {
    get health() {
      return health
    },
    answered: () => turn('up'),
    failed: () => turn('down'),
  }
}
