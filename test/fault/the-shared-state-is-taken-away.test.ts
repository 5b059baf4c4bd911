// The Redis that gateways share is gone, silent or slow, and back: who is in goes on, who was put out stays out, and nothing that was done
// meanwhile is lost, nor by answers that come after all.
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { startSharedHouse, statusOf } from '../behaviour/shared-house.ts'
import { runCommand } from '../fixture/command.ts'
import type { Way } from '../fixture/directory-proxy.ts'
import { requireReal } from '../fixture/real.ts'
import { redisTools, startRedis } from '../fixture/redis.ts'
import { makeSite } from '../fixture/site.ts'
import { password, patience, readyOf, seeAwayAndBack } from './redis-away.ts'

if (!requireReal(t, redisTools)) process.exit(0)

const ways: Readonly<Record<string, Way>> = {
  refuses: 'refuse',
  'is silent': 'silent',
  'is four seconds late': { slow: 4_000 },
}

t.test('who is in goes on, and what is done is told when Redis is back, where it', { jobs: 3 }, async t => {
  for (const [how, way] of Object.entries(ways)) t.test(how, (t: Test) => seeAwayAndBack(t, way))
})

t.test('Redis is restarted under two gateways: both go on with the same people', async t => {
  const house = await startSharedHouse(t, { accounts: { alice: { password } } })
  const [one, other] = house.gateways
  const cookie = await one.signIn('alice', password)
  await house.redis.stop()
  t.ok(await within(patience, async () => (await readyOf(other)) === 'state-unavailable'), 'readyz says so')
  t.equal(await statusOf(other, cookie), 200)
  await house.redis.start()
  for (const gateway of [one, other])
    t.ok(await within(patience, () => gateway.log().some(({ message }) => /there again/.test(String(message)))))
  t.equal(await statusOf(other, cookie), 200)
  t.equal(await statusOf(one, await other.signIn('alice', password)), 200)
})

t.test('without Redis a gateway does not start, and a command says so', async t => {
  const redis = await startRedis(t)
  await redis.stop()
  const site = await makeSite(t, { yaml: `sessions: { store: "${redis.url}" }\nrealms: { basic: true }` })
  for (const args of [['serve'], ['users', 'list']]) {
    const { exitCode, stderr } = await runCommand([...args, '--config', site.file], { cwd: site.dir })
    t.equal(exitCode, 1)
    t.match(stderr, new RegExp(`state-unavailable: redis localhost:${redis.port} <- .*ECONNREFUSED`), args.join(' '))
  }
})
