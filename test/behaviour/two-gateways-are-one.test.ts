// Two gateways with a Redis behind them are one house: whoever is in at one is in at the other, and out at both.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { runCommand } from '../fixture/command.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { redisTools, startRedis } from '../fixture/redis.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { respondToRunning, startRunning } from './all-running.ts'
import { within } from './app.ts'
import { startSharedHouse, statusOf } from './shared-house.ts'

if (!requireReal(t, redisTools)) process.exit(0)

const password = 'correct horse'
const accounts = { alice: { password }, bob: { password } }
/** A second, and some more for a machine that is busy. */
const patience = 3_000

t.test('a house of two', async t => {
  const house = await startSharedHouse(t, { respond: respondToRunning, accounts })
  const { gateways, redis, authority } = house
  const [one, other] = gateways
  const command = (...args: readonly string[]) =>
    runCommand([...args, '--config', join(one.dir, 'sallyport.yaml')], { cwd: one.dir })
  writeFileSync(
    join(one.dir, 'sallyport.yaml'),
    `listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: none.pem } } }
sessions: { store: "${redis.url}" }
authority: { dir: "${authority.authority.dir}" }
`,
  )

  await t.test('who signs in at one is known at the other at once', async t => {
    for (let nth = 0; nth < 6; nth++) {
      const cookie = await gateways[nth % 2 === 0 ? 0 : 1].signIn(nth < 3 ? 'alice' : 'bob', password)
      t.equal(await statusOf(gateways[nth % 2 === 0 ? 1 : 0], cookie), 200)
    }
    t.notOk(existsSync(join(one.dir, 'state', 'sallyport.db')), 'and nothing stands in a file')
    t.equal(await statusOf(one, `__Host-sallyport=${'x'.repeat(43)}`), 401, 'made-up cookies are nobody')
  })

  await t.test('who signs out at one has nothing left at the other within a second', async t => {
    const cookie = await one.signIn('alice', password)
    const running = await startRunning(t, other, { cookie })
    const form = await one.ask('/-/logout', { cookie, headers: { accept: 'text/html' } })
    const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
    const cookies = [cookie, ...form.cookies.map(line => line.split(';')[0])].join('; ')
    const out = await one.ask('/-/logout', {
      ...{ method: 'POST', cookie: cookies, body: new URLSearchParams({ token }).toString() },
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: one.url },
    })
    t.equal(out.status, 303)
    await running.seeEnded(t, 1_000)
    t.ok(await within(1_000, async () => (await statusOf(other, cookie, '/-/home')) === 303))
    t.same(running.goodbye(), [1008, 'the session has ended'])
  })

  await t.test('failures are counted by both together', async t => {
    const tried = async (gateway: typeof one, wrong: string) =>
      (await gateway.ask('/', { basic: `mallory:${wrong}` })).status
    for (const [nth, gateway] of [one, other, other, one].entries()) t.equal(await tried(gateway, `try ${nth}`), 401)
    for (const gateway of [one, other]) t.equal(await tried(gateway, 'once more'), 429)
    t.notMatch(await redis.ask('KEYS', '*'), /mallory/, 'people type passwords where a name belongs')
  })

  await t.test('a command locks somebody at both', async t => {
    const cookie = await one.signIn('bob', password)
    const running = await startRunning(t, other, { basic: `bob:${password}` })
    t.match(await command('users', 'lock', 'bob'), { exitCode: 0, stdout: /account bob is locked; \d+ sessions ended/ })
    for (const gateway of gateways) {
      t.ok(await within(1_000, async () => (await statusOf(gateway, cookie)) === 401))
      t.equal((await gateway.ask('/', { basic: `bob:${password}` })).status, 401)
    }
    await running.seeEnded(t, patience)
  })

  await t.test('a certificate that a command takes back is refused by both', async t => {
    const made = await command('certs', 'client', 'carol', '--dir', join(one.dir, 'carol'))
    t.match(made, { exitCode: 0 }, made.stderr)
    const file = (name: string) => readFileSync(join(one.dir, 'carol', name), 'utf8')
    const client = { chainPem: file('carol.pem'), keyPem: file('carol.key') }
    const status = async (gateway: typeof one) => (await gateway.ask('/', { client })).status
    for (const gateway of gateways) t.equal(await status(gateway), 200)
    const running = await startRunning(t, other, { client })
    t.match(await command('certs', 'revoke', 'carol'), { exitCode: 0 })
    for (const gateway of gateways) t.ok(await within(patience, async () => (await status(gateway)) === 401))
    await running.seeEnded(t, 8_000)
  })
})

t.test('over TLS, with a password and a certificate of their own, they are one house too', async t => {
  const authority = await startAuthority(t)
  const redis = await startRedis(t, { tls: authority, password: 'pass-word-of-redis' })
  await redis.putAccounts(accounts)
  const own = await authority.client('gateway')
  const secret = join(t.testdir({}), 'redis')
  writeFileSync(secret, 'pass-word-of-redis\n', { mode: 0o600 })
  const store = `{ url: "${redis.url}", password: { file: ${secret} }, ca: ${authority.caFile}, certificate: ${own.certFile}, key: ${own.keyFile} }`
  const upstream = await startUpstream(t)
  const yaml = `
sessions: { store: ${store} }
realms: { basic: true }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`
  const [one, other] = [await startTestGateway(t, { authority, yaml }), await startTestGateway(t, { authority, yaml })]
  const cookie = await one.signIn('alice', password)
  t.equal(await statusOf(other, cookie), 200)
})
