// The time of a refusal does not tell whether a name is unknown, its account locked, or the password wrong.
import t from 'tap'
import { usualStep } from '../../src/identity/answer-grid.ts'
import { createFailureCounts } from '../../src/identity/failure-counts.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { directoryOf } from '../ldap/settings.ts'
import { movedClock } from './moved-clock.ts'
import { type RealmsOptions, realmsOf } from './realms-of.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const each = 200
/** Of one kind at the same time: all fit into one step of the grid, also on a busy machine. */
const atOnce = 4
const rounds = 3

const kinds = ['unknown', 'wrong', 'locked'] as const
type Kind = (typeof kinds)[number]

/**
 * How likely two samples of one population would differ as much as these do (Mann-Whitney U, two-sided, by the normal
 * approximation with correction for ties). Source: Mann, Whitney 1947.
 */
function likeness(one: readonly number[], other: readonly number[]): number {
  const all = [...one.map(value => ({ value, first: true })), ...other.map(value => ({ value, first: false }))]
  all.sort((a, b) => a.value - b.value)
  const [n, m] = [one.length, other.length]
  let [rankSum, ties] = [0, 0]
  for (let start = 0; start < all.length; ) {
    let end = start
    while (end < all.length && all[end]?.value === all[start]?.value) end++
    const count = end - start
    ties += count ** 3 - count
    rankSum += all.slice(start, end).filter(({ first }) => first).length * ((start + 1 + end) / 2)
    start = end
  }
  const u = rankSum - (n * (n + 1)) / 2
  const sigma = Math.sqrt(((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
  return sigma === 0 ? 1 : 2 * tail(Math.abs(u - (n * m) / 2) / sigma)
}

/** Of the normal distribution above z. Source: Abramowitz, Stegun 26.2.17. */
function tail(z: number): number {
  const k = 1 / (1 + 0.2316419 * z)
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429]
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series.reduceRight((sum, a) => (sum + a) * k, 0)
}

t.test('the measure tells two samples apart, and only those', async t => {
  const of = (shift: number) => Array.from({ length: 200 }, (_, nth) => ((nth * 7919) % 1000) / 100 + shift)
  t.ok(likeness(of(0), of(0)) > 0.99)
  t.ok(likeness(of(0), of(2)) < 1e-6)
  t.equal(likeness([1, 1, 1], [1, 1, 1]), 1)
  t.ok(Math.abs(tail(1.959964) - 0.025) < 1e-5)
})

const people = Array.from({ length: 2 * atOnce }, (_, nth) => `p${nth}`)
const slapd = await startSlapd(t, {
  people: Object.fromEntries(people.map(uid => [uid, { uid, password: `${uid} pass-word` }])),
  groups: { everybody: people },
})
const never = { failures: 1_000_000, within: 60_000 }

/** Milliseconds of each refusal; the kinds take turns, so that whatever else goes on meets all of them alike. */
async function measure(verify: (name: string, password: string) => Promise<unknown>, count: number) {
  const times: Record<Kind, number[]> = { unknown: [], wrong: [], locked: [] }
  for (let batch = 0; times.unknown.length < count; batch++) {
    const tries = Array.from({ length: atOnce * kinds.length }, (_, nth) => {
      const kind = kinds[(nth + batch) % kinds.length] ?? 'wrong'
      const lane = Math.floor(nth / kinds.length)
      return { kind, name: { unknown: `nobody${lane}`, wrong: `p${lane}`, locked: `p${atOnce + lane}` }[kind] }
    })
    await Promise.all(
      tries.map(async ({ kind, name }) => {
        const before = performance.now()
        await verify(name, `guess ${batch}`)
        times[kind].push(performance.now() - before)
      }),
    )
  }
  return times
}

async function doorOf(at: RealmsOptions['at'], grid?: number) {
  const realms = await realmsOf(t, {
    ...{ at, counts: createFailureCounts(movedClock()), limits: { name: never, address: never, everyone: never } },
    grid: grid ?? usualStep,
    // The hash of a local account, at a cost that lets hundreds be measured.
    local: {
      find: () => undefined,
      async verify() {
        await new Promise(resolve => setTimeout(resolve, 5))
        return { kind: 'unknown' } as const
      },
    },
  })
  for (const name of people) await realms.verify(name, `${name} pass-word`)
  for (const name of people.slice(atOnce)) realms.accounts.update(name, { locked: true })
  return realms.verify
}

const pairs = [
  ['unknown', 'wrong'],
  ['unknown', 'locked'],
  ['wrong', 'locked'],
] as const

t.test('unknown, wrong and locked cannot be told apart by 200 refusals of each', async t => {
  const verify = await doorOf(directoryOf(slapd))
  const told: string[] = []
  // Of a hundred honest comparisons one falls below: not one in each of three rounds.
  const alike = async () => {
    const times = await measure(verify, each)
    const found = pairs.map(([one, other]) => ({ one, other, p: likeness(times[one], times[other]) }))
    told.push(found.map(({ one, other, p }) => `${one} and ${other}: p = ${p.toPrecision(2)}`).join(', '))
    return found.every(({ p }) => p > 0.01)
  }
  let isAlike = false
  for (let round = 0; round < rounds && !isAlike; round++) isAlike = await alike()
  t.ok(isAlike, told.join('; '))
})

t.test('without grid and equal work it would show at once', async t => {
  const directory = directoryOf(slapd)
  const verify = await doorOf({ ...directory, pretendToCheck: async () => undefined }, 0)
  const times = await measure(verify, 100)
  t.ok(likeness(times.unknown, times.wrong) < 1e-4)
  t.ok(likeness(times.locked, times.wrong) < 1e-4)
})
