/**
 * Ends exchanges of clients that neither send nor take anything, or only drip.
 *
 * Only time in which the gateway waits for the client counts; an upstream that is slow is judged elsewhere.
 * Takes the place of Node's limit for a whole request, which kills large uploads (nodejs/node#46574).
 */
import type { Limits } from '../config/listener.ts'
import { createMembers, type Member } from '../kernel/members.ts'
import type { Progress } from './bodies.ts'
import type { Exchange } from './exchange.ts'

const step = 1_000

interface Watched extends Member {
  readonly exchange: Exchange
  readonly progress: () => readonly (Progress | undefined)[]
  bytes: number
  /** Milliseconds of waiting since the last byte, and in all. */
  quiet: number
  waited: number
}

export interface PaceWatch extends Disposable {
  add(exchange: Exchange, progress: Watched['progress']): void
}

/** @param cut  what to do with an exchange that is too slow */
export function watchPace(
  limits: Pick<Limits, 'idle' | 'minimumRate'>,
  cut: (exchange: Exchange, why: string) => void,
): PaceWatch {
  const watched = createMembers<Watched>()
  const look = () => {
    for (const one of watched.all()) {
      if (one.at === -1) continue
      const parts = one.progress()
      const bytes = parts.reduce((sum, part) => sum + (part?.bytes ?? 0), 0)
      if (!parts.some(part => part?.waiting === true)) {
        one.quiet = 0
        continue
      }
      one.waited += step
      one.quiet = bytes === one.bytes ? one.quiet + step : 0
      one.bytes = bytes
      const dripping = one.waited > limits.idle && bytes < (limits.minimumRate * one.waited) / 1000
      if (one.quiet <= limits.idle && !dripping) continue
      watched.leave(one)
      cut(one.exchange, dripping ? 'below the minimum rate' : 'idle')
    }
  }
  const timer = setInterval(look, step).unref()
  return {
    add(exchange, progress) {
      const one: Watched = { exchange, progress, bytes: 0, quiet: 0, waited: 0, at: -1 }
      watched.join(one)
      exchange.finished.tell(() => watched.leave(one))
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
