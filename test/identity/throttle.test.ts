import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { addressKey, createThrottle } from '../../src/identity/throttle.ts'

const many = { failures: 1000, within: 60_000 }

t.test('a name is stopped after its failures, from every address, and others are not', async t => {
  const throttle = createThrottle({ name: { failures: 3, within: 60_000 }, address: many, everyone: many })
  for (let tries = 0; tries < 3; tries++) {
    t.equal(await throttle.refusal('alice', '10.0.0.1'), undefined)
    await throttle.failed('alice', `10.0.0.${tries}`)
  }
  const refusal = await throttle.refusal('alice', '10.9.9.9')
  t.match(refusal, { kind: 'refused', reason: 'throttled', claimed: 'alice', detail: /this name/ })
  t.ok((refusal?.retryAfter ?? 0) > 50 && (refusal?.retryAfter ?? 0) <= 60)
  t.equal(await throttle.refusal('bob', '10.0.0.1'), undefined)
})

t.test('success forgets the failures of the name', async t => {
  const throttle = createThrottle({ name: { failures: 2, within: 60_000 }, address: many, everyone: many })
  await throttle.failed('alice', '10.0.0.1')
  await throttle.succeeded('alice')
  await throttle.failed('alice', '10.0.0.1')
  t.equal(await throttle.refusal('alice', '10.0.0.1'), undefined)
})

t.test('an address is stopped whatever names it tries, and its whole /64 with it', async t => {
  const throttle = createThrottle({ name: many, address: { failures: 3, within: 60_000 }, everyone: many })
  for (let tries = 0; tries < 3; tries++) await throttle.failed(`name${tries}`, `2001:db8:1:2::${tries}`)
  t.match(await throttle.refusal('alice', '2001:db8:1:2:ffff::1'), { reason: 'throttled', detail: /this address/ })
  t.equal(await throttle.refusal('alice', '2001:db8:1:3::1'), undefined)
})

t.test('all together are stopped past the limit for everyone', async t => {
  const throttle = createThrottle({ name: many, address: many, everyone: { failures: 3, within: 60_000 } })
  for (let tries = 0; tries < 3; tries++) await throttle.failed(`name${tries}`, `10.0.${tries}.1`)
  t.match(await throttle.refusal('alice', '192.0.2.1'), { reason: 'throttled', detail: /everyone/ })
})

t.test('the time goes by', async t => {
  const throttle = createThrottle({ name: { failures: 1, within: 200 }, address: many, everyone: many })
  await throttle.failed('alice', '10.0.0.1')
  t.match(await throttle.refusal('alice', '10.0.0.1'), { retryAfter: 1 })
  await sleep(250)
  t.equal(await throttle.refusal('alice', '10.0.0.1'), undefined)
})

t.test('every spelling of an IPv6 address has the same key', async t => {
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
  t.equal(addressKey('unknown'), 'unknown')
})
