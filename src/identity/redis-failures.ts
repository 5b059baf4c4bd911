/**
 * How often something has failed lately, for several gateways: counted in Redis, where each count ends by itself.
 *
 * The throttle decides at once, so what it goes by is read before (`learn`) and known here for that decision. While Redis is
 * away this gateway counts alone: what it knew, and what fails here. Not to forget: people type passwords where a name belongs,
 * so Redis holds keyed hashes.
 *
 * Source: redis.io/docs (INCR, PEXPIRE, PTTL); failure-counts.ts, whose rules these are.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import { ignoreFault } from '../kernel/fault.ts'
import { keyOf, type Replica } from '../redis/replica.ts'
import { countScript, familiarScript } from '../redis/scripts.ts'
import {
  type Asked,
  countersBy,
  createFailureCounter,
  createFamiliarAddresses,
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

export function openSharedFailures({ replica, key, clock }: SharedFailuresOptions): FailureCounts {
  const hashOf = (text: string) => createHmac('sha256', key).update(text).digest('base64url').slice(0, 22)
  const placeOf = (kind: string, text: string) => keyOf(`failures:${kind}:${hashOf(text)}`)
  const familiarPlace = (name: string) => keyOf(`familiar:${hashOf(name)}`)
  /** Redis that is away is told nothing, and this gateway counts on. */
  const write = (args: readonly string[]): void => {
    if (replica.downFor() === undefined) replica.ask(args).catch(ignoreFault)
  }

  const memories = new Map<string, ReturnType<typeof createFailureCounter>>()
  const counters = countersBy(kind => {
    const memory = createFailureCounter(clock)
    memories.set(kind, memory)
    return {
      of: memory.of,
      add(text, within, anew) {
        memory.add(text, within, anew)
        write(['EVAL', countScript, '1', placeOf(kind, text), String(within), anew ? '1' : '0'])
      },
      forget(text) {
        memory.forget(text)
        write(['DEL', placeOf(kind, text)])
      },
    }
  })
  const familiar = createFamiliarAddresses(clock)

  async function learnCount({ kind, key: text }: Asked): Promise<void> {
    const place = placeOf(kind, text)
    const [count, left] = await Promise.all([replica.ask(['GET', place]), replica.ask(['PTTL', place])])
    memories.get(kind)?.set(text, { count: Number(count ?? 0), left: Math.max(0, Number(left)) })
  }
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
        write(['EVAL', familiarScript, '1', familiarPlace(name), ...args])
      },
    },
    async learn(counts, names) {
      if (replica.downFor() !== undefined) return
      await Promise.all([...counts.map(learnCount), ...names.map(learnFamiliar)]).catch(ignoreFault)
    },
  }
}
