/**
 * When a certificate is renewed, and how long a failure is let rest.
 */
import t from 'tap'
import { pulse, renewalTime, restAfterSuccess, retryDelay, waitAfterRestart } from '../../src/acme/schedule.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

t.test('a certificate is renewed at a third of its lifetime left, or a little earlier', async t => {
  const rows: [lifetime: number, spread: number, left: number][] = [
    [90 * day, 0, 30 * day],
    [90 * day, 1, 33 * day],
    [6 * day, 0, 2 * day],
    [10 * minute, 0, (10 / 3) * minute],
    [10 * minute, 0.5, (10 / 3 + 1 / 6) * minute],
  ]
  for (const [lifetime, spread, left] of rows) {
    const to = Date.UTC(2027, 0, 1)
    t.equal(
      Math.round(to - renewalTime({ from: to - lifetime, to }, spread)),
      Math.round(left),
      `${lifetime} ${spread}`,
    )
  }
})

t.test('what was refused waits longer each time, and stays below the limits of public authorities', async t => {
  const refused = { kind: 'refused', retryAfter: 0, lifetime: 90 * day, spread: 0 } as const
  const waits = Array.from({ length: 12 }, (_, index) => retryDelay({ ...refused, failures: index + 1 }))
  t.same(
    waits.map(wait => wait / minute),
    [2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360, 360],
  )
  let at = 0
  const tries = [0, ...waits.map(wait => (at += wait))]
  for (const start of tries)
    t.ok(tries.filter(one => one >= start && one < start + hour).length <= 5, 'five tries in any hour, no more')
  t.same(retryDelay({ ...refused, lifetime: undefined, failures: 1 }), 2 * minute, 'the very first order, too')
  t.equal(retryDelay({ ...refused, failures: 5_000 }), 6 * hour, 'and after a year of failures there is a next try')
})

t.test('who did not answer is asked again sooner', async t => {
  const waits = [1, 2, 3, 50].map(failures =>
    retryDelay({ kind: 'unreachable', failures, retryAfter: 0, lifetime: undefined, spread: 0 }),
  )
  t.same(waits, [2_000, 4_000, 8_000, 10 * minute])
})

t.test('certificates of ten minutes have waits of seconds', async t => {
  const short = { kind: 'refused', retryAfter: 0, lifetime: 10 * minute, spread: 0 } as const
  t.same(
    [1, 2, 3, 4, 5, 6].map(failures => retryDelay({ ...short, failures })),
    [2_000, 4_000, 8_000, 16_000, 30_000, 30_000],
  )
  t.equal(restAfterSuccess(10 * minute), 30_000)
  t.equal(restAfterSuccess(90 * day), hour)
  t.equal(pulse(10 * minute), 1_000)
  t.equal(pulse(90 * day), minute)
})

t.test('an authority that says when to come back is heeded', async t => {
  const asked = { kind: 'refused', failures: 1, lifetime: 90 * day, left: 30 * day, spread: 0 } as const
  t.equal(retryDelay({ ...asked, retryAfter: 5 * hour }), 5 * hour)
  t.equal(retryDelay({ ...asked, retryAfter: 1_000 }), 2 * minute, 'but not to come back sooner')
  const spread = retryDelay({ ...asked, retryAfter: 5 * hour, spread: 1 })
  t.ok(spread >= 5 * hour && spread <= 5.5 * hour, 'never earlier than it said')
})

t.test('who asks to be left alone for longer than the certificate can bear is not heeded to the end', async t => {
  const asked = { kind: 'refused', failures: 1, retryAfter: 24 * hour, spread: 0 } as const
  const rows: [title: string, lifetime: number | undefined, left: number | undefined, wait: number][] = [
    ['plenty is left', 90 * day, 30 * day, 24 * hour],
    ['four days are left', 90 * day, 4 * day, 12 * hour],
    ['ten minutes is all it lives', 10 * minute, 3 * minute, (3 / 8) * minute],
    ['there is none', undefined, undefined, hour],
    ['it has ended', 90 * day, -day, hour],
    ['hardly anything is left: still no hammering', 90 * day, minute, 2 * minute],
  ]
  for (const [title, lifetime, left, wait] of rows) t.equal(retryDelay({ ...asked, lifetime, left }), wait, title)
})

t.test('a wait goes on after a restart, though no longer than an operator who mended something can bear', t => {
  t.equal(waitAfterRestart(2_000), 2_000)
  t.equal(waitAfterRestart(6 * hour), 15 * minute)
  t.end()
})
