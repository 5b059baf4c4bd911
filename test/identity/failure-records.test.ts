// Failures that all processes of a machine count together are counted as one process counts them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { createFailureCounts, type FailureCounts } from '../../src/identity/failure-counts.ts'
import { openFailureRecords } from '../../src/identity/failure-records.ts'
import { nameKey } from '../../src/identity/name-key.ts'
import { createThrottle } from '../../src/identity/throttle.ts'
import { addressKey } from '../../src/listener/client-address.ts'
import { movedClock } from './moved-clock.ts'

const minute = 60_000
const limit = { failures: 4, within: 30 * minute }
const limits = { name: limit, address: { failures: 40, within: minute }, everyone: { failures: 400, within: minute } }

function placeOf(t: Test, most?: number) {
  const file = join(t.testdir({}), 'state.db')
  const clock = movedClock()
  const open = () => {
    const opened = openFailureRecords({ file, clock, ...(most === undefined ? {} : { most }) })
    t.teardown(() => opened[Symbol.dispose]())
    return opened
  }
  return { file, clock, open }
}

const countIn = (answers: readonly unknown[] | undefined) => {
  const [failures] = answers ?? []
  return typeof failures === 'object' && failures !== null && 'count' in failures ? Number(failures.count) : 0
}

t.test('whatever happens in whatever order, they answer as the counts in memory do', async t => {
  const { open, clock } = placeOf(t)
  const both: readonly FailureCounts[] = [createFailureCounts(clock), open()]
  let seed = 20_261_128
  const below = (most: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % most
  }
  const keys = ['alice', 'bob', 'ｃarol', '10.0.0.1']
  const seen = { failures: 0, familiar: 0 }
  for (let step = 0; step < 3_000; step++) {
    const [key, other] = [keys[below(4)] ?? '', `10.0.0.${below(8)}`]
    const counter = (['byName', 'byAddress'] as const)[below(2)] ?? 'byName'
    const doing = below(12)
    const anew = below(2) === 0
    if (doing < 4) for (const counts of both) counts[counter].add(key, 10 * minute, anew)
    if (doing === 4) for (const counts of both) counts[counter].forget(key)
    if (doing === 5) for (const counts of both) counts.familiar.add(key, other)
    if (doing === 6) clock.move(below(3) * minute)
    if (doing === 7 && below(20) === 0) clock.move(-3 * minute)
    if (doing === 8 && below(20) === 0) clock.move(8 * 86_400_000)
    const [memory, file] = both.map(counts => [
      counts[counter].of(key),
      counts.familiar.has(key, other),
      counts.familiar.knows(key),
    ])
    t.strictSame(file, memory, `step ${step}`)
    seen.failures += countIn(memory)
    seen.familiar += memory?.[1] === true ? 1 : 0
  }
  t.ok(seen.failures > 1_000 && seen.familiar > 100, JSON.stringify(seen))
})

t.test('two processes count together, and a restart forgets nothing', async t => {
  const { open } = placeOf(t)
  const [one, other] = [open(), open()].map(opened => createThrottle(opened, limits))
  for (let tries = 0; tries < 2; tries++) {
    one?.failed('alice', '10.0.0.1')
    other?.failed('Alice', '10.0.0.2')
  }
  for (const throttle of [one, other, createThrottle(open(), limits)]) {
    t.match(throttle?.refusal('alice', '10.9.9.9'), { reason: 'throttled', detail: '4 failures by this name' })
    t.equal(throttle?.refusal('bob', '10.9.9.9'), undefined)
  }
  for (let at = 9; at >= 0; at--) one?.succeeded('bob', `10.0.0.${at}`)
  t.notOk(other?.isFamiliar('bob', '10.0.0.9'), 'the last eight')
  t.ok(other?.isFamiliar('bob', '10.0.0.7'))
})

t.test('what cannot be written is a fault, and counts all the same', async t => {
  const { open, file } = placeOf(t)
  const alice = nameKey('alice')
  const counts = open()
  const throttle = createThrottle(counts, limits)
  const holder = new DatabaseSync(file)
  holder.exec('begin immediate')
  t.throws(() => counts.byName.add(alice, minute, true), { code: 'state-unavailable' })
  t.equal(counts.byName.of(alice).count, 1)
  const began = performance.now()
  for (let nth = 1; nth <= 3; nth++) t.throws(() => throttle.failed('bob', '10.0.0.9'), { code: 'state-unavailable' })
  t.ok(performance.now() - began < 2_000, 'one of many waits for who keeps the file')
  t.equal(counts.byName.of(nameKey('bob')).count, 3)
  t.equal(counts.byAddress.of(addressKey('10.0.0.9')).count, 3, 'address and everyone count too')
  t.equal(counts.byEveryone.of('everyone').count, 3)
  holder.exec('rollback')
  holder.close()
  counts.byName.add(alice, minute, true)
  t.equal(counts.byName.of(alice).count, 2)
  throttle.succeeded('alice', '10.0.0.1')
  t.equal(counts.byName.of(alice).count, 0)

  counts[Symbol.dispose]()
  t.throws(() => throttle.refusal('alice', '10.0.0.1'), { code: 'state-unavailable' }, 'closed: nothing is tried')
})

t.test('the file holds no name that was typed, and no more rows than it may', async t => {
  const { open, file, clock } = placeOf(t, 20)
  const counts = open()
  for (let nth = 0; nth < 100; nth++) {
    counts.byName.add(`my secret ${nth}`, 90 * minute, true)
    counts.familiar.add(`her secret ${nth}`, 'from here')
    clock.move(minute)
  }
  const rows = (table: string) => {
    using reader = new DatabaseSync(file)
    return Number(reader.prepare(`select count(*) as count from ${table}`).get()?.['count'])
  }
  t.ok(rows('failure') <= 21 && rows('familiar_address') <= 21, 'within a minute of the last one')
  t.equal(counts.byName.of('my secret 99').count, 1)
  t.equal(counts.byName.of('my secret 9').count, 0, 'the oldest go first')
  clock.move(100 * minute)
  counts.byAddress.add('10.0.0.1', minute, false)
  t.equal(rows('failure'), 1, 'what is over is removed')
  const dir = join(file, '..')
  for (const name of readdirSync(dir)) t.notMatch(readFileSync(join(dir, name), 'latin1'), /secret \d|from here/, name)
})
