// Another program holds the file of the sessions (a backup, a command that hangs). What runs goes on to its end, nobody's
// bug takes the gateway down, and afterwards all is as before. New requests may be told that it does not work just now.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { createInFlight } from '../../src/forward/in-flight.ts'
import { Fault } from '../../src/kernel/fault.ts'
import type { TestGateway } from '../fixture/gateway.ts'
import { json, upgradeEcho } from '../fixture/upstream-answers.ts'
import { startApp, within } from './app.ts'

const minute = 60_000

/** Timers of the code under test go by `tick` from here on. */
function holdTimers(t: Pick<Test, 'teardown'>): (milliseconds: number) => void {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  return milliseconds => mock.timers.tick(milliseconds)
}

t.test('what is in flight survives records that cannot be asked, and is cut by nothing else than its end', async t => {
  const tick = holdTimers(t)
  let touch: (id: string) => boolean = () => true
  let asked = 0
  const ended: string[] = []
  let tell: (id: string) => void = () => t.fail('nobody listens')
  using inFlight = createInFlight({
    touch(id) {
      asked++
      return touch(id)
    },
    onEnd(listener) {
      tell = listener
    },
  })
  inFlight.add({ kind: 'session', id: 's1' }, () => ended.push('request'), false)
  using _socket = inFlight.add({ kind: 'session', id: 's1' }, () => ended.push('socket'), true)
  inFlight.add(undefined, () => ended.push('open'), true)
  t.equal(asked, 2)

  touch = () => {
    throw new Fault('state-unavailable', { cause: new Error('database is locked'), about: 'sessions' })
  }
  t.doesNotThrow(() => tick(30_000), 'nothing is thrown where nobody would catch it')
  t.doesNotThrow(() => tick(90_000))
  t.equal(asked, 6, 'each session is asked once every thirty seconds')
  t.doesNotThrow(
    () => inFlight.add({ kind: 'session', id: 's2' }, () => ended.push('new'), false),
    'nor for work that begins meanwhile',
  )
  t.same(ended, [], 'and nothing is cut')

  touch = () => true
  tick(30_000)
  t.same(ended, [])
  tell('s1')
  t.same(ended, ['request', 'socket'], 'its end still cuts it')
})

t.test('a session that ended while the upstream took its time cuts the work that begins under it', async t => {
  let cut = 0
  using inFlight = createInFlight({ touch: id => id !== 'ended', onEnd: () => undefined })
  inFlight.add({ kind: 'session', id: 'living' }, () => cut++, true)
  t.equal(cut, 0)
  inFlight.add({ kind: 'session', id: 'ended' }, () => cut++, true)
  t.equal(cut, 1)
})

t.test('a mistake of ours is not passed over as if it were a locked file', async t => {
  const tick = holdTimers(t)
  let broken = false
  using inFlight = createInFlight({
    touch() {
      if (broken) throw new TypeError('a bug')
      return true
    },
    onEnd: () => undefined,
  })
  inFlight.add({ kind: 'session', id: 's1' }, () => undefined, false)
  broken = true
  t.throws(() => tick(30_000), TypeError)
})

/** As another program would, until it is disposed of. */
function lock({ dir }: TestGateway, how: 'immediate' | 'exclusive'): Disposable {
  const file = join(dir, 'state', 'sallyport.db')
  if (!existsSync(file)) throw new Error('the sessions stand elsewhere')
  const holder = new DatabaseSync(file)
  holder.exec(`begin ${how}`)
  return {
    [Symbol.dispose]() {
      holder.exec('rollback')
      holder.close()
    },
  }
}

for (const how of ['immediate', 'exclusive'] as const) {
  t.test(`while a program holds the session file (${how}), a slow answer and a WebSocket go on`, async t => {
    let shift = 0
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const tick = holdTimers(t)
    const { gateway, upstream } = await startApp(
      t,
      async request => {
        if (request.header('upgrade') !== undefined) return upgradeEcho()
        if (request.target === '/slow') await released
        return json({ from: 'upstream' })
      },
      {
        accounts: { alice: { password: 'correct horse' } },
        clock: { now: () => Date.now() + shift },
        yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]',
      },
    )
    const cookie = await gateway.signIn('alice', 'correct horse')
    const slow = gateway.ask('/slow', { cookie })
    const socket = new WebSocket(`${gateway.url.replace('https:', 'wss:')}/ws`, {
      ca: gateway.authority.caPem,
      headers: { cookie, origin: gateway.url },
    })
    await once(socket, 'open')
    t.ok(await within(2_000, () => upstream.received.some(({ target }) => target === '/slow')))
    const echo = async (text: string) => {
      const back = once(socket, 'message')
      socket.send(text)
      return String((await back)[0])
    }

    // Every touch has to be written down now.
    shift = 2 * minute
    const held = lock(gateway, how)
    t.doesNotThrow(() => tick(30_000), 'what looks after the session meets the lock, and throws nowhere')
    t.equal(await echo('meanwhile'), 'meanwhile')
    const refused = await gateway.ask('/x', { cookie })
    t.match(JSON.parse(refused.text), { status: 503, reason: 'state-unavailable' }, 'a new request is told')
    release()
    t.match(await slow, { status: 200, text: '{"from":"upstream"}' }, 'the slow answer comes whole')
    held[Symbol.dispose]()

    t.equal((await gateway.ask('/x', { cookie })).status, 200, 'the same session is good again')
    t.equal(await echo('afterwards'), 'afterwards')
    t.doesNotThrow(() => tick(30_000))
    const closed = once(socket, 'close')
    socket.close(1000)
    t.equal((await closed)[0], 1000)
    mock.timers.reset()
  })
}
