// A reload that cannot be done as a whole changes nothing, and nothing that a file holds ends the gateway.
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openSessionStore } from '../../src/identity/session-store.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

const yaml = (url: string, access: string) => `
upstreams: { app: { kind: generic, url: "${url}" } }
routes: [{ path: /, upstream: app, access: ${access} }]
`

t.test('terms that no key of ours fits open nothing, and break nothing', async t => {
  const first = await startUpstream(t, () => reply({ body: 'first' }))
  const second = await startUpstream(t, () => reply({ body: 'second' }))
  const gateway = await startTestGateway(t, { yaml: yaml(first.url, 'authenticated') })
  const alice = await gateway.authority.client('alice')
  // The certificate of the fixture has a P-256 key, which level 4 does not take.
  const impossible = { listener: 'tls: { ciphers: "HIGH:@SECLEVEL=4" }', yaml: yaml(second.url, 'everyone') }
  for (const round of [1, 2]) {
    t.match(await gateway.reload(impossible), { ok: false }, `round ${round}`)
    t.equal((await gateway.ask('/')).status, 401, 'the door that was to be opened is closed')
    t.match(
      await gateway.ask('/', { client: alice }),
      { status: 200, text: 'first' },
      'and the upstream is the old one',
    )
  }
  t.match(await gateway.reload({ listener: '', yaml: yaml(second.url, 'authenticated') }), { ok: true })
  t.match(await gateway.ask('/', { client: alice }), { status: 200, text: 'second' })
})

t.test('whatever a reader throws is a reload that was refused', async t => {
  const upstream = await startUpstream(t, () => reply({ body: 'in' }))
  const gateway = await startTestGateway(t, { yaml: yaml(upstream.url, 'everyone') })
  const broken = await gateway.gateway.reload(() => {
    throw new Error('a file that nobody foresaw')
  })
  t.match(broken, { ok: false, why: /cannot be read at all/ })
  t.match(gateway.log().at(-1), { level: 'error', message: 'reading failed' })
  t.equal((await gateway.ask('/')).status, 200)
  t.match(gateway.audit().at(-1), { kind: 'reload' })
})

t.test('an audit trail that must be written and cannot ends nothing', async t => {
  const upstream = await startUpstream(t, () => reply({ body: 'in' }))
  const gateway = await startTestGateway(t, {
    yaml: `${yaml(upstream.url, 'everyone')}\naudit: { onFailure: refuse }`,
  })
  // A folder in the place of the file: nothing can be written there.
  const file = join(gateway.dir, 'state', 'audit.jsonl')
  renameSync(file, `${file}.away`)
  mkdirSync(file)
  t.match(await gateway.reload({}), { ok: true }, 'it is done, and the alarm was raised')
  t.ok(gateway.log().some(({ message }) => /audit trail cannot be written/.test(String(message))))
})

t.test('a session of a directory that was taken away holds no longer', async t => {
  const upstream = await startUpstream(t, () => reply({ body: 'in' }))
  const gateway = await startTestGateway(t, { yaml: yaml(upstream.url, 'authenticated') })
  const hour = 3_600_000
  using store = openSessionStore({
    ...{ file: join(gateway.dir, 'state', 'sallyport.db'), idle: hour, absolute: hour, clock: systemClock },
  })
  const { cookie } = store.open(
    { name: 'carol', realm: 'directory', groups: new Set(['staff']) },
    'password',
    '127.0.0.1',
  )
  t.equal((await gateway.ask('/', { cookie: `__Host-sallyport=${cookie}` })).status, 401)
  // This store is another program to the gateway: what it wrote itself it asks the file for a moment later.
  t.ok(await within(2_000, () => store.find(cookie, false) === undefined), 'and it is gone')
})

t.test('a person who is listed by fingerprint vouches for nobody, whatever the certificate says of itself', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-minting-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  run('req', '-x509', ...key, '-subj', '/CN=device', '-keyout', 'device.key', '-out', 'device.crt')
  run(
    'req',
    '-x509',
    ...key,
    '-subj',
    '/CN=chief',
    '-keyout',
    'chief.key',
    '-out',
    'chief.crt',
    '-CA',
    'device.crt',
    '-CAkey',
    'device.key',
  )
  const read = (name: string) => readFileSync(join(dir, name), 'utf8')
  const device = { chainPem: read('device.crt'), keyPem: read('device.key') }
  const chief = { chainPem: `${read('chief.crt')}${read('device.crt')}`, keyPem: read('chief.key') }
  const upstream = await startUpstream(t, ({ header }) => reply({ body: header('x-remote-user') ?? '' }))
  const people = `{ "sha256:${new X509Certificate(device.chainPem).fingerprint256}": ct-1 }`
  const gateway = await startTestGateway(t, {
    truststore: [device.chainPem],
    yaml: `${yaml(upstream.url, 'authenticated')}\nrealms: { certificate: { people: ${people} } }`,
  })
  t.match(await gateway.ask('/', { client: device }), { status: 200, text: 'ct-1' })
  t.equal((await gateway.ask('/', { client: chief })).status, 401)

  await t.test('and without its name there, the danger is told', async t => {
    t.same(await gateway.reload({ yaml: yaml(upstream.url, 'authenticated') }), { ok: true })
    t.ok(
      gateway
        .log()
        .some(({ level, message }) => level === 'warn' && /can sign certificates of any name/.test(String(message))),
    )
  })
})

t.test('a refused certificate is written down on our own pages too', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, { yaml: yaml(upstream.url, 'authenticated') })
  const rogue = await gateway.authority.rogueClient('alice')
  t.equal((await gateway.ask('/-/login', { client: rogue })).status, 200)
  // With `continue` nobody waits for the line.
  const told = () => gateway.audit().find(({ kind }) => kind === 'certificate-refused')
  t.ok(await within(2_000, () => told() !== undefined))
  t.match(told(), { reason: 'certificate-not-trusted' })
})
