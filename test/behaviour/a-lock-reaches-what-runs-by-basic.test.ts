// Who is locked, changed or removed by a command is put out of what they have open, also where every request carried a
// password and there is no session to end.
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import type { GatewayOptions } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { hang, upgradeEcho } from '../fixture/upstream-answers.ts'
import { startApp, within } from './app.ts'

/** The same in users.yaml and in the directory. */
const people = { alice: { password: 'alice pass-word' }, bob: { password: 'bob pass-word' } }

type Options = Pick<GatewayOptions, 'accounts' | 'files'> & { readonly realms?: string }

async function start(t: Test, options: Options = { accounts: people }) {
  const { realms = '', ...rest } = options
  const { gateway } = await startApp(
    t,
    ({ target }) =>
      target === '/socket'
        ? upgradeEcho()
        : async line => {
            await line.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe first bytes')
            await hang(line)
          },
    { ...rest, yaml: `${realms}\nroutes: [{ path: /, upstream: app, access: authenticated }]` },
  )
  const openBy = async (name: keyof typeof people) => {
    const basic = `${name}:${people[name].password}`
    const download = await gateway.open('/large', { basic })
    t.equal(download.statusCode, 200)
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
  /** What alice has open is cut, and nothing else. */
  const seeCut = async (change: () => Promise<unknown> | unknown) => {
    const [hers, his] = [await openBy('alice'), await openBy('bob')]
    t.equal(await change(), true)
    t.ok(await within(3_000, () => !hers.download()), 'her download is cut')
    t.ok(await within(3_000, () => !hers.socket()), 'her WebSocket is cut')
    t.same([his.download(), his.socket()], [true, true], 'what runs for somebody else goes on')
  }
  const again = async () => (await gateway.ask('/large', { basic: `alice:${people.alice.password}` })).status
  return { gateway, openBy, seeCut, again }
}

const changes = {
  locked: accounts => accounts.setLocked('alice', true),
  'given another password': accounts => accounts.setPassword('alice', 'another pass-word'),
  removed: accounts => accounts.remove('alice'),
} satisfies Record<string, (accounts: ReturnType<typeof openLocalAccounts>) => Promise<boolean>>

for (const [how, change] of Object.entries(changes)) {
  t.test(`a download and a WebSocket by Basic end when the account is ${how}`, async t => {
    const { gateway, seeCut, again } = await start(t)
    // As a command does it, which is another process: the gateway is told of nothing.
    const accounts = openLocalAccounts({ file: join(gateway.dir, 'state-users.yaml'), clock: systemClock })
    await seeCut(() => change(accounts))
    t.equal(await again(), 401)
  })
}

t.test('people of the directory', async t => {
  if (!requireReal(t, slapdTools)) return
  const slapd = await startSlapd(t)
  const startWithDirectory = async (t: Test) => {
    const realms = `realms:
  basic: true
  directory:
    enabled: true
    urls: "${slapd.url}"
    username: "${slapd.reader.dn}"
    password: { file: reader-password }
    base: ${slapd.base}
    userMapping: omeName=uid
    newUserGroup: staff
    syncOnLogin: true
  local: { file: state-users.yaml }`
    const house = await start(t, {
      realms,
      files: { 'reader-password': slapd.reader.password },
      accounts: { dave: { password: 'dave pass-word' } },
    })
    const accounts = openDirectoryAccounts({ file: join(house.gateway.dir, 'state', 'sallyport.db') })
    t.teardown(() => accounts[Symbol.dispose]())
    return { ...house, accounts }
  }

  t.test('what they have open ends when they are locked, and they are not let in again', async t => {
    const { accounts, seeCut, again } = await startWithDirectory(t)
    await seeCut(() => accounts.update('alice', { locked: true }))
    t.equal(await again(), 401)
  })
  t.test(
    'a session of a local account ends when the account is linked, also where the command did not see it',
    async t => {
      const { gateway, accounts } = await startWithDirectory(t)
      const cookie = await gateway.signIn('dave', 'dave pass-word')
      t.equal((await gateway.ask('/-/home', { cookie })).status, 200)
      accounts.add({
        ...{ name: 'dave', dn: 'uid=dave,o=lab', entryId: undefined, particulars: {}, groups: [] },
        ...{ locked: false, createdAt: 1, lastLoginAt: undefined },
      })
      const status = async () => (await gateway.ask('/socket', { cookie })).status
      t.ok(await within(1_000, async () => (await status()) === 401))
      accounts.remove('dave')
      t.equal((await gateway.ask('/socket', { cookie })).status, 401, 'and does not come back')
    },
  )
  t.test('when they are removed', async t => {
    const { accounts, seeCut } = await startWithDirectory(t)
    await seeCut(() => accounts.remove('alice'))
  })
  t.test('when a group of theirs is taken away; another mail address cuts nothing', async t => {
    const { accounts, seeCut, openBy } = await startWithDirectory(t)
    const hers = await openBy('alice')
    accounts.update('alice', { particulars: { email: 'alice@new.test' }, lastLoginAt: 1 })
    t.notOk(await within(2_500, () => !hers.download() || !hers.socket()))
    await seeCut(() => accounts.update('alice', { groups: [] }))
    t.ok(await within(1_000, () => !hers.download() && !hers.socket()))
  })
})
