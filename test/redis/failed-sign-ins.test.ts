// Failed sign-ins while Redis takes no writes, or is not there: nobody guesses on, and nothing of it is forgotten afterwards.
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openSharedFailures } from '../../src/identity/redis-failures.ts'
import { within } from '../behaviour/app.ts'
import { startSharedHouse } from '../behaviour/shared-house.ts'
import { requireReal } from '../fixture/real.ts'
import { redisTools, startRedis, type TestRedis } from '../fixture/redis.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { openAt } from './open-replica.ts'

if (!requireReal(t, redisTools)) process.exit(0)

const patience = 8_000
const minute = 60_000
/** As it is while something else needs the memory, and as a replica is that lost the others. */
const refusals: Readonly<Record<string, readonly [name: string, refusing: string, taking: string]>> = {
  'that is full': ['maxmemory', '1', '0'],
  'that takes no writes': ['min-replicas-to-write', '1', '0'],
}
const set = (redis: TestRedis, name: string, value: string) => redis.ask('CONFIG', 'SET', name, value)

t.test('counts of two gateways on a Redis', async t => {
  const redis = await startRedis(t)
  const [one, other] = [await openAt(t, redis), await openAt(t, redis)]
  const [clock, key] = [movedClock(Date.now()), randomBytes(32)]
  const [ours, theirs] = [one, other].map(({ replica }) => openSharedFailures({ replica, key, clock })) as [
    ReturnType<typeof openSharedFailures>,
    ReturnType<typeof openSharedFailures>,
  ]
  t.teardown(() => [ours, theirs].map(counts => counts[Symbol.dispose]()))
  const fail = async (counts: typeof ours, name: string, times: number) => {
    for (let nth = 0; nth < times; nth++) {
      await counts.learn?.([{ kind: 'name', key: name }], [])
      counts.byName.add(name, 30 * minute, true)
    }
  }
  const learnt = async (counts: typeof ours, name: string) => {
    await counts.learn?.([{ kind: 'name', key: name }], [])
    return counts.byName.of(name).count
  }

  for (const [which, [name, refusing, taking]] of Object.entries(refusals))
    await t.test(`${which} go on at each, and are put together when it takes them again`, async t => {
      await fail(ours, which, 2)
      t.equal(await learnt(theirs, which), 2)
      await set(redis, name, refusing)
      await fail(ours, which, 3)
      await fail(theirs, which, 4)
      t.equal(await learnt(ours, which), 5)
      t.equal(await learnt(theirs, which), 6)
      await set(redis, name, taking)
      t.ok(await within(patience, async () => (await learnt(ours, which)) === 9 && (await learnt(theirs, which)) === 9))
      t.ok(ours.byName.of(which).left > 29 * minute)
    })

  await t.test(
    'that takes no writes last from the newest on, and no longer than that when it is told late',
    async t => {
      const refuse = (isSo: boolean) => set(redis, 'min-replicas-to-write', isSo ? '1' : '0')
      await fail(ours, 'dave', 3)
      await learnt(ours, 'dave')
      await refuse(true)
      clock.move(29 * minute)
      ours.byName.add('dave', 30 * minute, true)
      clock.move(2 * minute)
      t.equal(await learnt(ours, 'dave'), 4, 'never as many more once the first have had their time')
      clock.move(20 * minute)
      await refuse(false)
      t.ok(await within(patience, async () => (await learnt(theirs, 'dave')) === 4))
      // Redis has them for its own half hour from the first three on; none of it is begun once more.
      t.ok(theirs.byName.of('dave').left <= 30 * minute)
      await refuse(true)
      ours.byAddress.add('10.0.0.1', 10_000, false)
      clock.move(8_000)
      await refuse(false)
      await pause(3_000)
      await theirs.learn?.([{ kind: 'address', key: '10.0.0.1' }], [])
      t.equal(theirs.byAddress.of('10.0.0.1').count, 1)
      t.ok(theirs.byAddress.of('10.0.0.1').left <= 2_000, `${theirs.byAddress.of('10.0.0.1').left} ms`)
    },
  )

  await t.test('that Redis let go meanwhile are all told again', async t => {
    for (let nth = 0; nth < 3; nth++) ours.byName.add('erin', 2_000, true)
    t.ok(await within(patience, async () => (await learnt(theirs, 'erin')) === 3))
    await set(redis, 'min-replicas-to-write', '1')
    ours.byName.add('erin', 30 * minute, true)
    t.ok(await within(patience, async () => (await learnt(theirs, 'erin')) === 0), 'Redis has none any more')
    t.equal(await learnt(ours, 'erin'), 4)
    await set(redis, 'min-replicas-to-write', '0')
    t.ok(await within(patience, async () => (await learnt(theirs, 'erin')) === 4))
    t.equal(await learnt(ours, 'erin'), 4)
  })

  await t.test(
    'that came at one gateway are those of it, where another one has let the person in meanwhile',
    async t => {
      await fail(ours, 'frank', 3)
      t.equal(await learnt(theirs, 'frank'), 3)
      ours.byName.forget('frank')
      theirs.byName.add('frank', 30 * minute, true)
      for (const counts of [ours, theirs])
        t.ok(await within(patience, async () => (await learnt(counts, 'frank')) === 1))
    },
  )

  await t.test('are not forgotten by a success that Redis did not hear of', async t => {
    await fail(theirs, 'grace', 3)
    t.equal(await learnt(ours, 'grace'), 3)
    await set(redis, 'min-replicas-to-write', '1')
    ours.byName.forget('grace')
    t.equal(ours.byName.of('grace').count, 0)
    await set(redis, 'min-replicas-to-write', '0')
    await pause(3_000)
    t.equal(await learnt(theirs, 'grace'), 3, 'what has failed since would go with them')
  })

  await t.test('that have had their time on their way take none along that came behind them', async t => {
    await set(redis, 'min-replicas-to-write', '1')
    for (let nth = 0; nth < 2; nth++) ours.byName.add('heidi', 1_000, true)
    await pause(200)
    await set(redis, 'min-replicas-to-write', '0')
    const held = redis.hold()
    const looking = learnt(ours, 'heidi')
    clock.move(1_000)
    for (let nth = 0; nth < 2; nth++) ours.byName.add('heidi', 30 * minute, true)
    held[Symbol.dispose]()
    await looking
    await pause(1_500)
    t.ok((await learnt(theirs, 'heidi')) >= 2)
  })

  await t.test('of many names are told one at a time to one that refuses', async t => {
    await set(redis, 'min-replicas-to-write', '1')
    for (let nth = 0; nth < 500; nth++) ours.byName.add(`name ${nth}`, 30 * minute, true)
    await pause(1_000)
    await redis.ask('CONFIG', 'RESETSTAT')
    await pause(5_000)
    const calls = Number(/cmdstat_eval:calls=(\d+)/.exec(await redis.ask('INFO', 'commandstats'))?.[1] ?? 0)
    t.ok(calls > 0 && calls < 10, `${calls} in five seconds`)
    await set(redis, 'min-replicas-to-write', '0')
    t.ok(await within(patience, async () => (await learnt(theirs, 'name 499')) === 1))
  })

  await t.test('that was away are put together when it is back', async t => {
    await fail(ours, 'alice', 1)
    await redis.stop()
    for (const { replica } of [one, other]) t.ok(await within(patience, () => replica.downFor() !== undefined))
    await fail(ours, 'alice', 3)
    await fail(theirs, 'alice', 4)
    t.equal(ours.byName.of('alice').count, 4)
    await redis.start()
    for (const { replica } of [one, other]) t.ok(await within(patience, () => replica.downFor() === undefined))
    // The first is in Redis, or went with it.
    t.ok(await within(patience, async () => (await learnt(ours, 'alice')) >= 7 && (await learnt(theirs, 'alice')) >= 7))
    t.ok(ours.byName.of('alice').count <= 8)
  })

  await t.test('are forgotten by a success at either, also what was under way', async t => {
    for (let nth = 0; nth < 3; nth++) ours.byName.add('bob', 30 * minute, true)
    ours.byName.forget('bob')
    ours.byName.add('bob', 30 * minute, true)
    t.equal(ours.byName.of('bob').count, 1)
    for (const counts of [ours, theirs]) t.ok(await within(patience, async () => (await learnt(counts, 'bob')) === 1))
    theirs.byName.forget('bob')
    t.ok(await within(patience, async () => (await learnt(ours, 'bob')) === 0))
  })
})

