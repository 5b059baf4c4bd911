/**
 * A gateway of several processes, seen from the one that serves nobody: it starts the workers, and does once what must be
 * done once.
 *
 *   crew      workers, started and replaced; connections are handed to them in turns
 *   reload    whole or nothing: all workers prepare, then all go over or none does
 *   duties    the audit trail, ACME orders, warnings, health and metrics
 *
 * Not to forget: a worker may die at any line of this, and one that has not answered in time is ended and begins anew.
 */
import cluster from 'node:cluster'
import type { AuditEvent } from '../audit/event.ts'
import { tooFew } from '../config/divided.ts'
import { pathText } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { openDuties } from '../duties.ts'
import type { Gateway, GatewayOptions } from '../gateway.ts'
import { openTrail } from '../house.ts'
import { Fault } from '../kernel/fault.ts'
import type { Readiness } from '../listener/admin-listener.ts'
import type { Materials } from '../preflight.ts'
import { type ReadConfiguration, type Reloaded, readAgain, restartKeys, settledOf } from '../reload.ts'
import { formatOf } from '../telemetry/log.ts'
import { createTicketSecret } from '../tls/tickets.ts'
import type { Begin, OfPrimary, OfWorker, Recorded } from './channel.ts'
import { createCrew } from './crew.ts'
import { type Member, startMember } from './member.ts'
import { createMergedMetrics } from './merged-metrics.ts'

/** Milliseconds that a worker has for half a reload; revocation lists alone may take ten seconds. */
const reloadPatience = 30_000
/** Milliseconds for its metrics: one that stands still holds up no scrape. */
const metricsPatience = 1_000
const readinessPatience = 5_000
/** Milliseconds: an authority that asks a worker which does not know yet is told so, and the order is tried again. */
const challengePatience = 2_000
const newsPatience = 1_000
/** Milliseconds behind `drain`, after which a worker that has not ended is ended. */
const drainGrace = 5_000

/** The configuration that is at work. */
export interface AtWork {
  readonly config: Config
  readonly materials: Materials
  /** Says whether two have read the same. */
  readonly print: string
}

export interface PrimaryOptions extends Omit<GatewayOptions, 'crew'> {
  readonly workers: number
  /** The program that a worker runs, and what it is told. */
  readonly program: string
  readonly arguments: readonly string[]
  /** Writes whole lines of a worker to where the log goes. */
  readonly pass: (lines: string) => void
}

