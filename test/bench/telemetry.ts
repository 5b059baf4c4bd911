/**
 * `npm run bench -- telemetry SCENARIO[:AUTH]`: what the access line and its metrics cost, off and on within one process.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Ground, layGround } from './ground.ts'
import { median, probe } from './matrix.ts'
import { type Options, readSubject, UsageError } from './options.ts'
import type { Speed } from './scenarios.ts'
import type { Phase } from './switched-telemetry.ts'
import { sallyport } from './targets/sallyport.ts'
import type { Auth, Running } from './targets/target.ts'

/** Phases before V8 has compiled both ways. */
const warmUp = 16

interface Watch {
  readonly ground: Ground
  readonly scenario: Speed
  readonly auth: Auth
  readonly seconds: number
  readonly file: string
}

/** Each phase of a pair is one way; those that a tool began or ended in do not count. */
export function costs(phases: readonly Phase[]) {
  const whole = median(phases.map(({ exchanges }) => exchanges)) ?? 0
  const pairs: { readonly on: number; readonly off: number }[] = []
  for (let at = 0; at + 1 < phases.length; at += 2) {
    const two = phases.slice(at, at + 2)
    const [on, off] = [two.find(({ isOn }) => isOn), two.find(({ isOn }) => !isOn)]
    if (on === undefined || off === undefined || two.some(({ exchanges }) => exchanges < whole / 2)) continue
    pairs.push({ on: on.cpu / on.exchanges, off: off.cpu / off.exchanges })
  }
  const shares = pairs.map(({ on, off }) => on / off - 1).toSorted((a, b) => a - b)
  const mean = shares.reduce((sum, one) => sum + one, 0) / shares.length
  const squares = shares.reduce((sum, one) => sum + (one - mean) ** 2, 0)
  return {
    pairs: pairs.length,
    /** Microseconds of CPU for an exchange, medians. */
    on: median(pairs.map(({ on }) => on)) ?? Number.NaN,
    off: median(pairs.map(({ off }) => off)) ?? Number.NaN,
    /** What is added to an exchange, as a share of one without it; the middle half of all pairs. */
    share: median(shares) ?? Number.NaN,
    middle: [shares[Math.floor(shares.length / 4)], shares[Math.floor((shares.length * 3) / 4)]] as const,
    ...{ mean, error: Math.sqrt(squares / (shares.length - 1) / shares.length) },
  }
}

/** Keeps sallyport busy. @param file  for what each phase cost */
export async function watched(
  t: Pick<Test, 'teardown'>,
  { ground, scenario, auth, seconds, file }: Watch,
): Promise<{ readonly phases: readonly Phase[]; readonly running: Running; readonly answers: number }> {
  rmSync(file, { force: true })
  const preload = new URL(`switched-telemetry.ts?${new URLSearchParams({ out: file })}`, import.meta.url)
  const running = await sallyport(['--import', preload.href]).start(t, ground, { auth, workers: 1 })
  const aim = { ground, running, workers: 1, seconds, certificate: auth === 'certificate' }
  await probe(aim, '/1k')
  const { answers } = await scenario.run(aim)
  const phases = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Phase) // switched-telemetry.ts wrote it
  return { phases, running, answers }
}

/** @returns two lines of text */
export async function telemetry(t: Pick<Test, 'teardown'>, { subject, seconds, out }: Options): Promise<string> {
  const { scenario, auth } = readSubject(subject, 'measure the telemetry of')
  const ground = await layGround(t, { directory: auth === 'session' || auth === 'basic' })
  mkdirSync(out, { recursive: true })
  const file = join(out, `telemetry-${scenario.name}-${auth}.jsonl`)
  const { phases } = await watched(t, { ground, scenario, auth, seconds: Math.max(seconds, 20), file })
  const { pairs, on, off, share, middle, mean, error } = costs(phases.slice(warmUp))
  if (pairs < 2)
    throw new UsageError(`${subject} has too few exchanges in half a second, or took too short: --seconds 60`)
  const percent = (of: number | undefined) => `${((of ?? Number.NaN) * 100).toFixed(1)}`
  return [
    `${scenario.name}:${auth}: ${on.toFixed(1)} us of CPU for an exchange with access line and metrics, ${off.toFixed(1)} without;`,
    `median of ${pairs} pairs ${percent(share)} % more (middle half ${percent(middle[0])} to ${percent(middle[1])}; mean ${percent(mean)}, standard error ${percent(error)})`,
  ].join('\n')
}
