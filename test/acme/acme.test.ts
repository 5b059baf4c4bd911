/**
 * A keystore that an ACME authority supplies, against a real pebble and on the real plain listener.
 */
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { readKeystore } from '../../src/tls/keystore.ts'
import { pebbleTools } from '../fixture/pebble.ts'
import { requireReal } from '../fixture/real.ts'
import { startOrdering, until } from './ordering.ts'

// Mostly waiting: for the authority, or for the next look at the clock.
t.jobs = 4

const minutes = 60_000

t.test('the first order gives certificate, chain and key in one file that only we may read', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { pebble, open, dir, asked, challenges } = await startOrdering(t)
  const acme = open()
  t.match(acme.state, { notAfter: undefined, lastProblem: undefined, names: ['pacs.example.org'] })
  await acme.came(1)

  const certificates = acme.pem().match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  t.equal(certificates.length, 2, 'the certificate and its chain')
  const [leaf, issuer] = certificates.map(pem => new X509Certificate(pem))
  const root = new X509Certificate(await pebble.root())
  t.ok(leaf && issuer && leaf.verify(issuer.publicKey) && issuer.verify(root.publicKey), 'a chain to the root')
  t.equal(leaf?.subjectAltName, 'DNS:pacs.example.org')
  t.equal(leaf?.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  const said: string[] = []
  const keystore = readKeystore({ certificate: acme.file }, Date.now(), (key, message, severity) => {
    if (severity === undefined) said.push(`${key}: ${message}`)
  })
  t.equal(keystore?.certificate.fingerprint256, leaf?.fingerprint256, 'a listener can open it as it stands')
  t.same(said, [])

  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  t.same(files.map(({ name }) => name).toSorted(), ['account.key', 'certificate.pem'], 'no draft stays behind')
  for (const { name, parentPath } of files) t.equal(statSync(join(parentPath, name)).mode & 0o777, 0o600, name)
  t.equal(statSync(dirname(acme.file)).mode & 0o077, 0, 'nor may others look into the folder')

  const { notAfter, nextTry, lastProblem } = acme.state
  t.equal(notAfter, leaf?.validToDate.getTime())
  const left = (notAfter ?? 0) - nextTry
  t.ok(left >= 10 * minutes * 0.33 && left <= 10 * minutes * 0.37, `renewal with ${left} ms of ten minutes left`)
  t.equal(lastProblem, undefined)
  t.match(acme.told, [{ level: 'info', message: 'a new certificate has come', names: ['pacs.example.org'] }])
  t.notMatch(JSON.stringify(acme.told), /PRIVATE KEY/)
  t.equal(asked.length > 0, true, 'the authority looked at the plain listener')
  t.equal(challenges.answer(asked[0] ?? ''), undefined, 'and its token is gone')
  t.same(pebble.counts(), { accounts: 1, orders: 1, certificates: 1 })
})

t.test('a restart keeps account and certificate, and orders nothing', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { pebble, open } = await startOrdering(t)
  const first = open()
  await first.came(1)
  const pem = first.pem()
  await first.close()

  const second = open()
  t.equal(second.state.notAfter, first.state.notAfter, 'known from the start')
  t.ok(second.state.nextTry > Date.now() + 5 * minutes)
  t.same(second.state.nextTry, first.state.nextTry, 'and due at the same moment as before')
  await second.close()
  t.equal(second.pem(), pem)
  t.same(pebble.counts(), { accounts: 1, orders: 1, certificates: 1 })
})

