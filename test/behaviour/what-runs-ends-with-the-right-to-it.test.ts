// Downloads, uploads and WebSockets end within five seconds of the right to them: the session, the account, the group, the
// rule, the certificate. None of them looks whole, a WebSocket is told why, and what runs for somebody else goes on.
import { join } from 'node:path'
import t from 'tap'
import { changeAccountFile } from '../../src/identity/account-file.ts'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { respondToRunning, startRunning } from './all-running.ts'
import { within } from './app.ts'

/** Five seconds, and some more for a machine that is busy. */
const patience = 8_000
const hour = 3_600_000
const passwords = { alice: 'alice pass-word', bob: 'bob pass-word' }

const authority = await startAuthority(t)
const upstream = await startUpstream(t, respondToRunning)

const echo = await startTcpUpstream(t, { keeps: false, onConnection: socket => socket.pipe(socket) })
const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])

interface Changed {
  readonly heart?: string
  readonly open?: string
  readonly stream?: string
  readonly basic?: boolean
}
const yaml = ({
  heart = '[{ groups: [cardiology], may: everything }]',
  open = 'everyone',
  stream = 'everyone',
  basic = true,
}: Changed = {}) => `
realms: { basic: ${basic}, local: { file: state-users.yaml } }
sessions: { idle: 12 h, absolute: 12 h }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /heart, upstream: app, access: ${heart} }
  - { path: /open, upstream: app, access: ${open} }
  - { path: /, upstream: app, access: authenticated }
streams:
  raw:
    bind: 127.0.0.1:0
    protocol: raw
    keystore: { certificate: ${certFile}, key: ${keyFile} }
    clients: { certificate: optional, truststore: ${authority.caFile} }
    upstream: "tcp://127.0.0.1:${echo.port}"
    access: ${stream}
`
const clock = movedClock(Date.now())
const groups = ['radiology', 'cardiology']
const gateway = await startTestGateway(t, {
  ...{ authority, clock, yaml: yaml() },
  accounts: { alice: { password: passwords.alice, groups }, bob: { password: passwords.bob, groups } },
})
const signIn = async (name: keyof typeof passwords) => ({ cookie: await gateway.signIn(name, passwords[name]) })

/** As another program does it: the gateway is told of nothing. */
const regroup = (name: string, groups: readonly string[]) =>
  changeAccountFile(join(gateway.dir, 'state-users.yaml'), accounts =>
    accounts.map(account => (account.name === name ? { ...account, groups: [...groups] } : account)),
  )
const accessEnded = () => gateway.audit().filter(({ kind }) => kind === 'access-ended')

t.test('signing out in another tab ends what runs under this session, at once', async t => {
  const mine = await signIn('alice')
  const [hers, other] = [await startRunning(t, gateway, mine), await startRunning(t, gateway, await signIn('alice'))]
  const form = await gateway.ask('/-/logout', { ...mine, headers: { accept: 'text/html' } })
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const { status } = await gateway.ask('/-/logout', {
    method: 'POST',
    cookie: [mine.cookie, ...form.cookies.map(line => line.split(';')[0])].join('; '),
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    body: new URLSearchParams({ token }).toString(),
  })
  t.equal(status, 303)
  await hers.seeEnded(t, 3_000)
  t.same(hers.goodbye(), [1008, 'the session has ended'])
  other.seeOpen(t)
})

t.test('one of several groups is taken away: what only that group opened ends, and nothing else', async t => {
  const hers = await signIn('alice')
  const [heart, rest] = [await startRunning(t, gateway, hers, '/heart'), await startRunning(t, gateway, hers)]
  const his = await startRunning(t, gateway, await signIn('bob'), '/heart')
  await regroup('alice', ['radiology'])
  await heart.seeEnded(t, patience)
  t.same(heart.goodbye(), [1008, 'not permitted any more'])
  rest.seeOpen(t)
  his.seeOpen(t)
  t.ok(await within(1_000, () => accessEnded().length > 0))
  t.match(accessEnded(), [{ who: { name: 'alice', proof: 'session' }, reason: 'not-a-member' }])
  t.equal(accessEnded().length, 1, 'told once, however much it was')
  await regroup('alice', groups)
})

t.test('the absolute end of a session, however much it is used', async t => {
  const early = await startRunning(t, gateway, await signIn('alice'))
  clock.move(11.9 * hour)
  const late = await startRunning(t, gateway, await signIn('bob'))
  t.notOk(await within(1_200, () => early.goodbye() !== undefined))
  early.seeOpen(t)
  clock.move(0.2 * hour)
  await early.seeEnded(t, patience)
  t.same(early.goodbye(), [1008, 'the session has ended'])
  late.seeOpen(t)
})