for (const [which, [name, refusing, taking]] of Object.entries(refusals))
  t.test(`beside a Redis ${which} nobody guesses on, and the operator is told`, async t => {
    const password = 'correct horse'
    const { redis, gateways } = await startSharedHouse(t, { accounts: { carol: { password }, alice: { password } } })
    const [gateway] = gateways
    const admin = gateway.gateway.listeners.find(({ name }) => name === 'admin')?.urls[0] ?? ''
    const state = async () =>
      ((await (await fetch(`${admin}/readyz`)).json()) as { parts: Record<string, string> }).parts
    const cookie = await gateway.signIn('alice', password)
    await set(redis, name, refusing)
    const statuses: number[] = []
    for (let nth = 0; nth < 8; nth++) statuses.push((await gateway.ask('/', { basic: `carol:wrong ${nth}` })).status)
    t.same(statuses, [401, 401, 401, 401, 429, 429, 429, 429])
    t.equal((await gateway.ask('/', { basic: `carol:${password}` })).status, 429)
    t.equal((await gateway.ask('/', { cookie })).status, 200, 'who is in goes on')
    await t.rejects(gateway.signIn('alice', password), /503/)
    t.ok(await within(patience, async () => (await state())['state'] === 'state-unavailable'))
    t.match(await (await fetch(`${admin}/metrics`)).text(), /^sallyport_state_up 0$/m)
    t.match(
      gateway.log().filter(({ message }) => /^the state is away/.test(`${message}`)),
      { length: 1 },
    )
    await set(redis, name, taking)
    t.ok(await within(patience, async () => (await state())['state'] === 'ok'))
    t.equal((await gateways[1].ask('/', { basic: `carol:${password}` })).status, 429, 'the other has learnt of it')
    t.ok(await gateway.signIn('alice', password))
  })
