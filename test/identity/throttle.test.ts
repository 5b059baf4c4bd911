// Guessing is stopped by name, by address and altogether, and nobody is locked out of directory or gate by strangers.
import t from 'tap'
import {
  createFailureCounter,
  createFailureCounts,
  createFamiliarAddresses,
} from '../../src/identity/failure-counts.ts'
import { nameKey } from '../../src/identity/name-key.ts'
import { createThrottle } from '../../src/identity/throttle.ts'
import { addressKey } from '../../src/listener/client-address.ts'
import { movedClock } from './moved-clock.ts'

const minute = 60_000
const many = { failures: 1000, within: minute }

function throttleOf(limits: Partial<Parameters<typeof createThrottle>[1]> = {}) {
  const clock = movedClock()
  const counts = createFailureCounts(clock)
  const throttle = createThrottle(counts, { name: many, address: many, everyone: many, ...limits })
  return { clock, counts, throttle }
}

t.test('a name is stopped after its failures, from every address, and others are not', async t => {
  const { throttle } = throttleOf({ name: { failures: 3, within: minute } })
  for (let tries = 0; tries < 3; tries++) {
    t.equal(throttle.refusal('alice', '10.0.0.1'), undefined)
    throttle.failed('alice', `10.0.0.${tries}`)
  }
  t.match(throttle.refusal('alice', '10.9.9.9'), {
    ...{ kind: 'refused', reason: 'throttled', claimed: 'alice' },
    ...{ detail: '3 failures by this name', retryAfter: 60 },
  })
  t.equal(throttle.refusal('bob', '10.0.0.1'), undefined)
})

t.test('every spelling that a directory may take for the same name is one counter', async t => {
  const spellings = [
    'josé',
    'JOSÉ',
    ' josé ',
    'jose\u0301',
    'JOSE\u0301',
    'jos\u00ade\u0301',
    'ｊｏｓé',
    'jo\u200bsé',
    'jose',
  ]
  t.equal(new Set(spellings.map(nameKey)).size, 1)
  t.same(nameKey('anna  maria'), nameKey('Anna\u00a0Maria'))
  t.same(nameKey('groß'), nameKey('GROSS'))
  t.not(nameKey('anna'), nameKey('anne'))
  t.not(nameKey('anna maria'), nameKey('annamaria'))
  const { throttle } = throttleOf({ name: { failures: 4, within: minute } })
  for (const spelling of spellings.slice(0, 4)) throttle.failed(spelling, '10.0.0.1')
  t.match(throttle.refusal('Jose', '10.0.0.2'), { reason: 'throttled' })
})

t.test('failures of a name are forgotten when it was left alone for the time, not before', async t => {
  const { throttle, clock } = throttleOf({ name: { failures: 4, within: 30 * minute } })
  throttle.failed('alice', '10.0.0.1')
  clock.move(29 * minute)
  for (let tries = 0; tries < 3; tries++) throttle.failed('alice', '10.0.0.1')
  clock.move(2 * minute)
  t.match(
    throttle.refusal('alice', '10.0.0.1'),
    { retryAfter: 28 * 60 },
    'else seven binds would reach the directory within two minutes',
  )
  clock.move(28 * minute)
  t.equal(throttle.refusal('alice', '10.0.0.1'), undefined)
})

t.test('success forgets the failures of the name', async t => {
  const { throttle } = throttleOf({ name: { failures: 2, within: minute } })
  throttle.failed('alice', '10.0.0.1')
  throttle.succeeded('alice', '10.0.0.1')
  throttle.failed('alice', '10.0.0.1')
  t.equal(throttle.refusal('alice', '10.0.0.1'), undefined)
})