/** Starts the workers, and resolves when all of them serve. */
export async function startPrimary(first: AtWork, options: PrimaryOptions): Promise<Gateway> {
  const { log, metrics, clock, workers } = options
  await using open = new AsyncDisposableStack()
  const settled = settledOf(first.config)
  const format = formatOf(settled.log)
  const audit = open.use(await openTrail(first.config, options))
  const merged = createMergedMetrics<Member>()
  const challenges = new Map<string, string>()
  let current = first
  let turn: Promise<unknown> = Promise.resolve()
  let draining = false
  /** Reloads that were taken, altogether and before a worker was started. */
  let taken = 0
  const born = new WeakMap<Member, number>()

  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({
    exec: options.program,
    args: [...options.arguments],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const crew = createCrew({
    of: workers,
    log,
    launch(seat) {
      const member = startMember({ seat, format, tell: options.pass, answers: { begin, record }, news })
      void member.ended.then(() => merged.gone(member))
      born.set(member, taken)
      return member
    },
    joined(member) {
      if (born.get(member) !== taken) turn = turn.then(() => catchUp(member))
    },
    died: () => metrics.workerDeaths.inc(),
  })
  open.defer(async () => {
    const living = crew.dismiss()
    for (const member of living) member.kill()
    await Promise.all(living.map(({ ended }) => ended))
  })
  const tickets = open.use(
    createTicketSecret(secret => {
      void askAll(crew.living, ({ channel }) => channel.ask('tickets', secret.toString('hex'), newsPatience))
    }),
  )
  const duties = open.use(
    openDuties({
      ...{ log, metrics, clock, settled, audit },
      challenges: {
        set(token, authorization) {
          challenges.set(token, authorization)
          return tell({ token, authorization })
        },
        delete(token) {
          challenges.delete(token)
          void tell({ token, authorization: null })
        },
      },
      renewed: () => options.materialsChanged?.(),
      answers: { readiness, metrics: measure },
    }),
  )
  const listening = await crew.start()
  await duties.begin(first.materials)

  async function news(from: Member, item: OfPrimary['news'][0]): Promise<void> {
    const others = [...crew.serving].filter(member => member !== from)
    await askAll(others, ({ channel }) => channel.ask('news', item, newsPatience))
  }
  async function tell(challenge: OfWorker['challenge'][0]): Promise<void> {
    await askAll(crew.living, ({ channel }) => channel.ask('challenge', challenge, challengePatience))
  }
  async function record({ id, event }: { readonly id: string; readonly event: AuditEvent }): Promise<Recorded> {
    try {
      return (await audit.record(id, event)) ? 'written' : 'lost'
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      return 'refused'
    }
  }
  async function begin(print: string): Promise<Begin> {
    await turn // a reload decides on which configuration
    if (print !== current.print) return { go: false }
    return { go: true, challenges: [...challenges], tickets: tickets.current.toString('hex') }
  }
  async function readiness(): Promise<Readiness> {
    const own = { workers: `${crew.serving.size} of ${workers} serve`, ...(draining ? { gateway: 'stopping' } : {}) }
    const asked = [...crew.serving].map(({ channel }) => channel.ask('readiness', null, readinessPatience))
    // What each of them finds is the same, and one that stands still is not waited for.
    const { ready, parts } = await Promise.any(asked).catch(() => ({ ready: false, parts: {} }))
    return { ready: ready && !draining, parts: { ...parts, ...own } }
  }
  async function measure() {
    metrics.workers.set(crew.serving.size)
    const answers = await askAll(crew.serving, ({ channel }) => channel.ask('metrics', null, metricsPatience))
    for (const [member, said] of answers) if (said !== undefined) merged.take(member, said)
    return merged.read(await metrics.registry.getMetricsAsJSON())
  }

  async function goOver(next: AtWork): Promise<Reloaded> {
    const asked = [...crew.serving]
    const prepared = await askAll(asked, ({ channel }) => channel.ask('prepare', next.print, reloadPatience))
    const refusal = [...prepared.values()].find(outcome => outcome?.ok === false)
    const all = refusal === undefined
    const ready = asked.filter(member => prepared.get(member)?.ok === true)
    const settled = await askAll(ready, ({ channel }) => channel.ask('settle', all, reloadPatience))
    if (all) {
      current = next
      taken++
    }
    for (const member of asked)
      if (prepared.get(member) === undefined || (all && settled.get(member)?.ok !== true)) beginAnew(member)
    crew.tryNow()
    return refusal ?? { ok: true }
  }
  /** Of what was taken while it began it may have read some, and not all. */
  async function catchUp(member: Member): Promise<void> {
    const { channel } = member
    try {
      const prepared = await channel.ask('prepare', current.print, reloadPatience)
      if (prepared.ok && (await channel.ask('settle', true, reloadPatience)).ok) return
    } catch {
      // It has said nothing in time, or is dead already.
    }
    beginAnew(member)
  }
  function beginAnew(member: Member): void {
    if (!crew.serving.has(member)) return
    log.error({ worker: member.seat.number, process: member.pid }, 'a worker did not follow a reload: it is ended')
    member.kill()
  }
  async function attempt(read: ReadConfiguration): Promise<Reloaded> {
    const found = readAgain(read, settled, log)
    if ('why' in found) return { ok: false, why: found.why }
    const { config, materials, print = '' } = found
    const few = tooFew(config, workers)
    if (few !== undefined)
      return { ok: false, why: `${pathText(few.path)} is ${few.limit}, which is not enough for ${workers} workers` }
    const outcome = await goOver({ config, materials, print })
    if (!outcome.ok) return outcome
    duties.follow(materials)
    const keys = restartKeys(settled, config)
    if (keys.length > 0) log.warn({ keys }, 'these sections have changed and are heeded only after a restart')
    return outcome
  }
  async function reload(read: ReadConfiguration): Promise<Reloaded> {
    const outcome = await attempt(read)
    await duties.reloaded(outcome)
    return outcome
  }

  const opened = open.move()
  return {
    listeners: [...listening, ...duties.listeners],
    reload(read) {
      const outcome = turn.then(() => reload(read))
      turn = outcome.catch(() => undefined) // whoever asked is told; the next one starts all the same
      return outcome
    },
    async drain() {
      draining = true
      const living = crew.dismiss()
      const deadline = setTimeout(() => {
        for (const member of living) member.kill()
      }, current.config.drain + drainGrace)
      for (const { channel } of living) channel.ask('drain', null).catch(() => undefined) // it has ended already
      await Promise.all(living.map(({ ended }) => ended))
      clearTimeout(deadline)
      await duties.end()
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** @returns what each has answered; undefined: nothing in time, or it has died */
async function askAll<Answer>(
  members: Iterable<Member>,
  ask: (member: Member) => Promise<Answer>,
): Promise<ReadonlyMap<Member, Answer | undefined>> {
  const answers = [...members].map(async member => [member, await ask(member).catch(() => undefined)] as const)
  return new Map(await Promise.all(answers))
}
