/**
 * The workers of a gateway: as many as there are seats, each replaced when it ends.
 *
 * The first one goes ahead: what it trips over would trip all of them. Not to forget: a worker that dies again and again
 * is started less and less often, so that it never keeps a machine busy; those that live go on meanwhile.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { causeLine } from '../kernel/fault.ts'
import type { Log } from '../telemetry/log.ts'
import type { Listening } from './channel.ts'
import { type Ending, type Member, StartDeath } from './member.ts'
import type { Seat } from './share.ts'

/** A worker that died younger than this was no good from the beginning, and the next one waits. Milliseconds. */
const young = 60_000
const firstWait = 1_000
const longestWait = 30_000
/** Deaths without a word, of one worker, after which a gateway that is starting gives up. */
const startDeaths = 3

/** @param deaths  of young ones, one behind the other */
export const waitBefore = (deaths: number): number =>
  deaths < 2 ? 0 : Math.min(longestWait, firstWait * 2 ** (deaths - 2))

export interface Crew {
  /** Those that serve now. */
  readonly serving: ReadonlySet<Member>
  /** Those, and those that begin or end. */
  readonly living: ReadonlySet<Member>
  /** Resolves when all serve; rejects when one of them cannot. */
  start(): Promise<readonly Listening[]>
  /** Whatever waits for its next try is tried now: something has changed. */
  tryNow(): void
  /** Nobody is replaced any more. @returns those that live */
  dismiss(): readonly Member[]
}

export interface CrewParts {
  readonly of: number
  readonly launch: (seat: Seat) => Member
  /** Told of each that serves from now on. */
  readonly joined: (member: Member) => void
  /** Told of each death, before it is replaced. */
  readonly died: (member: Member) => void
  readonly log: Log
}

export function createCrew({ of, launch, joined, died, log }: CrewParts): Crew {
  const serving = new Set<Member>()
  const living = new Set<Member>()
  let waiting = new AbortController()
  let isDismissed = false

  const begin = async (seat: Seat) => {
    const member = launch(seat)
    living.add(member)
    void member.ended.then(() => living.delete(member))
    const listening = await member.ready.catch(async (cause: unknown) => {
      member.kill()
      await member.ended
      throw cause
    })
    serving.add(member)
    joined(member)
    void member.gone.then(() => serving.delete(member))
    return { member, listening }
  }
  async function first(seat: Seat): Promise<readonly Listening[]> {
    for (let tries = 1; ; tries++) {
      try {
        const { member, listening } = await begin(seat)
        void keep(member)
        return listening
      } catch (cause) {
        if (!(cause instanceof StartDeath)) throw cause
        if (tries < startDeaths && !isDismissed) continue
        throw new Error(`worker ${seat.number} was started ${tries} times, and ${cause.message} each time`, { cause })
      }
    }
  }
  async function keep(member: Member): Promise<void> {
    const { seat } = member
    let current: Member = member
    let deaths = 0
    let since = performance.now()
    for (;;) {
      const ending = await current.gone
      if (isDismissed) return
      tellOf(current, ending)
      died(current)
      let next: Member | undefined
      while (next === undefined) {
        deaths = performance.now() - since < young ? deaths + 1 : 1
        await pause(waitBefore(deaths), undefined, { signal: waiting.signal }).catch(() => undefined) // something has changed
        if (isDismissed) return
        since = performance.now()
        next = await again(seat)
      }
      if (isDismissed) return
      current = next
      log.info({ worker: seat.number, process: current.pid }, 'a worker has taken the place of the one that ended')
    }
  }
  async function again(seat: Seat): Promise<Member | undefined> {
    try {
      return (await begin(seat)).member
    } catch (cause) {
      const facts = { worker: seat.number, cause: causeLine(cause) }
      if (!isDismissed) log.error(facts, 'a worker could not be replaced: it is tried again')
      return undefined
    }
  }
  function tellOf({ seat, pid }: Member, ending: Ending | 'leaving') {
    const facts = { worker: seat.number, process: pid }
    if (ending === 'leaving') log.error(facts, 'a worker has a bug, and lets what runs finish: another takes its place')
    else
      log.error({ ...facts, code: ending.code, signal: ending.signal }, 'a worker has ended: another takes its place')
  }

  return {
    serving,
    living,
    async start() {
      const listening = await first({ number: 1, of })
      await Promise.all(Array.from({ length: of - 1 }, (_, index) => first({ number: index + 2, of })))
      return listening
    },
    tryNow() {
      waiting.abort()
      waiting = new AbortController()
    },
    dismiss() {
      isDismissed = true
      waiting.abort()
      return [...living]
    },
  }
}