t.test('where she came in before, alice has two tries that strangers elsewhere cannot use up', async t => {
  const { throttle, clock } = throttleOf({ name: { failures: 4, within: 30 * minute } })
  throttle.succeeded('alice', '10.0.0.7')
  for (let tries = 0; tries < 2; tries++) {
    t.equal(throttle.refusal('alice', '192.0.2.9'), undefined)
    throttle.failed('alice', `192.0.2.${tries}`)
  }
  t.ok(throttle.isKept('alice', '192.0.2.9'), 'what strangers try now is wrong without being asked')
  t.notOk(throttle.isKept('alice', '10.0.0.7'))
  t.match(throttle.refusal('bob', '10.0.0.7'), undefined, 'what others do there is not hers')
  t.equal(throttle.refusal('alice', '10.0.0.7'), undefined)
  throttle.failed('alice', '10.0.0.7')
  t.equal(throttle.refusal('alice', '10.0.0.7'), undefined)
  throttle.failed('alice', '10.0.0.7')
  t.match(
    throttle.refusal('alice', '10.0.0.7'),
    { reason: 'throttled', retryAfter: 30 * 60, detail: '4 failures by this name' },
    'no more than four altogether, which the directory must bear',
  )
  clock.move(30 * minute)
  t.notOk(throttle.isKept('alice', '192.0.2.9'))
  t.equal(throttle.refusal('alice', '10.0.0.7'), undefined)

  for (let tries = 0; tries < 2; tries++) throttle.failed('alice', '192.0.2.1')
  throttle.failed('alice', '10.0.0.7')
  throttle.succeeded('alice', '10.0.0.7')
  t.notOk(throttle.isKept('alice', '192.0.2.9'), 'success begins anew for all')
})

t.test('strangers see the same of every name, whoever comes in and fails there meanwhile', async t => {
  const seenOf = (meanwhile: (throttle: ReturnType<typeof throttleOf>['throttle'], nth: number) => void) => {
    const { throttle } = throttleOf({ name: { failures: 4, within: 30 * minute } })
    meanwhile(throttle, -1)
    const seen: unknown[] = []
    for (let nth = 0; nth < 6; nth++) {
      const refusal = throttle.refusal('alice', '192.0.2.9')
      seen.push(refusal?.retryAfter ?? 'wrong')
      if (refusal === undefined) throttle.failed('alice', '192.0.2.9', !throttle.isKept('alice', '192.0.2.9'))
      meanwhile(throttle, nth)
    }
    return seen
  }
  const unknown = seenOf(() => undefined)
  t.same(unknown, ['wrong', 'wrong', 'wrong', 'wrong', 1800, 1800])
  t.same(
    seenOf((throttle, nth) => nth === -1 && throttle.succeeded('alice', '10.0.0.7')),
    unknown,
  )
  t.same(
    seenOf((throttle, nth) => nth % 2 === 0 || throttle.succeeded('alice', '10.0.0.7')),
    unknown,
  )
  t.same(
    seenOf((throttle, nth) => (nth === -1 ? throttle.succeeded : throttle.failed)('alice', '10.0.0.7')),
    unknown,
  )
})

t.test('of one failure alone strangers have that one', async t => {
  const { throttle } = throttleOf({ name: { failures: 1, within: minute } })
  throttle.succeeded('alice', '10.0.0.7')
  t.notOk(throttle.isKept('alice', '192.0.2.9'))
  throttle.failed('alice', '192.0.2.9')
  t.match(throttle.refusal('alice', '10.0.0.7'), { reason: 'throttled' })
})

t.test('nor can neighbours behind her address, or a flood from everywhere', async t => {
  const few = { failures: 3, within: minute }
  for (const limits of [{ address: few }, { everyone: few }]) {
    const { throttle } = throttleOf(limits)
    throttle.succeeded('alice', '10.0.0.7')
    for (let tries = 0; tries < 3; tries++) throttle.failed(`name${tries}`, '10.0.0.7')
    t.match(throttle.refusal('bob', '10.0.0.7'), { reason: 'throttled' })
    t.equal(throttle.refusal('alice', '10.0.0.7'), undefined)
    for (let tries = 0; tries < 2; tries++) throttle.failed('alice', '10.0.0.7')
    t.match(throttle.refusal('alice', '10.0.0.7'), { reason: 'throttled' })
  }
})

