/**
 * What goes wrong between us and a real ACME authority: it is told, it is tried again, and the old certificate stays.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { pebbleTools } from '../fixture/pebble.ts'
import { requireReal } from '../fixture/real.ts'
import { startOrdering, until } from './ordering.ts'

// Mostly waiting: for the authority, or for the next look at the clock.
t.jobs = 4

const minutes = 60_000

t.test('an authority that is down at the start is asked again until it is there', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { pebble, open, move } = await startOrdering(t)
  await pebble.stop()
  const acme = open()
  await until(
    'the first order failed',
    () => acme.told.length > 0,
    () => acme.state,
  )
  t.match(acme.told[0], { level: 'error', cause: /did not answer.*ECONNREFUSED/ })
  t.match(acme.state, { notAfter: undefined, lastProblem: { message: /did not answer/ } })
  const wait = acme.state.nextTry - Date.now()
  t.ok(wait > 1_000 && wait < 3_000, `it waits ${wait} ms`)
  await pebble.start()
  move(wait)
  await acme.came(1)
  t.equal(acme.state.lastProblem, undefined)
})

t.test('an outage during the renewal leaves the old certificate, and is told louder as its end comes near', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { pebble, open, move } = await startOrdering(t)
  const acme = open()
  await acme.came(1)
  const before = acme.pem()
  await pebble.stop()
  move(acme.state.nextTry - Date.now())
  await until(
    'the renewal failed',
    () => acme.told.some(({ level }) => level === 'warn'),
    () => acme.told,
  )
  t.equal(acme.pem(), before)
  move((acme.state.notAfter ?? 0) - Date.now() - 8 * minutes)
  await until(
    'it is urgent',
    () => acme.told.some(({ level }) => level === 'error'),
    () => acme.told,
  )
  t.equal(acme.pem(), before)
  await pebble.start()
  move(10_000)
  await acme.came(2)
  t.equal(acme.state.lastProblem, undefined, 'an authority that forgot our account gets the same key anew')
})

t.test('an authority that cannot prove itself is told nothing', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { pebble, open } = await startOrdering(t)
  const acme = open({ trusted: [await pebble.root()] })
  await until(
    'the order failed',
    () => acme.told.length > 0,
    () => acme.state,
  )
  t.match(acme.state.lastProblem?.message, /did not prove to be the authority; name its issuer as ca/)
  t.same(pebble.counts(), { accounts: 0, orders: 0, certificates: 0 })
  t.equal(acme.renewals(), 0)
})

t.test('a name that cannot be proven is told with the words of the authority, and waits for minutes', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { open, challenges, pebble } = await startOrdering(t)
  const { set } = challenges
  challenges.set = (token, text) => set(token, `${text}x`)
  const acme = open({ names: ['pacs.example.org', 'viewer.example.org'] })
  await until(
    'the order failed',
    () => acme.told.length > 0,
    () => acme.state,
  )
  t.match(
    acme.state.lastProblem?.message,
    /example\.org could not be proven: .*\((unauthorized|malformed|incorrectResponse)\)/,
  )
  const wait = acme.state.nextTry - Date.now()
  t.ok(wait > 1.5 * minutes && wait < 3 * minutes, `it waits ${wait} ms`)
  t.match(pebble.counts(), { orders: 1, certificates: 0 })
})

t.test('nonces that are refused are tried again', async t => {
  if (!requireReal(t, pebbleTools)) return
  // 5 % is what pebble does by itself; 30 % makes sure that it happens in a dozen requests.
  for (const refusedNonces of [5, 30]) {
    const { open } = await startOrdering(t, { refusedNonces })
    const acme = open({ names: ['a.example.org', 'b.example.org'] })
    await acme.came(1)
    t.same(
      acme.told.map(({ level }) => level),
      ['info'],
      `${refusedNonces} %`,
    )
  }
})

t.test('what lies in the file is looked at: rubbish and expired certificates are replaced', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { open, move } = await startOrdering(t)
  const first = open()
  await first.came(1)
  await first.close()
  writeFileSync(first.file, 'half a cert')
  const second = open()
  t.equal(second.state.notAfter, undefined)
  await second.came(1)
  await second.close()
  move(11 * minutes)
  const third = open()
  t.ok((third.state.notAfter ?? 0) < Date.now() + 11 * minutes, 'it has ended, by our clock')
  await until(
    'the order failed',
    () => third.told.length > 0,
    () => third.state,
  )
  t.match(third.state.lastProblem?.message, /ended on .* or this clock is wrong/)
  move(-11 * minutes)
  t.ok(third.state.nextTry - Date.now() < 10 * minutes, 'a clock that is set back does not put off the next try')
})

t.test('an order in flight is abandoned when the gateway stops, and leaves no token', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { open, challenges, dir, pebble } = await startOrdering(t)
  const tokens: string[] = []
  const { set } = challenges
  const { promise: offered, resolve } = Promise.withResolvers<void>()
  challenges.set = (token, text) => {
    tokens.push(token)
    set(token, text)
    resolve()
  }
  const acme = open()
  await offered
  await acme.close()
  t.same(tokens.map(challenges.answer), [undefined])
  t.equal(acme.renewals(), 0)
  t.same(acme.told, [], 'a stop is no trouble')
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  t.same(
    files.map(({ name }) => name),
    ['account.key'],
  )
  const again = open()
  await again.came(1)
  t.equal(pebble.counts().accounts, 1, 'the next start goes on with the same account')
})