t.test('at a third of its lifetime left it is renewed with a new key, by the same account', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { pebble, open, move, dir } = await startOrdering(t)
  const acme = open()
  await acme.came(1)
  const before = acme.pem()
  const account = readdirSync(dir, { recursive: true }).find(name => String(name).endsWith('account.key'))
  const accountKey = readFileSync(join(dir, String(account)), 'utf8')

  move(acme.state.nextTry - Date.now() - 10_000)
  t.same(pebble.counts().orders, 1)
  move(10_500)
  await acme.came(2)
  const after = acme.pem()
  t.not(after, before)
  const keyOf = (pem: string) => /-----BEGIN PRIVATE KEY-----[^-]*/.exec(pem)?.[0]
  t.ok(keyOf(after) !== undefined && keyOf(after) !== keyOf(before), 'a new key')
  t.equal(readFileSync(join(dir, String(account)), 'utf8'), accountKey)
  t.same(pebble.counts(), { accounts: 1, orders: 2, certificates: 2 })
})

t.test('several names are proven, and stand in one certificate', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { open, asked } = await startOrdering(t)
  const names = ['pacs.example.org', 'viewer.example.org', 'xn--bcher-kva.example', 'omero']
  const acme = open({ names })
  await acme.came(1)
  t.equal(new X509Certificate(acme.pem()).subjectAltName, names.map(name => `DNS:${name}`).join(', '))
  t.equal(new Set(asked).size, 4, 'each had a token of its own')
})

t.test(
  'names that changed in the configuration are ordered at once, and the old certificate stays until then',
  async t => {
    if (!requireReal(t, pebbleTools)) return
    const { pebble, open } = await startOrdering(t)
    const first = open()
    await first.came(1)
    const before = first.state.notAfter
    await first.close()

    const more = open({ names: ['pacs.example.org', 'viewer.example.org'] })
    t.equal(more.state.notAfter, before, 'it is in use meanwhile')
    t.ok(more.state.nextTry <= Date.now())
    await more.came(1)
    t.equal(new X509Certificate(more.pem()).subjectAltName, 'DNS:pacs.example.org, DNS:viewer.example.org')
    await more.close()

    const fewer = open()
    await fewer.came(1)
    t.equal(new X509Certificate(fewer.pem()).subjectAltName, 'DNS:pacs.example.org')
    t.same(pebble.counts(), { accounts: 1, orders: 3, certificates: 3 })
  },
)

t.test('once a name is proven, its token leads to https like everything else', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { open, plain, asked } = await startOrdering(t)
  await open().came(1)
  const answer = await fetch(`${plain}/.well-known/acme-challenge/${asked.at(-1)}`, { redirect: 'manual' })
  t.equal(answer.status, 301)
})

t.test('an account that the authority binds to a customer is made with that key', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { Secret } = await import('../../src/kernel/secret.ts')
  const key = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W'
  const { open, pebble } = await startOrdering(t, { customers: { 'clinic-1': key } })
  const stranger = open({ names: ['stranger.example.org'] })
  await until(
    'the order failed',
    () => stranger.told.length > 0,
    () => stranger.state,
  )
  t.match(stranger.state.lastProblem?.message, /externalAccountRequired/)
  const wrong = open({
    names: ['wrong.example.org'],
    eab: { kid: 'clinic-1', key: { env: 'K' } },
    bindingKey: new Secret(Buffer.from('another').toString('base64url')),
  })
  await until(
    'the order failed',
    () => wrong.told.length > 0,
    () => wrong.state,
  )
  t.equal(pebble.counts().accounts, 0)
  const acme = open({ eab: { kid: 'clinic-1', key: { env: 'K' } }, bindingKey: new Secret(`${key}\n`) })
  await acme.came(1)
  t.equal(pebble.counts().accounts, 1)
  t.notMatch(JSON.stringify([...acme.told, ...wrong.told]), /zWNDZM/)
})

t.test('a changed e-mail address is told to the account that is there', async t => {
  if (!requireReal(t, pebbleTools)) return
  const { open, pebble } = await startOrdering(t)
  const first = open()
  await first.came(1)
  await first.close()
  const second = open({ email: 'it@example.org', names: ['viewer.example.org'] })
  await second.came(1)
  t.equal(pebble.counts().accounts, 1)
  t.match(second.told, [{ level: 'info' }])
  t.equal(pebble.log().match(/POST \/my-account\/ /g)?.length, 1)
})
