import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type Authority,
  authorityFiles,
  authorityFingerprint,
  makeAuthority,
  openAuthority,
} from '../../src/issuer/authority.ts'
import { describeCertificates } from '../../src/issuer/describe.ts'
import { generateKeys, privateKeyPem } from '../../src/issuer/keys.ts'
import { issueClient, issueServer } from '../../src/issuer/leaf.ts'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'

const ledger = openLedger(join(t.testdir(), ledgerFile))
t.teardown(() => ledger[Symbol.dispose]())

const modeOf = (file: string) => statSync(file).mode & 0o777
const ofAuthority = ({ fingerprint }: Authority) => ledger.list().filter(({ authority }) => authority === fingerprint)
const empty = (t: Pick<Test, 'testdir'>) => join(t.testdir(), 'authority')

t.test('an authority is made closed: directory 0700, key 0600, and nothing left over', async t => {
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const dir = empty(t)
  await makeAuthority(dir)
  t.equal(modeOf(dir), 0o700)
  t.equal(modeOf(authorityFiles(dir).key), 0o600)
  t.same(readdirSync(dir).sort(), ['ca.key', 'ca.pem'], 'no drafts')
})

t.test('it may sign leaves and revocation lists for ten years, and nothing below it may sign', async t => {
  for (const [curve, bits] of [
    ['ec-p256', 256],
    ['ec-p384', 384],
  ] as const) {
    const dir = join(t.testdir(), curve)
    const { certificatePem } = await makeAuthority(dir, { name: 'Praxis Dr. Müller, CA', curve })
    const [facts] = await describeCertificates(Buffer.from(certificatePem))
    t.match(facts, { commonName: 'Praxis Dr. Müller, CA', isAuthority: true, key: { type: 'ec', bits } })
    t.equal(facts?.signatureAlgorithm, `ecdsa-with-SHA${bits}`)
    const years = (Number(facts?.notAfter) - Date.now()) / 86_400_000 / 365.25
    t.ok(years > 9.98 && years < 10.02, `${years} years`)
  }
})

t.test('what exists is never overwritten, and the refusal names the path', async t => {
  const dir = empty(t)
  await makeAuthority(dir)
  const { key, certificate } = authorityFiles(dir)
  const before = [readFileSync(key, 'utf8'), readFileSync(certificate, 'utf8')]
  await t.rejects(makeAuthority(dir), { name: 'IssuerRefusal', code: 'file-exists', message: key })
  t.same([readFileSync(key, 'utf8'), readFileSync(certificate, 'utf8')], before)
})

t.test('half an authority is not completed: its key may have signed already', async t => {
  const dir = t.testdir({ 'ca.pem': 'what a restore left' })
  await t.rejects(makeAuthority(dir), { code: 'file-exists', message: join(dir, 'ca.pem') })
  t.notOk(existsSync(join(dir, 'ca.key')))
})

t.test('of two commands at the same time one wins and the other is refused', async t => {
  const dir = empty(t)
  const both = await Promise.allSettled([makeAuthority(dir), makeAuthority(dir)])
  t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.doesNotThrow(() => openAuthority(dir), 'and what is on the disk belongs together')
})

t.test('a directory with other things in it, open to others, is neither taken nor closed', async t => {
  const dir = t.testdir({ 'nginx.conf': '' })
  chmodSync(dir, 0o755)
  await t.rejects(makeAuthority(dir), { code: 'directory-shared', message: dir })
  t.equal(modeOf(dir), 0o755)
  t.same(readdirSync(dir), ['nginx.conf'])
})

t.test('an empty directory that is open to others is closed', async t => {
  const dir = empty(t)
  mkdirSync(dir)
  chmodSync(dir, 0o755)
  await makeAuthority(dir)
  t.equal(modeOf(dir), 0o700)
})

