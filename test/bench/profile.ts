/**
 * `npm run bench -- profile SCENARIO[:AUTH]`: where sallyport spends its CPU under that load, by self time.
 *
 * The profile itself is kept, for Chrome's DevTools. Source: node --cpu-prof; the Profile type of the DevTools protocol.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { layGround } from './ground.ts'
import { probe } from './matrix.ts'
import { type Options, readSubject } from './options.ts'
import { cpuWatch } from './processes.ts'
import { sallyport } from './targets/sallyport.ts'

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  /** Microseconds of the monotonic clock. */
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const monotonic = () => Number(process.hrtime.bigint() / 1_000n)
const root = join(import.meta.dirname, '..', '..')

/** Function -> microseconds in it alone, between two moments of the monotonic clock. */
function selfTimes({ nodes, startTime, samples, timeDeltas }: CpuProfile, from: number, until: number) {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url.replace(`file://${root}/`, '').replace(/.*node_modules\//, '')
      return [id, `${functionName || '(anonymous)'} ${place === '' ? '' : `${place}:${lineNumber + 1}`}`.trim()]
    }),
  )
  const times = new Map<string, number>()
  let now = startTime
  for (const [at, id] of samples.entries()) {
    now += timeDeltas[at] ?? 0
    if (now < from || now > until) continue
    const name = names.get(id) ?? '?'
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0))
  }
  return times
}

/** @returns a table as text */
export async function profile(t: Pick<Test, 'teardown'>, { subject, seconds, out }: Options): Promise<string> {
  const { scenario, auth } = readSubject(subject, 'profile')
  const { name } = scenario
  const ground = await layGround(t, { directory: auth === 'session' || auth === 'basic' })
  const folder = join(out, `profile-${name}-${auth}-${Date.now()}`)
  mkdirSync(folder, { recursive: true })

  const took = await (async () => {
    await using parts = new AsyncDisposableStack()
    const ended = { teardown: (undo: () => unknown) => parts.defer(async () => void (await undo())) }
    const job = { auth, workers: 1 }
    const target = sallyport(['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500'])
    const running = await target.start(ended, ground, job)
    const aim = { ground, running, workers: 1, seconds: Math.max(seconds, 5), certificate: auth === 'certificate' }
    await probe(aim, '/1k')
    await scenario.run({ ...aim, seconds: 2 }) // compiled by then
    const from = monotonic()
    const spent = cpuWatch(running.pids)
    const load = await scenario.run(aim)
    return { ...load, cpu: spent(), from, until: monotonic() }
  })() // it has ended by now, and written its profile

  const idle = new Set(['(idle)', '(program)', '(root)'])
  // Of several processes the busiest one.
  const [times = new Map<string, number>()] = readdirSync(folder)
    .map(file => JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile) // node wrote it
    .map(one => selfTimes(one, took.from, took.until))
    .toSorted((a, b) => (a.get('(idle)') ?? 0) - (b.get('(idle)') ?? 0))
  const busy = [...times].filter(([name]) => !idle.has(name)).reduce((sum, [, time]) => sum + time, 0)
  const lines = [...times]
    .filter(([name]) => name !== '(idle)' && name !== '(root)')
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 25)
    .map(([name, time]) => {
      const perUnit = time / took.units
      return `${((time / busy) * 100).toFixed(1).padStart(6)} % ${perUnit.toFixed(2).padStart(8)} us  ${name}`
    })
  const perUnit = ((took.cpu / took.units) * 1e6).toFixed(1)
  return [
    `${name}:${auth}: ${Math.round(took.units)} units, ${perUnit} us of CPU each (all threads, profiler included)`,
    'self time: share of what JavaScript and its natives took, microseconds for each unit, function',
    ...lines,
    `profile: ${folder}`,
    '',
  ].join('\n')
}
