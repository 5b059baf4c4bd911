// The clock of the machine jumps by a year, either way, and is set right again: sessions end rather than last longer, and
// whoever signs in anew is in, at once and without a restart.
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { movedClock } from '../identity/moved-clock.ts'

const year = 365 * 86_400_000

async function start(t: Test) {
  const upstream = await startUpstream(t)
  const clock = movedClock(Date.now())
  const gateway = await startTestGateway(t, {
    clock,
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const statusOf = async (cookie: string) => (await gateway.ask('/x', { cookie })).status
  return { clock, gateway, statusOf }
}

for (const [title, step] of [
  ['forward', year],
  ['back', -year],
] as const) {
  t.test(`a year ${title}, and right again`, async t => {
    const { clock, gateway, statusOf } = await start(t)
    const before = await gateway.signIn('alice', 'alice-password')
    t.equal(await statusOf(before), 200)

    clock.move(step)
    t.equal(await statusOf(before), 401, 'the session has ended')
    const meanwhile = await gateway.signIn('alice', 'alice-password')
    t.equal(await statusOf(meanwhile), 200, 'who signs in anew is in')

    clock.move(-step)
    t.equal(await statusOf(before), 401, 'what has ended stays ended')
    t.equal(await statusOf(meanwhile), 401, 'and nothing from the wrong time lasts')
    t.equal(await statusOf(await gateway.signIn('alice', 'alice-password')), 200)
  })
}

t.test('a second back, as NTP does it, ends nothing', async t => {
  const { clock, gateway, statusOf } = await start(t)
  const cookie = await gateway.signIn('alice', 'alice-password')
  for (const step of [-1_000, -60_000, 3_600_000 / 60]) {
    clock.move(step)
    t.equal(await statusOf(cookie), 200, `${step} ms`)
  }
})
