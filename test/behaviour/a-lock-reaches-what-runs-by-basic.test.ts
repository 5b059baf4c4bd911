// Who is locked, changed or removed by a command is put out of what they have open, also where every request carried a
// password and there is no session to end.
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import { hang, upgradeEcho } from '../fixture/upstream-answers.ts'
import { startApp, within } from './app.ts'

const people = { alice: { password: 'alice pass-word' }, bob: { password: 'bob pass-word' } }

async function start(t: Test) {
  const { gateway, upstream } = await startApp(
    t,
    ({ target }) =>
      target === '/socket'
        ? upgradeEcho()
        : async line => {
            await line.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe first bytes')
            await hang(line)
          },
    { accounts: people, yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]' },
  )
  // As a command does it, which is another process: the gateway is told of nothing.
  const accounts = openLocalAccounts({ file: join(gateway.dir, 'state-users.yaml'), clock: systemClock })
  const openBy = async (name: keyof typeof people) => {
    const basic = `${name}:${people[name].password}`
    const download = await gateway.open('/large', { basic })
    let isRunning = true
    for (const event of ['error', 'close'] as const)
      download.once(event, () => {
        isRunning = false
      })
    await once(download, 'data')
    const socket = new WebSocket(`${gateway.url.replace('https:', 'wss:')}/socket`, {
      ca: gateway.authority.caPem,
      auth: basic,
    })
    socket.on('error', () => undefined) // told by its state
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    return { download: () => isRunning, socket: () => socket.readyState === WebSocket.OPEN }
  }
  return { gateway, upstream, accounts, openBy }
}

const changes = {
  locked: accounts => accounts.setLocked('alice', true),
  'given another password': accounts => accounts.setPassword('alice', 'another pass-word'),
  removed: accounts => accounts.remove('alice'),
} satisfies Record<string, (accounts: ReturnType<typeof openLocalAccounts>) => Promise<boolean>>

for (const [how, change] of Object.entries(changes)) {
  t.test(`a download and a WebSocket by Basic end when the account is ${how}`, async t => {
    const { gateway, accounts, openBy } = await start(t)
    const [hers, his] = [await openBy('alice'), await openBy('bob')]
    t.equal(await change(accounts), true)
    t.ok(await within(3_000, () => !hers.download()), 'her download is cut')
    t.ok(await within(3_000, () => !hers.socket()), 'her WebSocket is cut')
    t.same([his.download(), his.socket()], [true, true], 'what runs for somebody else goes on')
    t.equal((await gateway.ask('/large', { basic: `alice:${people.alice.password}` })).status, 401)
  })
}
