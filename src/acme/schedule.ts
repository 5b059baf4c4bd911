/**
 * When to renew, and how long to wait after a failure. Pure: the time is an argument.
 *
 * Not to forget: authorities lock out who fails too often (five failed proofs of a name in an hour are common), so what
 * was refused waits for minutes at first and for hours at last. Certificates that live for minutes are renewed by
 * private authorities only: there all waits shrink with the lifetime.
 *
 * Source: RFC 8555 6.6; RFC 9773 1 (a third of the lifetime is what clients do without renewal information).
 */
import type { AcmeFailure } from './failure.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** Milliseconds since 1970. */
export interface Lifetime {
  readonly from: number
  readonly to: number
}

/**
 * At a third of the lifetime left, or a little earlier.
 *
 * @param spread  0 to 1, the same for a certificate whenever it is asked: many gateways that were set up in one hour
 *   shall not all come back in one
 */
export function renewalTime({ from, to }: Lifetime, spread: number): number {
  const lifetime = to - from
  return to - lifetime / 3 - (spread * lifetime) / 30
}

const within = (least: number, value: number, most: number) => Math.max(least, Math.min(value, most))

/** [first wait, longest wait] after a failure of that kind. @param lifetime  of the certificate in use, if there is one */
function bounds(kind: AcmeFailure['kind'], lifetime: number): [first: number, longest: number] {
  const soon = within(second, lifetime / 300, kind === 'unreachable' ? 2 * second : 2 * minute)
  const late = within(2 * second, lifetime / 20, kind === 'unreachable' ? 10 * minute : 6 * hour)
  return [soon, late]
}

export interface Setback {
  readonly kind: AcmeFailure['kind']
  /** Failures in a row, this one included. */
  readonly failures: number
  /** What the authority asked for. */
  readonly retryAfter: number
  readonly lifetime: number | undefined
  /** Of that lifetime, from now. */
  readonly left?: number | undefined
  /** 0 to 1, at random. */
  readonly spread: number
}

/** The most that an authority may ask for: several tries must fit into what is left. */
const longestAsked = (left: number | undefined): number => (left === undefined || left <= 0 ? hour : left / 8)

/** Milliseconds to wait before the next try: twice as long each time, up to a bound. There is always a next try. */
export function retryDelay({ kind, failures, retryAfter, lifetime = Infinity, left, spread }: Setback): number {
  const [first, longest] = bounds(kind, lifetime)
  const wait = Math.min(first * 2 ** (failures - 1), longest)
  return Math.max(wait, Math.min(retryAfter, longestAsked(left))) * (1 + spread / 10)
}

/**
 * What is left of a wait when the gateway starts again: four tries in an hour at most, however often it falls, and
 * whoever mended something and restarts does not wait for hours.
 */
export const waitAfterRestart = (wait: number): number => Math.min(wait, 15 * minute)

/** After a certificate has come the next one waits at least so long, even where a clock is wrong: no endless ordering. */
export const restAfterSuccess = (lifetime: number): number => within(second, lifetime / 20, hour)

/** How often the clock is looked at: it may be set, and timers stand still while a machine sleeps. */
export const pulse = (lifetime: number | undefined): number =>
  lifetime === undefined ? second : within(second / 4, lifetime / 600, minute)
