/**
 * What was tried, what went well, and each failure with its reason: explained by an outage that we made, or not at all.
 */
export interface Outage {
  readonly from: number
  /** Undefined: it lasts. */
  to: number | undefined
}

export interface Row {
  readonly load: string
  readonly done: number
  /** While the process was down by our own doing: a connection that breaks is the stated answer then. */
  readonly explained: number
  readonly unexplained: number
}

/** An answer that is wrong whatever happened to the process meanwhile: no outage explains it. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer'
}

/** A connection that died with the process is told late at times, on a busy machine. */
const aftermath = 1_000
const mostKept = 100

export class Tally {
  readonly outages: Outage[] = []
  /** Why, and when, of the failures that nothing explains. */
  readonly unexplained: string[] = []
  readonly #rows = new Map<string, { done: number; explained: number; unexplained: number }>()
  readonly #startedAt = Date.now()

  /** Tries it once, and counts what came of it. Never throws. @param patience  milliseconds after which it has failed */
  async attempt(load: string, work: () => Promise<void>, patience = 30_000): Promise<void> {
    const began = Date.now()
    const row = this.#rows.get(load) ?? { done: 0, explained: 0, unexplained: 0 }
    this.#rows.set(load, row)
    const alarm = Promise.withResolvers<never>()
    const timer = setTimeout(() => alarm.reject(new WrongAnswer(`no end after ${patience / 1_000} s`)), patience)
    try {
      await Promise.race([work(), alarm.promise])
      row.done++
    } catch (cause) {
      if (!(cause instanceof WrongAnswer) && this.#wasDown(began)) row.explained++
      else {
        row.unexplained++
        const at = Math.round((began - this.#startedAt) / 1_000)
        if (this.unexplained.length < mostKept) this.unexplained.push(`${load}, at ${at} s: ${cause}`)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** From now until `over` is called, connections may break. */
  outage(): { over(): void } {
    const outage: Outage = { from: Date.now(), to: undefined }
    this.outages.push(outage)
    return {
      over() {
        outage.to = Date.now()
      },
    }
  }

  rows(): readonly Row[] {
    return [...this.#rows].map(([load, row]) => ({ load, ...row })).toSorted((a, b) => a.load.localeCompare(b.load))
  }

  #wasDown(since: number): boolean {
    return this.outages.some(({ to }) => to === undefined || to + aftermath >= since)
  }
}
