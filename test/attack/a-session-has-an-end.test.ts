// L06: a session ends when nobody uses it, at its absolute age, when its person opens too many, and with nothing that
// strangers do.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, upgradeEcho } from '../fixture/upstream-answers.ts'
import { head, openRaw, statuses, stillAnswers, webSocketLines } from './raw-request.ts'

const minute = 60_000
let now = Date.now()
const clock = { now: () => now }
const upstream = await startUpstream(t, request => (request.header('upgrade') === undefined ? json({}) : upgradeEcho()))
const gateway = await startTestGateway(t, {
  clock,
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] }, bob: { password: 'correct horse' } },
  yaml: `
sessions: { idle: 30 min, absolute: 12 h }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
})
const enters = async (cookie: string) => (await gateway.ask('/x', { cookie })).status === 200

t.test('idle for thirty minutes, it has ended, and stays so', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  now += 29 * minute
  t.equal(await enters(session), true)
  now += 29 * minute
  t.equal(await enters(session), true, 'use keeps it')
  now += 31 * minute
  t.equal(await enters(session), false)
  now -= 31 * minute
  t.equal(await enters(session), false, 'a clock set back wakes nobody')
})

t.test('after twelve hours it has ended, however much it is used', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  for (let used = 0; used < 35; used++) {
    now += 20 * minute
    t.equal(await enters(session), true)
  }
  now += 20 * minute
  t.equal(await enters(session), false)
})

t.test('a WebSocket ends with the session that it was opened under', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  using line = await openRaw(gateway)
  await line.write(
    head(gateway, 'GET /ws HTTP/1.1', [...webSocketLines, `Cookie: ${session}`, `Origin: ${gateway.url}`]),
  )
  t.same(statuses((await line.read({ until: '\r\n\r\n' })).text), [101])
  now += 31 * minute
  t.match((await line.read({ timeout: 6_500 })).ended, /end|error/, 'within five seconds')
})

t.test('a person’s twenty-first session ends the one not used for longest, and nobody else’s', async t => {
  const bobs = await gateway.signIn('bob', 'correct horse')
  const alices: string[] = []
  for (let opened = 0; opened < 21; opened++) {
    now += minute
    alices.push(await gateway.signIn('alice', 'correct horse'))
  }
  const alive = await Promise.all(alices.map(enters))
  t.same(alive, [false, ...Array(20).fill(true)])
  t.equal(await enters(bobs), true)
})

t.test('a thousand made-up ids, and a hundred visits to the login page, put nobody out', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  using line = await openRaw(gateway)
  const bogus = () => `__Host-sallyport=${randomBytes(32).toString('base64url')}`
  for (let round = 0; round < 50; round++) {
    const one = (path: string) => head(gateway, `HEAD ${path} HTTP/1.1`, [`Cookie: ${bogus()}`])
    await line.write(
      `${Array.from({ length: 20 }, () => one('/x')).join('')}${Array.from({ length: 2 }, () => one('/-/login')).join('')}`,
    )
    await line.read({ until: /(HTTP\/1\.1 200[\s\S]*){2}$/, timeout: 3_000 })
  }
  t.equal(await enters(session), true)
  await stillAnswers(t, gateway)
})
