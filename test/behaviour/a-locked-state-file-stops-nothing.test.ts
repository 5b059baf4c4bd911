// Another program holds the file of the sessions (a backup, a command that hangs). What runs goes on to its end, who is
// signed in goes on, and afterwards all is as before.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
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
    const began = performance.now()
    t.equal((await gateway.ask('/x', { cookie })).status, 200, 'a new request is served')
    t.ok(performance.now() - began < 900, 'and waits for nobody')
    release()
    t.match(await slow, { status: 200, text: '{"from":"upstream"}' }, 'the slow answer comes whole')
    await t.rejects(gateway.signIn('alice', 'correct horse'), /503/, 'nobody signs in')
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
