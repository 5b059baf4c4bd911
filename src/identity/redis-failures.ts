/**
 * How often something has failed lately, for several gateways: counted in Redis, where each count ends by itself.
 *
 * The throttle decides at once, so what it goes by is read before (`learn`) and known here for that decision. What Redis does not
 * take, because it is away or refuses to write (full, a replica), counts here besides, and is told as soon as it does: nobody
 * guesses on meanwhile, and nothing that failed is forgotten when it is back. Not to forget: people type passwords where a
 * name belongs, so Redis holds keyed hashes.
 *
 * Source: redis.io/docs (INCRBY, PEXPIRE, PTTL); failure-counts.ts, whose rules these are.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import { every } from '../kernel/every.ts'
import { ignoreFault } from '../kernel/fault.ts'
import { keyOf, type Replica } from '../redis/replica.ts'
import { countScript, familiarScript } from '../redis/scripts.ts'
import {
  countersBy,
  createFailureCounter,
  createFamiliarAddresses,
  type FailureCounter,
  type FailureCounts,
  familiarFor,
  mostAddresses,
} from './failure-counts.ts'

export interface SharedFailuresOptions {
  readonly replica: Pick<Replica, 'ask' | 'downFor'>
  /** 32 bytes, the same at every gateway. */
  readonly key: Buffer
  readonly clock: Clock
}

/** Milliseconds between two tries to tell Redis what it did not take. */
const tellAgain = 2_000
/** At one time, for each has two seconds to be answered. */
const mostTold = 100

export function openSharedFailures({ replica, key, clock }: SharedFailuresOptions): FailureCounts & Disposable {
  const hashOf = (text: string) => createHmac('sha256', key).update(text).digest('base64url').slice(0, 22)
  const familiarPlace = (name: string) => keyOf(`familiar:${hashOf(name)}`)
  /** Redis that is away is told nothing. */
  const write = async (args: readonly string[]): Promise<void> => {
    if (replica.downFor() === undefined) await replica.ask(args).catch(ignoreFault)
  }

  const shared = new Map<string, SharedCounter>()
  const counters = countersBy(kind => {
    const counter = sharedCounter({
      place: text => keyOf(`failures:${kind}:${hashOf(text)}`),
      ...{ replica, clock },
    })
    shared.set(kind, counter)
    return counter
  })
  let isTelling = false
  const again = every(tellAgain, async () => {
    if (isTelling) return
    isTelling = true
    for (const counter of shared.values()) await counter.tellAll()
    isTelling = false
  })
  const familiar = createFamiliarAddresses(clock)

  async function learnFamiliar(name: string): Promise<void> {
    const found = await replica.ask(['ZRANGE', familiarPlace(name), '0', '-1', 'WITHSCORES'])
    const flat = Array.isArray(found) ? found.map(String) : []
    for (let at = 0; at + 1 < flat.length; at += 2) familiar.set(hashOf(name), flat[at] ?? '', Number(flat[at + 1]))
  }
  return {
    ...counters,
    familiar: {
      has: (name, address) => familiar.has(hashOf(name), hashOf(address)),
      knows: name => familiar.knows(hashOf(name)),
      add(name, address) {
        familiar.add(hashOf(name), hashOf(address))
        const args = [hashOf(address), clock.now(), mostAddresses, familiarFor].map(String)
        void write(['EVAL', familiarScript, '1', familiarPlace(name), ...args])
      },
    },
    async learn(counts, names) {
      if (replica.downFor() !== undefined) return
      const all = [...counts.map(({ kind, key: text }) => shared.get(kind)?.learn(text)), ...names.map(learnFamiliar)]
      await Promise.all(all).catch(ignoreFault)
    },
    [Symbol.dispose]: () => again[Symbol.dispose](),
  }
}

interface SharedCounter extends FailureCounter {
  learn(text: string): Promise<void>
  /** What is still untold. Never rejects with a Fault. */
  tellAll(): Promise<void>
}

interface CounterOptions extends Pick<SharedFailuresOptions, 'replica' | 'clock'> {
  readonly place: (text: string) => string
}

/** Answers come in the order in which was asked, so what is known last is what Redis knew last. */
function sharedCounter({ replica, clock, place }: CounterOptions): SharedCounter {
  /** As Redis says. */
  const told = createFailureCounter(clock)
  /** What it does not know yet. */
  const untold = createFailureCounter(clock)
  /** How much of that is on its way. */
  const sent = new Map<string, { count: number }>()
  /** The same for all of a kind. */
  let beginsAnew = false

  /** Whose answer is lost may count twice, and counts. Never rejects with a Fault. @returns whether Redis takes it */
  async function tell(text: string): Promise<boolean> {
    if (replica.downFor() !== undefined) return false
    const way = sent.get(text) ?? { count: 0 }
    const { count: all, left } = untold.of(text)
    const count = all - way.count
    if (count <= 0) return true
    way.count += count
    sent.set(text, way)
    try {
      const args = [place(text), String(Math.ceil(left)), beginsAnew ? '1' : '0', String(count)]
      const reply = await replica.ask(['EVAL', countScript, '1', ...args])
      const [known, until] = Array.isArray(reply) ? reply.map(Number) : []
      told.set(text, { count: known ?? 0, left: Math.max(0, until ?? 0) })
      // Unless it was forgotten meanwhile.
      const now = untold.of(text)
      if (sent.get(text) === way) untold.set(text, { ...now, count: Math.max(0, now.count - count) })
      return true
    } catch (fault) {
      ignoreFault(fault)
      return false
    } finally {
      way.count -= count
      if (way.count === 0 && sent.get(text) === way) sent.delete(text)
    }
  }
  return {
    of(text) {
      const [one, other] = [told.of(text), untold.of(text)]
      return { count: one.count + other.count, left: Math.max(one.left, other.left) }
    },
    add(text, within, anew) {
      beginsAnew = anew
      untold.add(text, within, anew)
      const { count } = told.of(text)
      if (anew) told.set(text, { count, left: within })
      void tell(text)
    },
    forget(text) {
      told.forget(text)
      untold.forget(text)
      sent.delete(text)
      if (replica.downFor() !== undefined) return
      // What was on its way before has come back by then.
      replica.ask(['DEL', place(text)]).then(() => told.forget(text), ignoreFault)
    },
    async learn(text) {
      void tell(text)
      const [count, left] = await Promise.all([replica.ask(['GET', place(text)]), replica.ask(['PTTL', place(text)])])
      const known = { count: Number(count ?? 0), left: Math.max(0, Number(left)) }
      const before = told.of(text)
      // The failures that it does not know keep those alive that it does, or did.
      const isOlder = beginsAnew && untold.of(text).count > 0 && before.left > known.left
      told.set(text, isOlder ? { count: Math.max(known.count, before.count), left: before.left } : known)
    },
    async tellAll() {
      const all = [...untold.keys()]
      for (let from = 0; from < all.length; from += mostTold) {
        // One that refuses is not asked for all the others.
        if (!(await tell(all[from] ?? ''))) return
        await Promise.all(all.slice(from + 1, from + mostTold).map(tell))
      }
    },
  }
}