t.test('with a password the key file is encrypted, and only that password opens it', async t => {
  const dir = empty(t)
  await makeAuthority(dir, { password: 'größer als 5' })
  const pem = readFileSync(authorityFiles(dir).key, 'utf8')
  t.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
  t.notMatch(pem, /-----BEGIN PRIVATE KEY-----/)
  const opened = openAuthority(dir, { password: 'größer als 5' })
  t.ok((await issueClient(opened, ledger, { name: 'alice' })).serial)
  t.throws(() => openAuthority(dir), { code: 'authority-password' })
  t.throws(() => openAuthority(dir, { password: 'wrong' }), { code: 'authority-password', message: 'ca.key' })
  await t.rejects(makeAuthority(join(dir, 'other'), { password: '' }), { code: 'password-empty' })
})

t.test('an opened key can sign and cannot be taken out', async t => {
  const dir = empty(t)
  for (const { key } of [await makeAuthority(dir), openAuthority(dir)]) {
    t.equal(key.extractable, false)
    await t.rejects(crypto.subtle.exportKey('pkcs8', key))
  }
})

t.test('what is not an authority is not opened as one', async t => {
  const dir = empty(t)
  t.throws(() => openAuthority(dir), { code: 'authority-missing', message: join(dir, 'ca.pem') })

  const authority = await makeAuthority(dir)
  const leaf = await issueServer(authority, ledger, { names: ['gw.example'] })
  const other = privateKeyPem((await generateKeys('ec-p256')).privateKey)
  const cases = {
    leaf: { 'ca.pem': leaf.certificatePem, 'ca.key': leaf.keyPem },
    'the key of another': { 'ca.pem': authority.certificatePem, 'ca.key': other },
    'no certificate': { 'ca.pem': 'hello', 'ca.key': other },
    'no key': { 'ca.pem': authority.certificatePem, 'ca.key': 'hello' },
    'an empty key, as a crash may leave it': { 'ca.pem': authority.certificatePem, 'ca.key': '' },
  }
  for (const [name, files] of Object.entries(cases)) {
    t.test(name, async t => {
      t.throws(() => openAuthority(t.testdir(files)), { name: 'IssuerRefusal', code: 'authority-unreadable' })
    })
  }
})

t.test('an authority past its end issues nothing', async t => {
  const dir = empty(t)
  const authority = await makeAuthority(dir, { days: 10, now: new Date(Date.now() - 11 * 86_400_000) })
  t.throws(() => openAuthority(dir), { code: 'authority-expired' })
  await t.rejects(issueClient(authority, ledger, { name: 'alice' }), { code: 'authority-expired' })
  t.same(ofAuthority(authority), [])
})

t.test('every certificate is in the ledger, in order, by the time its holder has it', async t => {
  const authority = await makeAuthority(empty(t))
  const server = await issueServer(authority, ledger, { names: ['gw.example', 'gw2.example'] })
  const client = await issueClient(authority, ledger, { name: 'Müller, "Ä"\\' })
  t.match(ofAuthority(authority), [
    {
      serial: server.serial,
      kind: 'server',
      name: 'gw.example',
      subject: 'CN=gw.example',
      notAfter: server.notAfter.toISOString(),
    },
    { serial: client.serial, kind: 'client', name: 'Müller, "Ä"\\', subject: 'CN=Müller\\, \\"Ä\\"\\\\' },
  ])
  const [facts] = await describeCertificates(Buffer.from(server.certificatePem))
  t.equal(ofAuthority(authority)[0]?.sha256, facts?.sha256)
})

t.test('a certificate that the ledger cannot take down does not leave the house', async t => {
  const authority = await makeAuthority(empty(t))
  const full = {
    record: () => {
      throw new Error('disk full')
    },
  }
  await t.rejects(issueClient(authority, full, { name: 'alice' }), { message: 'disk full' })
})

t.test(
  'the name of an authority in the ledger is the fingerprint of its certificate, with and without its key',
  async t => {
    const dir = empty(t)
    const made = await makeAuthority(dir, { password: 'locked away' })
    const [facts] = await describeCertificates(Buffer.from(made.certificatePem))
    t.equal(made.fingerprint, facts?.sha256.replaceAll(':', ''))
    t.equal(authorityFingerprint(dir), made.fingerprint)
    t.equal(openAuthority(dir, { password: 'locked away' }).fingerprint, made.fingerprint)
  },
)
