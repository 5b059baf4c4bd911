// Copies of what stands in Redis are alike, whatever happens in between, and nothing is written over what is newer.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openSharedAccounts } from '../../src/identity/redis-accounts.ts'
import { openSharedSessions } from '../../src/identity/redis-sessions.ts'
import { openSharedLedger } from '../../src/issuer/redis-ledger.ts'
import { within } from '../behaviour/app.ts'
import { requireReal } from '../fixture/real.ts'
import { redisTools, startRedis } from '../fixture/redis.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { openAt } from './open-replica.ts'

if (!requireReal(t, redisTools)) process.exit(0)

const patience = 8_000

const record = (serial: string) => ({
  ...{ authority: 'AB', serial, subject: 'CN=alice', name: `holder ${serial}`, kind: 'client' as const },
  ...{ notAfter: '2030-01-01T00:00:00.000Z', sha256: serial, when: '2026-11-28T00:00:00.000Z' },
})
const account = (name: string) => ({
  ...{ name, dn: `uid=${name}`, entryId: undefined, particulars: {}, groups: [], locked: false },
  ...{ createdAt: 1, lastLoginAt: undefined },
})

t.test('a Redis', async t => {
  const redis = await startRedis(t)
  const [one, other] = [await openAt(t, redis), await openAt(t, redis)]

  await t.test('takes one of two that change the same, and what was written is known at once', async t => {
    const [ours, theirs] = [openSharedAccounts(one.replica), openSharedAccounts(other.replica)]
    t.same(
      new Set(await Promise.all([ours.add(account('alice')), theirs.add(account('alice'))])),
      new Set([true, false]),
    )
    t.match([ours.find('alice'), theirs.find('alice')], [{ name: 'alice' }, { name: 'alice' }])
    const groups = ['a', 'b', 'c', 'd']
    await Promise.all(
      groups.map((name, nth) =>
        (nth % 2 === 0 ? ours : theirs).update('alice', nth === 0 ? { locked: true } : { dn: `uid=alice,ou=${name}` }),
      ),
    )
    t.equal(ours.find('alice')?.locked, true, 'and no change undoes another')
    t.ok(await within(patience, () => ours.version('alice') === theirs.version('alice')))
    t.equal(await theirs.remove('alice'), true)
    t.equal(await ours.update('alice', { locked: false }), false)
    await redis.ask('HSET', 'sallyport:accounts', 'broken', '{"name":"broken","locked":"perhaps"}')
    const late = openSharedAccounts((await openAt(t, redis)).replica)
    t.throws(() => late.find('broken'), { code: 'state-unavailable' }, 'a damaged record is no account that is missing')
  })

  await t.test('that ends one connection of two is away, and back when both are made anew', async t => {
    const before = [one, other].map(({ told }) => told.length)
    // Where each asks: the mark is all that is asked over it meanwhile.
    const clients = async () =>
      (await redis.ask('CLIENT', 'LIST')).split('\n').filter(line => /\bcmd=hsetnx\b/.test(line))
    t.ok(await within(patience, async () => (await clients()).length >= 2))
    for (const line of await clients()) await redis.ask('CLIENT', 'KILL', 'ID', /\bid=(\d+)/.exec(line)?.[1] ?? '')
    for (const [at, { told }] of [one, other].entries()) {
      t.ok(await within(patience, () => told.slice(before[at]).includes('back')), 'nobody had asked anything')
      t.same(told.slice(before[at]), ['state-unavailable', 'back'])
    }
    t.equal(await one.replica.ask(['PING']), 'PONG')
  })

  await t.test('that answers late keeps no connection of a gateway that has gone meanwhile', async t => {
    const { replica } = await openAt(t, redis)
    const clients = async () =>
      (await redis.ask('CLIENT', 'LIST', 'TYPE', 'normal')).split('\n').filter(line => /\bcmd=/.test(line)).length
    const before = await clients()
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'normal')
    await redis.ask('CLIENT', 'PAUSE', '1000', 'ALL')
    t.ok(await within(patience, () => replica.downFor() !== undefined))
    await pause(400) // by then it connects
    await replica[Symbol.asyncDispose]()
    for (const { replica } of [one, other]) t.ok(await within(patience, () => replica.downFor() === undefined))
    t.ok(await within(patience, async () => (await clients()) === before - 2), `${await clients()} of ${before}`)
  })

  await t.test('gives no number of a list twice, and revokes once', async t => {
    const [ours, theirs] = [openSharedLedger(one.replica), openSharedLedger(other.replica)]
    const numbers = await Promise.all(
      Array.from({ length: 100 }, (_, nth) => (nth % 2 === 0 ? ours : theirs).nextListNumber('AB')),
    )
    t.equal(new Set(numbers).size, 100)
    t.equal(Math.max(...numbers), 100)
    for (const serial of ['01', '02']) await ours.record(record(serial))
    await ours.record(record('01'))
    await t.rejects(Promise.resolve(theirs.record({ ...record('01'), sha256: 'FF' })), { code: 'state-unavailable' })
    const at = new Date('2026-11-28T12:00:00.000Z')
    const outcomes = await Promise.allSettled([ours.revoke('01', { at }), theirs.revoke('01', { at })])
    t.same(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    for (const ledger of [ours, theirs]) t.ok(await within(patience, () => ledger.revoked('ab', '1') !== undefined))
    t.match(await theirs.list(), [{ serial: '1', revokedAt: at.toISOString() }, { serial: '2' }])
    t.equal(theirs.revoked('AB', '2'), undefined)

    await redis.lose()
    t.ok(await within(patience, () => one.replica.downFor() === undefined && one.told.includes('back')))
    t.ok(ours.revoked('AB', '1'), 'a Redis that has forgotten it')
    t.ok(
      await within(patience, async () => {
        ours.poll()
        return (await redis.ask('HLEN', 'sallyport:revoked')) === '1'
      }),
      'is told anew by whoever remembers',
    )
  })

  await t.test('that is away ends nobody before the grace is over, and hears of every end when it is back', async t => {
    const clock = movedClock(Date.now())
    const times = { idle: 1_800_000, absolute: 7_200_000, clock }
    const ours = openSharedSessions({ replica: one.replica, ...times, grace: 1_500 })
    const theirs = openSharedSessions({ replica: other.replica, ...times })
    t.teardown(() => [ours, theirs].map(store => store[Symbol.dispose]()))
    t.ok(await within(patience, () => other.replica.downFor() === undefined))
    const alice = { name: 'alice', realm: 'directory', groups: new Set(['radiology']) } as const
    const [first, second] = [await ours.open(alice, 'password', ''), await ours.open(alice, 'password', '')]
    t.match(first.session.id, /^[0-9a-f]{18}$/, 'no option on any command line')
    t.equal((await theirs.find(first.cookie))?.id, first.session.id)

    await redis.stop()
    t.ok(await within(patience, () => [one, other].every(({ replica }) => replica.downFor() !== undefined)))
    t.equal((await ours.find(first.cookie))?.name, 'alice')
    await t.rejects(Promise.resolve(ours.open(alice, 'password', '')), { code: 'state-unavailable' })
    await t.rejects(Promise.resolve(ours.find('x'.repeat(43))), { code: 'state-unavailable' }, 'not known, not denied')
    t.equal(await ours.close(first.session.id), true)
    t.equal(ours.unwritten, 1)
    t.equal(await ours.find(first.cookie), undefined, 'out at once')
    t.ok(await theirs.find(first.cookie), 'where nobody could be told, it goes on')
    t.ok(await within(patience, () => (one.replica.downFor() ?? 0) > 1_500))
    t.throws(() => ours.find(second.cookie), { code: 'state-unavailable' }, 'the grace is over')
    t.same([ours.isStale(), theirs.isStale()], [true, false], 'and for passwords too')
    t.ok(await theirs.find(second.cookie), 'the usual one is not')

    const ended: string[] = []
    theirs.onEnd(id => ended.push(id))
    await redis.start()
    t.ok(await within(patience, () => ended.includes(first.session.id)), 'nothing of it is lost')
    t.equal(await theirs.find(first.cookie), undefined)
    t.equal(ours.unwritten, 0)
    t.ok(await within(patience, () => [one, other].every(({ replica }) => replica.downFor() === undefined)))
    t.equal((await theirs.find(second.cookie))?.name, 'alice')
    t.equal((await ours.find(second.cookie))?.name, 'alice')
  })

  await t.test('keeps a session that another gateway uses, and ends one that nobody does', async t => {
    const clock = movedClock(Date.now())
    const times = { idle: 1_800_000, absolute: 7_200_000, clock }
    const stores = [one, other].map(({ replica }) => openSharedSessions({ replica, ...times }))
    t.teardown(() => stores.map(store => store[Symbol.dispose]()))
    const [ours, theirs] = stores
    if (ours === undefined || theirs === undefined) return
    const opened = await ours.open({ name: 'bob', realm: 'directory', groups: new Set() }, 'password', '')
    const idle = await ours.open({ name: 'bob', realm: 'directory', groups: new Set() }, 'password', '')
    clock.move(20 * 60_000)
    t.ok(await theirs.find(opened.cookie))
    t.ok(await within(patience, async () => (await redis.ask('HLEN', 'sallyport:used')) !== '0'))
    clock.move(20 * 60_000)
    t.ok(await ours.find(opened.cookie), 'forty minutes after it was used last here')
    const ended: string[] = []
    theirs.onEnd(id => ended.push(id))
    ours.sweep()
    t.ok(await within(patience, () => ended.includes(idle.session.id)))
    t.equal(theirs.peek(idle.session.id), undefined)
    t.equal(await theirs.find(idle.cookie), undefined)
    t.equal(await theirs.regroup('bob', 'directory', new Set(['more'])), 1)
    t.ok(await within(patience, () => ours.peek(opened.session.id)?.groups.has('more') === true))
  })
})
