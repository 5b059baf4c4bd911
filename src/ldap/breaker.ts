/**
 * Whether a server is worth asking: one that failed is left aside, for longer each time, and then tried by one question.
 *
 * So an outage costs its timeout a few times and not with every sign-in, and a server that is back is used again by
 * itself. Not to forget: questions that were under way together fail together, which is one failure and not twenty.
 */
import { performance } from 'node:perf_hooks'
import type { Fault } from '../kernel/fault.ts'

/** Milliseconds, doubled with each failure in a row. */
const firstPause = 1_000
const longestPause = 30_000

/** `due`: the pause is over, and nobody tries yet. */
export type Standing = 'up' | 'due' | 'aside'

export interface Attempt {
  succeeded(): void
  failed(fault: Fault): void
  /** Always, at last: an attempt that neither succeeded nor failed says nothing. */
  end(): void
}

export class Breaker {
  readonly #now: () => number
  #failures = 0
  #until = 0
  #failedAt = Number.NEGATIVE_INFINITY
  #isTried = false
  #last: Fault | undefined

  /** @param now  milliseconds, of a clock that nobody sets */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get standing(): Standing {
    if (this.#failures === 0) return 'up'
    return this.#isTried || this.#now() < this.#until ? 'aside' : 'due'
  }

  /** In a row. */
  get failures(): number {
    return this.#failures
  }

  /** Milliseconds; 0 when it is up or due. */
  get pause(): number {
    return this.#failures === 0 ? 0 : Math.max(0, this.#until - this.#now())
  }

  /** Why it failed last; undefined once it has answered again. */
  get last(): Fault | undefined {
    return this.#last
  }

  begin(): Attempt {
    const began = this.#now()
    const isTry = this.standing === 'due'
    if (isTry) this.#isTried = true
    return {
      succeeded: () => {
        this.#failures = 0
        this.#last = undefined
      },
      failed: fault => {
        this.#last = fault
        if (began < this.#failedAt) return
        this.#failedAt = this.#now()
        this.#until = this.#failedAt + Math.min(longestPause, firstPause * 2 ** this.#failures)
        this.#failures++
      },
      end: () => {
        if (isTry) this.#isTried = false
      },
    }
  }
}
