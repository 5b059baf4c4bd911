// A Redis that loses something, or is an older one, keeps nobody in and brings nobody back.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openSharedSessions } from '../../src/identity/redis-sessions.ts'
import { within } from '../behaviour/app.ts'
import { requireReal } from '../fixture/real.ts'
import { redisTools, startRedis } from '../fixture/redis.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { openAt } from './open-replica.ts'

if (!requireReal(t, redisTools)) process.exit(0)

const patience = 8_000
const alice = { name: 'alice', realm: 'directory', groups: new Set<string>() } as const

t.test('a Redis', async t => {
  const redis = await startRedis(t)
  const [one, other] = [await openAt(t, redis), await openAt(t, redis)]
  const clock = movedClock(Date.now())
  const times = { idle: 1_800_000, absolute: 7_200_000, clock }
  const ours = openSharedSessions({ replica: one.replica, ...times })
  const theirs = openSharedSessions({ replica: other.replica, ...times })
  t.teardown(() => [ours, theirs].map(store => store[Symbol.dispose]()))
  /** What one test did to Redis is over for both. */
  t.beforeEach(async () => {
    for (const { replica, told } of [one, other])
      await within(patience, () => replica.downFor() === undefined && told.at(-1) !== 'state-unavailable')
  })

  await t.test('that has dropped its sessions is no reason to stay in elsewhere', async t => {
    const { cookie, session } = await ours.open(alice, 'password', '')
    t.ok(await theirs.find(cookie))
    await redis.ask('DEL', 'sallyport:sessions')
    await ours.close(session.id)
    t.ok(await within(1_000, () => theirs.peek(session.id) === undefined), 'who signs out at one is out at the other')
  })

  await t.test('that is an older one brings back nobody who has signed out', async t => {
    const { cookie, session } = await ours.open(alice, 'password', '')
    t.ok(await theirs.find(cookie))
    const before = (await redis.ask('HGETALL', 'sallyport:sessions')).split('\n')
    await ours.close(session.id)
    t.ok(await within(patience, () => theirs.peek(session.id) === undefined))
    // As after a failover to a replica that lags behind.
    await redis.ask('HSET', 'sallyport:sessions', ...before)
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    for (const { replica, told } of [one, other])
      t.ok(await within(patience, () => told.includes('back') && replica.downFor() === undefined))
    for (const store of [ours, theirs]) t.equal(await store.find(cookie), undefined)
    ours.sweep()
    t.ok(await within(patience, async () => (await redis.ask('HLEN', 'sallyport:sessions')) === '0'), 'and is told')
  })

  await t.test('that is full, or takes no writes, is read, and is told of an end as far as it hears', async t => {
    const { cookie, session } = await ours.open(alice, 'password', '')
    await redis.ask('HDEL', 'sallyport:keys', 'house')
    await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
    const late = openSharedSessions({ replica: (await openAt(t, redis)).replica, ...times })
    t.teardown(() => late[Symbol.dispose]())
    t.ok(await late.find(cookie))
    await t.rejects(Promise.resolve(ours.open(alice, 'password', '')), { code: 'state-unavailable' })
    // Used while it was away, which is to be written when it is back.
    t.ok(await within(patience, () => one.told.at(-1) === 'state-unavailable'), 'the operator is told')
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    t.ok(await within(patience, () => one.replica.downFor() !== undefined))
    clock.move(10 * 60_000)
    t.ok(await ours.find(cookie))
    t.ok(await within(patience, () => one.replica.downFor() === undefined), 'it is there for all that reads')
    t.equal(one.told.at(-1), 'state-unavailable', 'and not for what writes')
    await ours.close(session.id)
    for (const store of [theirs, late]) t.ok(await within(1_000, () => store.peek(session.id) === undefined))
    await redis.ask('CONFIG', 'SET', 'maxmemory', '0')
    t.ok(await within(patience, () => one.told.at(-1) === 'back'))
    t.equal(ours.unwritten, 0)
  })

  await t.test('that is full ends nobody who is at work at another', async t => {
    const { cookie, session } = await ours.open(alice, 'password', '')
    t.ok(await theirs.find(cookie))
    await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
    t.ok(await within(patience, () => other.replica.isRefusing() && one.replica.isRefusing()))
    for (let nth = 0; nth < 3; nth++) {
      clock.move(20 * 60_000)
      t.ok(await ours.find(cookie))
      theirs.sweep()
      await pause(300)
      t.ok(ours.peek(session.id), 'she works on')
    }
    await redis.ask('CONFIG', 'SET', 'maxmemory', '0')
    const isKnownThere = async () => (await Promise.resolve(theirs.find(cookie)).catch(() => undefined)) !== undefined
    t.ok(await within(patience, isKnownThere), 'and is known there again')
  })

  await t.test('that refuses all writes lets nobody go on for ever, one that is full does', async t => {
    const cautious = openSharedSessions({ replica: one.replica, ...times, grace: 1_500 })
    t.teardown(() => cautious[Symbol.dispose]())
    await redis.ask('CONFIG', 'SET', 'maxmemory', '1')
    await pause(3_000)
    t.notOk(cautious.isStale(), 'ends are told to all')
    await redis.ask('CONFIG', 'SET', 'maxmemory', '0')
    await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '1')
    t.ok(await within(patience, () => cautious.isStale()), 'who signs out elsewhere would be in here')
    // Away in between is no reason to begin anew.
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    t.ok(await within(patience, () => one.replica.downFor() !== undefined))
    t.ok(cautious.isStale())
    t.ok(await within(patience, () => one.replica.downFor() === undefined))
    t.ok(cautious.isStale())
    await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '0')
    t.ok(await within(patience, () => !cautious.isStale()))
  })

  await t.test('that is emptied while it runs is loaded anew', async t => {
    const { cookie } = await ours.open(alice, 'password', '')
    t.ok(await theirs.find(cookie))
    const already = [one, other].map(({ told }) => told.length)
    await redis.ask('FLUSHALL')
    await redis.ask('XADD', 'sallyport:changes', '*', 'h', 'texts', 'f', 'users', 'v', 'from another gateway')
    for (const [at, { told }] of [one, other].entries())
      t.ok(await within(patience, () => told.slice(already[at]).at(-1) === 'back'), 'the operator is told')
    for (const store of [ours, theirs])
      t.ok(await within(patience, async () => (await store.find(cookie)) === undefined), 'what counts stands there')
    const later = await ours.open(alice, 'password', '')
    t.ok(await theirs.find(later.cookie), 'and they are one house as before')
  })
})
