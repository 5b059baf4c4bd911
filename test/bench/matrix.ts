/**
 * Runs the scenarios: all gateways of a row are up at once and take turns, so that a noisy minute is noisy for all.
 *
 * Scenario -> repetition -> gateway. What counts is the ratio to nginx within one repetition; the figure of a cell is the
 * median of these. Before and after, every gateway must give the very bytes that lie upstream.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { Ground } from './ground.ts'
import { type Aim, LoadFailure } from './load.ts'
import { cpuWatch, strangerWatch } from './processes.ts'
import type { Scenario } from './scenarios.ts'
import type { Auth, Job, Running, Target } from './targets/target.ts'

export interface Round {
  /** In the scenario's unit. */
  readonly value: number
  /** Seconds of CPU for each request, connection or MB; absent for memory. */
  readonly cpu?: number
  /** Answers that were as they should be; 0 for memory. */
  readonly answers: number
  /** Processors that others kept busy meanwhile. */
  readonly strangers: number
  /** MB resident, for memory. */
  readonly rss?: number
}

export interface Cell {
  readonly scenario: string
  readonly unit: string
  readonly auth: Auth
  readonly workers: number
  readonly target: string
  /** TLS version, suite. */
  readonly cipher?: string
  readonly rounds: readonly Round[]
  readonly value?: number
  /** Against nginx in the same round, above 1 is better. */
  readonly ratio?: number
  readonly cpuRatio?: number
  /** Largest less smallest value, as a share of the median. */
  readonly spread?: number
  /** Why there is nothing to measure. */
  readonly why?: string
  /** What went wrong; then nothing of this cell counts. */
  readonly failure?: string
}

export interface Plan {
  readonly ground: Ground
  readonly scenario: Scenario
  readonly job: Job
  readonly targets: readonly Target[]
  readonly repetitions: number
  readonly seconds: number
  /** Repeats a round once during which others took a fifth of a processor. */
  readonly patient: boolean
}

/** Of an even number of values, the mean of the two in the middle. Undefined of none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]]
  return low === undefined || high === undefined ? undefined : (low + high) / 2
}

export const lessIsBetter: ReadonlySet<string> = new Set(['ms', 'MB'])

/** The answer must be what lies upstream, byte by byte. @returns protocol and cipher suite */
export async function probe({ ground, running, certificate }: Aim, path: keyof Ground['hashes']): Promise<string> {
  const { client, authority } = ground
  const identity = certificate ? { cert: client.chainPem, key: client.keyPem } : {}
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const where = { host: '127.0.0.1', port: running.port, path, servername: 'localhost', agent: false } as const
    const headers = { ...running.headers, host: `localhost:${running.port}` }
    request({ ...where, headers, ca: authority.caPem, ...identity }, resolve)
      .once('error', reject)
      .end()
  })
  const { cipher, protocol } = describe(answer.socket as TLSSocket) // of node:https
  const hash = createHash('sha256')
  for await (const chunk of answer) hash.update(chunk as Buffer)
  const same = hash.digest('hex') === ground.hashes[path]
  if (answer.statusCode !== 200 || !same)
    throw new LoadFailure(`${path} was answered with ${answer.statusCode}${same ? '' : ' and other bytes'}`)
  return `${protocol} ${cipher}`
}

const describe = (socket: TLSSocket) => ({ cipher: socket.getCipher().name, protocol: socket.getProtocol() })

interface Seat {
  readonly target: Target
  readonly rounds: Round[]
  running?: Running
  cipher?: string
  why?: string
  failure?: string
}

function whyNot({ target, ...plan }: Plan & { readonly target: Target }): string | undefined {
  const missing = Object.entries(target.packages).filter(([, program]) => !existsSync(program))
  if (missing.length > 0) return `not installed: ${missing.map(([name]) => name).join(' ')}`
  if (target.onlyHttp1 && plan.scenario.http2) return 'HTTP/1.1 only'
  return target.cannot(plan.job, plan.scenario.name)
}

async function round({ scenario, ground }: Plan, aim: Aim, all: readonly number[]): Promise<Round> {
  const strangers = strangerWatch([...all, ...ground.pids])
  if (scenario.kind === 'weight') {
    const { value, rss } = await scenario.run(aim)
    return { value, rss, answers: 0, strangers: strangers() }
  }
  const spent = cpuWatch(aim.running.pids)
  const { units, seconds, answers, latency } = await scenario.run(aim)
  const cpu = spent() / units
  return { value: latency?.p99 ?? units / seconds, cpu, answers, strangers: strangers() }
}