t.test('an entry is bound no more often than a name, whatever names it answers to', async t => {
  const { throttle } = throttleOf({ name: { failures: 4, within: minute } })
  for (let tries = 0; tries < 4; tries++) {
    t.equal(throttle.binds.refusal('entryUUID:1', false), undefined)
    throttle.binds.refused('entryUUID:1')
  }
  t.match(throttle.binds.refusal('entryUUID:1', false), /^not asked: 4 binds/)
  t.match(throttle.binds.refusal('entryUUID:1', true), /^not asked: 4 binds/)
  t.equal(throttle.binds.refusal('entryUUID:2', false), undefined)
  throttle.binds.taken('entryUUID:1')
  for (let tries = 0; tries < 2; tries++) throttle.binds.refused('entryUUID:1')
  t.match(throttle.binds.refusal('entryUUID:1', false), /^not asked: 2 binds/, 'its person has come in before')
  t.equal(throttle.binds.refusal('entryUUID:1', true), undefined, 'the last two are for whom they belong to')
  for (let tries = 0; tries < 2; tries++) throttle.binds.refused('entryUUID:1')
  t.match(throttle.binds.refusal('entryUUID:1', true), /^not asked: 4 binds/)
})

t.test('an address is stopped whatever names it tries, and its whole /64 with it', async t => {
  const { throttle } = throttleOf({ address: { failures: 3, within: minute } })
  for (let tries = 0; tries < 3; tries++) throttle.failed(`name${tries}`, `2001:db8:1:2::${tries}`)
  t.match(throttle.refusal('alice', '2001:db8:1:2:ffff::1'), { reason: 'throttled', detail: /this address/ })
  t.equal(throttle.refusal('alice', '2001:db8:1:3::1'), undefined)
})

t.test('all together are stopped past the limit for everyone', async t => {
  const { throttle, clock } = throttleOf({ everyone: { failures: 3, within: minute } })
  for (let tries = 0; tries < 3; tries++) {
    throttle.failed(`name${tries}`, `10.0.${tries}.1`)
    clock.move(10_000)
  }
  t.match(throttle.refusal('alice', '192.0.2.1'), { reason: 'throttled', detail: /everyone/, retryAfter: 30 })
  clock.move(30_000)
  t.equal(throttle.refusal('alice', '192.0.2.1'), undefined)
})

t.test('other limits count from now on, and nothing is forgotten', async t => {
  const { counts } = throttleOf()
  createThrottle(counts, { name: many, address: many, everyone: many }).failed('alice', '10.0.0.1')
  const stricter = createThrottle(counts, { name: { failures: 1, within: minute }, address: many, everyone: many })
  t.match(stricter.refusal('alice', '10.0.0.1'), { reason: 'throttled' })
})

t.test('memory is bounded, and a clock that is set back locks nobody for longer', async t => {
  const clock = movedClock()
  const counter = createFailureCounter(clock, 2)
  for (const key of ['a', 'b', 'a', 'c']) counter.add(key, minute, true)
  t.same(
    ['a', 'b', 'c'].map(key => counter.of(key).count),
    [2, 0, 1],
  )
  clock.move(-3_600_000)
  t.same(counter.of('a'), { count: 2, left: minute })
  clock.move(minute)
  t.equal(counter.of('a').count, 0)

  const familiar = createFamiliarAddresses(clock)
  for (let at = 0; at < 9; at++) familiar.add('alice', `10.0.0.${at}`)
  t.notOk(familiar.has('alice', '10.0.0.0'))
  t.ok(familiar.has('alice', '10.0.0.1'))
  clock.move(7 * 86_400_000)
  t.notOk(familiar.has('alice', '10.0.0.8'), 'some days')
})

t.test('every spelling of an address has the same key', async t => {
  for (const address of [
    '2001:DB8:0:0:1::5',
    '2001:db8::1:0:0:5',
    '2001:0db8::0001:0:0:5%eth0',
    '2001:db8:0:0:1:2:192.0.2.1',
  ]) {
    t.equal(addressKey(address), '2001:db8:0:0::/64', address)
  }
  t.equal(addressKey('::1'), '0:0:0:0::/64')
  t.equal(addressKey('10.0.0.1'), '10.0.0.1')
  t.equal(addressKey('::ffff:10.0.0.1'), '10.0.0.1', 'else all of IPv4 would be one')
  t.equal(addressKey('unknown'), 'unknown')
})