t.test('the end of a certificate', async t => {
  const [short, long] = [await authority.client('short', { days: 1 }), await authority.client('long', { days: 300 })]
  const [ends, goesOn] = [
    await startRunning(t, gateway, { client: short }),
    await startRunning(t, gateway, { client: long }),
  ]
  clock.move(25 * hour)
  await ends.seeEnded(t, patience)
  t.same(ends.goodbye(), [1008, 'the certificate no longer counts'])
  goesOn.seeOpen(t)
})

t.test('a reload whose rules deny it', async t => {
  const heart = [
    await startRunning(t, gateway, await signIn('alice'), '/heart'),
    await startRunning(t, gateway, { basic: `bob:${passwords.bob}` }, '/heart'),
  ]
  const [nobodys, rest] = [
    await startRunning(t, gateway, {}, '/open'),
    await startRunning(t, gateway, await signIn('bob')),
  ]
  t.same(await gateway.reload({ yaml: yaml({ open: 'authenticated' }) }), { ok: true })
  await nobodys.seeEnded(t, 3_000)
  for (const one of heart) one.seeOpen(t)
  t.same(await gateway.reload({ yaml: yaml({ heart: '[{ people: [carol], may: read }]' }) }), { ok: true })
  for (const one of heart) {
    await one.seeEnded(t, 3_000)
    t.same(one.goodbye(), [1008, 'not permitted any more'])
  }
  rest.seeOpen(t)
  t.same(await gateway.reload({ yaml: yaml().replace(/^ {2}- { path: \/,.*$/m, '') }), { ok: true })
  await rest.seeEnded(t, 3_000)
})

t.test('connections of a stream, by a reload', async t => {
  const port = Number(new URL(gateway.gateway.listeners.find(({ name }) => name === 'raw')?.urls[0] ?? '').port)
  const open = async (name?: string) => {
    const pair = name === undefined ? undefined : await authority.client(name)
    const line = await rawTls(port, { ca: authority.caPem, ...(pair && { cert: pair.chainPem, key: pair.keyPem }) })
    t.teardown(() => line.close())
    await line.write('hello')
    t.equal((await line.read({ until: 'hello' })).ended, 'until')
    return line
  }
  const [nobody, ann, ben] = [await open(), await open('ann'), await open('ben')]
  t.same(await gateway.reload({ yaml: yaml({ stream: 'authenticated' }) }), { ok: true })
  t.match(await nobody.read(), { ended: /end|error/ })
  t.same(await gateway.reload({ yaml: yaml({ stream: '[{ people: [ann] }]' }) }), { ok: true })
  t.match(await ben.read(), { ended: /end|error/ })
  await ann.write('again')
  t.equal((await ann.read({ until: 'again' })).ended, 'until', 'who is still named goes on')
})

t.test('a reload that switches Basic off', async t => {
  t.same(await gateway.reload({ yaml: yaml() }), { ok: true })
  const [session, basic] = [
    await startRunning(t, gateway, await signIn('alice')),
    await startRunning(t, gateway, { basic: `bob:${passwords.bob}` }),
  ]
  t.same(await gateway.reload({ yaml: yaml({ basic: false }) }), { ok: true })
  await basic.seeEnded(t, 3_000)
  t.same(basic.goodbye(), [1008, 'the account has changed'])
  session.seeOpen(t)
})

t.test('a reload after which the listener insists on a certificate', async t => {
  t.same(await gateway.reload({ yaml: yaml() }), { ok: true })
  const session = await startRunning(t, gateway, await signIn('alice'))
  const both = await startRunning(t, gateway, { ...(await signIn('bob')), client: await authority.client('ben') })
  t.same(await gateway.reload({ certificate: 'required' }), { ok: true })
  await session.seeEnded(t, 3_000)
  t.same(session.goodbye(), [1008, 'not permitted any more'])
  both.seeOpen(t)
})

t.test('no upload that was cut was whole at the upstream', async t => {
  const uploads = upstream.received.filter(({ method }) => method === 'POST')
  t.equal(uploads.length, 34)
  t.same(
    uploads.filter(({ complete }) => complete),
    [],
  )
  t.ok(await within(3_000, () => upstream.openConnections === 0), 'and nothing is open')
})
