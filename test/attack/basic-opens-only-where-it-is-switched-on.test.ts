// A name and a password in Authorization: where Basic is off they open nothing, and where it is on nothing but one
// well-formed pair of at most 8 KB is tried at all. From other sites: requests-of-other-sites-change-nothing.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { basic, head, openRaw, statuses, stillAnswers, talk } from './raw-request.ts'

const upstream = await startUpstream(t)
const accounts = { alice: { password: 'correct horse' }, zoë: { password: 'pass:wörd:' } }
const yaml = (on: boolean) => `
realms: { basic: ${on}, local: { file: state-users.yaml } }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: authenticated }
`
const gateway = await startTestGateway(t, { accounts, yaml: yaml(true) })

t.test('where it is off the right password opens nothing, and no password is asked for', async t => {
  const off = await startTestGateway(t, { accounts, yaml: yaml(false) })
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    for (const pair of ['alice:correct horse', 'alice:wrong']) {
      const { status, headers } = await off.ask('/x', { basic: pair, protocol })
      t.equal(status, 401)
      t.notOk(headers['www-authenticate'])
    }
  }
  t.same(upstream.received, [])
  t.equal((await off.ask('/x', { cookie: await off.signIn('alice', 'correct horse') })).status, 200)
})

t.test('it is off as long as nobody says otherwise', async t => {
  const silent = await startTestGateway(t, { accounts, yaml: yaml(false).replace('basic: false, ', '') })
  const from = upstream.received.length
  t.equal((await silent.ask('/x', { basic: 'alice:correct horse' })).status, 401)
  t.equal(upstream.received.length, from)
})

t.test('a colon and letters of any language belong to the password', async t => {
  t.equal((await gateway.ask('/x', { basic: 'zoë:pass:wörd:' })).status, 200)
  t.equal((await gateway.ask('/x', { basic: 'zoë:pass:wörd' })).status, 401)
})

t.test('what is not one pair is refused, and counts as no guess of anybody', async t => {
  const from = upstream.received.length
  const odd = [
    'Authorization: Basic',
    'Authorization: Basic !!!',
    basic('alice'),
    basic('alice:correct horse\0'),
    basic('alice\n:correct horse'),
    basic(`alice:${'x'.repeat(40_000)}`),
    `${basic('alice:correct horse')}, ${basic('alice:correct horse').slice(15)}`,
    `${basic('alice:correct horse')}\r\n${basic('alice:correct horse')}`,
    `Authorization: Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`,
  ]
  // Five times: as guesses they would be one more than a name may have.
  for (const line of Array.from({ length: 5 }, () => odd).flat()) {
    const { text } = await talk(gateway, head(gateway, 'GET /x HTTP/1.1', [line]), { until: '\r\n\r\n' })
    t.match(String(statuses(text)[0]), /^40[01]$/, line.slice(0, 60))
  }
  t.equal(upstream.received.length, from)
  t.equal((await gateway.ask('/x', { basic: 'alice:correct horse' })).status, 200)
})

t.test('half a pair opens nothing', async t => {
  const from = upstream.received.length
  for (const pair of ['alice:', ':correct horse', ':'])
    t.equal((await gateway.ask('/x', { basic: pair })).status, 401, pair)
  t.equal(upstream.received.length, from)
})

t.test('a megabyte of it is cut before anybody reads it', async t => {
  const from = upstream.received.length
  using line = await openRaw(gateway)
  // The gateway hangs up in the middle, so not all of it can be written.
  const written = line.write(head(gateway, 'GET /x HTTP/1.1', [`Authorization: Basic ${'A'.repeat(1024 * 1024)}`]))
  const [{ text }] = await Promise.all([line.read({ timeout: 5_000 }), Promise.allSettled([written])])
  t.same(
    statuses(text).filter(status => status !== 431),
    [],
    'too large, or cut',
  )
  const overHttp2 = await gateway
    .ask('/x', { protocol: 'HTTP/2', headers: { authorization: `Basic ${'A'.repeat(1024 * 1024)}` } })
    .then(({ status }) => status)
    .catch(() => 'cut')
  t.ok(overHttp2 === 431 || overHttp2 === 'cut')
  t.equal(upstream.received.length, from)
  await stillAnswers(t, gateway)
})
