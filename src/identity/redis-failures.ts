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
import type { Reply } from '../redis/connection.ts'
import { keyOf, type Replica } from '../redis/replica.ts'
import { countedScript, countScript, familiarScript } from '../redis/scripts.ts'
import {
  countersBy,
  createFailureCounter,
  createFamiliarAddresses,
  type FailureCounter,
  type FailureCounts,
  familiarFor,
  keepLatest,
  mostAddresses,
  mostKeys,
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

/** What Redis does not know yet of one key. Another one takes its place when the key is forgotten, or has had its time. */
interface Untold {
  count: number
  /** Redis did not take it at once, and may have let go meanwhile of what it knew. */
  isLate: boolean
  /** Resolves to whether Redis took it. */
  telling?: Promise<boolean> | undefined
}

/** Answers come in the order in which was asked, so what is known last is what Redis knew last. */
function sharedCounter({ replica, clock, place }: CounterOptions): SharedCounter {
  /** What counts: as Redis said, and what it does not know yet. */
  const counts = createFailureCounter(clock)
  const untold = new Map<string, Untold>()
  /** The same for all of a kind. */
  let beginsAnew = false

  /** Of failures that have had their time nothing is due. */
  function due(text: string): Untold | undefined {
    if (counts.of(text).left === 0) untold.delete(text)
    return untold.get(text)
  }

  /** One at a time for each key. Never rejects with a Fault. @returns whether Redis has taken what is due */
  function tell(text: string): Promise<boolean> | undefined {
    const mine = due(text)
    if (mine === undefined) return undefined
    if (replica.downFor() !== undefined) {
      mine.isLate = true
      return undefined
    }
    mine.telling ??= tellAllOf(text, mine).catch(fault => {
      ignoreFault(fault)
      mine.isLate = true
      mine.telling = undefined
      return false
    })
    return mine.telling
  }
  /** Whose answer is lost may count twice, and counts. */
  async function tellAllOf(text: string, mine: Untold): Promise<boolean> {
    while (due(text) === mine && mine.count > 0) {
      const [{ count, left }, more] = [counts.of(text), mine.count]
      const args = [Math.ceil(left), beginsAnew ? 1 : 0, more, beginsAnew && mine.isLate ? count : more].map(String)
      const reply = await replica.ask(['EVAL', countScript, '1', place(text), ...args])
      const [known = 0, until = 0] = numbersIn(reply)
      mine.count -= more
      if (untold.get(text) === mine) counts.set(text, { count: known + mine.count, left: Math.max(0, until) })
    }
    if (untold.get(text) === mine) untold.delete(text)
    return true
  }

  return {
    of: counts.of,
    add(text, within, anew) {
      beginsAnew = anew
      const mine = due(text) ?? { count: 0, isLate: false }
      counts.add(text, within, anew)
      mine.count++
      // Past so many the oldest is never told.
      keepLatest(untold, text, mine, mostKeys)
      void tell(text)
    },
    forget(text) {
      counts.forget(text)
      untold.delete(text)
      // Not told later: it would take along what has failed since.
      if (replica.downFor() !== undefined) return
      const keepNewOnes = () => counts.set(text, { ...counts.of(text), count: untold.get(text)?.count ?? 0 })
      // A look that was on its way before has come back by then.
      replica.ask(['DEL', place(text)]).then(keepNewOnes, ignoreFault)
    },
    async learn(text) {
      void tell(text)
      const [count = 0, left = 0] = numbersIn(await replica.ask(['EVAL', countedScript, '1', place(text)]))
      const more = due(text)?.count ?? 0
      const before = counts.of(text)
      // The failures that it does not know keep those alive that it does, or did.
      const isOlder = beginsAnew && more > 0 && before.left > left
      const told = isOlder ? Math.max(count, before.count - more) : count
      counts.set(text, { count: told + more, left: Math.max(0, left, more > 0 ? before.left : 0) })
    },
    async tellAll() {
      const all = [...untold.keys()]
      for (let from = 0; from < all.length; from += mostTold) {
        // One that refuses is not asked for all the others.
        if ((await tell(all[from] ?? '')) === false) return
        await Promise.all(all.slice(from + 1, from + mostTold).map(tell))
      }
    },
  }
}

const numbersIn = (reply: Reply): readonly number[] => (Array.isArray(reply) ? reply.map(Number) : [])