const noisy = 0.2 // processors

/** One row of the table. */
export async function measure(plan: Plan): Promise<Cell[]> {
  const { ground, scenario, job, targets } = plan
  await using parts = new AsyncDisposableStack()
  const t = { teardown: (undo: () => unknown) => parts.defer(async () => void (await undo())) }
  const aimAt = (running: Running, seconds = plan.seconds): Aim => ({
    ...{ ground, running, seconds, workers: job.workers },
    certificate: job.auth === 'certificate',
  })
  const seats: Seat[] = targets.map(target => ({ target, rounds: [] }))
  /** Does it with a gateway that is still in; one that fails is out, with its last words. */
  const dare = async (seat: Seat, work: () => Promise<void>) => {
    if (seat.why !== undefined || seat.failure !== undefined) return
    try {
      await work()
    } catch (error) {
      seat.failure = `${error instanceof LoadFailure ? error.message : String(error)}\n${seat.running?.log().slice(-600) ?? ''}`
    }
  }
  for (const seat of seats) {
    const why = whyNot({ ...plan, target: seat.target })
    if (why !== undefined) seat.why = why
  }
  await Promise.all(
    seats.map(seat =>
      dare(seat, async () => {
        seat.running = await seat.target.start(t, ground, job)
      }),
    ),
  )
  for (const seat of seats)
    await dare(seat, async () => {
      if (seat.running === undefined || scenario.kind === 'weight') return
      const seconds = (seat.target.warmUp ?? 1) * (scenario.warmTimes ?? 1)
      const aim = aimAt(seat.running, plan.patient ? seconds : Math.min(1, plan.seconds))
      seat.cipher = await probe(aim, '/1k')
      await probe(aim, '/512k')
      await (scenario.warm ?? scenario.run)(aim)
    })
  const all = seats.flatMap(({ running }) => running?.pids ?? [])
  for (let turn = 0; turn < plan.repetitions; turn++) {
    // Forth and back: the same one before it would always leave the same caches behind.
    for (const seat of turn % 2 === 0 ? seats : seats.toReversed()) {
      await dare(seat, async () => {
        if (seat.running === undefined) return
        const aim = aimAt(seat.running)
        // It has waited for all others, and its program may be out of the caches, or of memory, by then.
        if (plan.patient && scenario.kind === 'speed') await (scenario.warm ?? scenario.run)(aimAt(seat.running, 1))
        let best = await round(plan, aim, all)
        if (plan.patient && best.strangers > noisy) {
          const again = await round(plan, aim, all)
          if (again.strangers < best.strangers) best = again
        }
        seat.rounds.push(best)
      })
    }
  }
  for (const seat of seats)
    await dare(seat, async () => void (seat.running && (await probe(aimAt(seat.running), '/512k'))))
  const base = seats.find(({ target, failure }) => target.name === 'nginx' && failure === undefined)
  return seats.map(seat => cellOf(plan, seat, base?.rounds ?? []))
}

function cellOf({ scenario, job }: Plan, seat: Seat, base: readonly Round[]): Cell {
  const { target, rounds, cipher, why, failure } = seat
  const place = { scenario: scenario.name, unit: scenario.unit, ...job, target: target.name }
  if (why !== undefined) return { ...place, rounds: [], why }
  if (failure !== undefined) return { ...place, rounds: [], failure }
  const values = rounds.map(({ value }) => value)
  const ratios = (of: (round: Round) => number | undefined, less: boolean) =>
    median(
      rounds.flatMap((mine, turn) => {
        const other = base[turn]
        const [own, theirs] = [of(mine), other && of(other)]
        return own === undefined || theirs === undefined ? [] : [less ? theirs / own : own / theirs]
      }),
    )
  const value = median(values)
  const ratio = ratios(({ value }) => value, lessIsBetter.has(scenario.unit))
  const cpuRatio = ratios(({ cpu }) => cpu, true)
  return {
    ...{ ...place, rounds },
    ...(cipher === undefined ? {} : { cipher }),
    ...(value === undefined ? {} : { value, spread: (Math.max(...values) - Math.min(...values)) / value }),
    ...(ratio === undefined ? {} : { ratio }),
    ...(cpuRatio === undefined ? {} : { cpuRatio }),
  }
}
