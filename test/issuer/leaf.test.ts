import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeAuthority, openAuthority } from '../../src/issuer/authority.ts'
import { describeCertificates } from '../../src/issuer/describe.ts'
import { keyKinds } from '../../src/issuer/keys.ts'
import { issueClient, issueServer } from '../../src/issuer/leaf.ts'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'

const ledger = openLedger(join(t.testdir(), ledgerFile))
t.teardown(() => ledger[Symbol.dispose]())

const day = 86_400_000

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function verify(caFile: string, certFile: string, ...more: string[]) {
  const { status, stdout, stderr } = spawnSync(
    'openssl',
    ['verify', '-x509_strict', ...more, '-CAfile', caFile, certFile],
    { encoding: 'utf8' },
  )
  return { ok: status === 0, said: stdout + stderr }
}

const factsOf = async (pem: string) => {
  const [facts] = await describeCertificates(Buffer.from(pem))
  if (facts === undefined) throw new Error('no certificate')
  return facts
}

const authorityIn = (t: Pick<Test, 'testdir'>, days?: number) => {
  return makeAuthority(join(t.testdir(), 'ca'), days === undefined ? {} : { days })
}

t.test('openssl takes a server certificate for a server of these names, and for nothing else', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { server, caFile } = await startAuthority(t)
  for (const key of keyKinds) {
    const { certFile } = await server(['gw.example', '*.lab.example', 'localhost'], ['127.0.0.1', '::1'], { key })
    t.match(verify(caFile, certFile, '-purpose', 'sslserver', '-verify_hostname', 'gw.example'), { ok: true }, key)
    t.match(verify(caFile, certFile, '-verify_hostname', 'x.lab.example'), { ok: true })
    t.match(verify(caFile, certFile, '-verify_ip', '127.0.0.1'), { ok: true })
    t.match(verify(caFile, certFile, '-verify_ip', '::1'), { ok: true })
    t.match(verify(caFile, certFile, '-verify_hostname', 'other.example'), { ok: false, said: /hostname mismatch/i })
    t.match(verify(caFile, certFile, '-purpose', 'sslclient'), { ok: false, said: /purpose/ })
  }
})

t.test('a node that also connects to others may have a certificate for both', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { server, caFile } = await startAuthority(t)
  const { certFile } = await server(['node.example'], [], { clientAuth: true })
  for (const purpose of ['sslserver', 'sslclient']) t.match(verify(caFile, certFile, '-purpose', purpose), { ok: true })
})

t.test('openssl takes a client certificate for a client, and for nothing else', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { client, rogueClient, caFile } = await startAuthority(t)
  for (const key of keyKinds) {
    const { certFile } = await client('alice', { email: 'alice@example.org', key })
    t.match(verify(caFile, certFile, '-purpose', 'sslclient', '-verify_email', 'alice@example.org'), { ok: true }, key)
    t.match(verify(caFile, certFile, '-purpose', 'sslserver'), { ok: false, said: /purpose/ })
  }
  const rogue = await rogueClient('alice')
  t.match(verify(caFile, rogue.certFile), { ok: false }, 'the same name under another key is not the authority')
})

t.test('openssl reads out of it what was put in', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { server, client } = await startAuthority(t)
  const { certFile, serial } = await server(['gw.example', 'münchen.example'], ['::ffff:1.2.3.4'])
  const text = openssl('x509', '-in', certFile, '-noout', '-text')
  t.match(text, /Basic Constraints: critical\s+CA:FALSE/)
  t.match(text, /Key Usage: critical\s+Digital Signature\n/)
  t.match(text, /Extended Key Usage: \s+TLS Web Server Authentication\n/)
  t.match(text, 'DNS:gw.example, DNS:xn--mnchen-3ya.example, IP Address:0:0:0:0:0:FFFF:102:304')
  t.match(text, /Subject Key Identifier: \s+[0-9A-F:]{59}\n/)
  t.match(text, /Authority Key Identifier: \s+[0-9A-F:]{59}\n/)
  t.equal(openssl('x509', '-in', certFile, '-noout', '-serial').trim(), `serial=${serial}`)

  const rsa = await client('alice', { key: 'rsa-2048' })
  t.match(openssl('x509', '-in', rsa.certFile, '-noout', '-text'), /Key Usage: critical\s+Digital Signature\n/)
  t.match(openssl('pkey', '-in', rsa.keyFile, '-noout', '-text'), /Private-Key: \(2048 bit/)
})

t.test('a name with syntax in it stays one value, for us and for openssl', async t => {
  const { client } = await startAuthority(t)
  for (const name of [
    'a, CN=admin',
    'a/CN=admin',
    'a+CN=admin',
    'CN=admin',
    '#0c0561646d696e',
    '\\2cCN=admin',
    '"a", CN="admin"',
    '<a>;b',
  ]) {
    const { certPem, certFile } = await client(name)
    t.equal((await factsOf(certPem)).commonName, name)
    t.equal(new X509Certificate(certPem).toLegacyObject().subject.CN, name)
    if (!requireReal(t, ['openssl'])) return
    const lines = openssl('x509', '-in', certFile, '-noout', '-subject', '-nameopt', 'multiline,-esc_msb,utf8')
      .trim()
      .split('\n')
    t.equal(lines.length, 2, 'one attribute')
    t.match(lines[1], /^ +commonName += /)
  }
})

t.test('a name that cannot be one value is refused before a key is made', async t => {
  const authority = await authorityIn(t)
  for (const name of ['', ' ', 'a\0b', 'a\nCN=admin', 'a\u202eb', 'x'.repeat(65)]) {
    await t.rejects(issueClient(authority, ledger, { name }), { code: 'name-invalid' }, JSON.stringify(name))
  }
  await t.rejects(issueClient(authority, ledger, { name: 'alice', email: 'alice@b, DNS:admin.example' }), {
    code: 'name-invalid',
  })
  for (const name of ['', 'a b', 'gw.example, DNS:admin.example', 'gw\0.example', 'gw\n']) {
    await t.rejects(issueServer(authority, ledger, { names: [name] }), { code: 'name-invalid' }, JSON.stringify(name))
  }
  await t.rejects(issueServer(authority, ledger, { names: ['gw.example'], ips: ['gw'] }), { code: 'name-invalid' })
})

t.test('serials are 128 bits, positive, and not the same twice', async t => {
  const authority = await authorityIn(t)
  const serials = await Promise.all(
    Array.from({ length: 40 }, async () => (await issueClient(authority, ledger, { name: 'alice' })).serial),
  )
  t.equal(new Set(serials).size, serials.length)
  for (const serial of serials) t.match(serial, /^[4-7][0-9A-F]{31}$/)
})

t.test('a certificate begins five minutes ago and ends when it was asked to', async t => {
  const authority = await authorityIn(t)
  const now = new Date()
  const lifeOf = (made: { notBefore: Date; notAfter: Date }) => [
    Math.round((Number(made.notBefore) - Number(now)) / 60_000),
    Math.round((Number(made.notAfter) - Number(now)) / day),
  ]
  t.same(lifeOf(await issueServer(authority, ledger, { names: ['gw.example'], now })), [-5, 397])
  t.same(lifeOf(await issueClient(authority, ledger, { name: 'alice', now })), [-5, 825])
  const short = await issueClient(authority, ledger, { name: 'alice', days: 30, now })
  t.same(lifeOf(short), [-5, 30])
  const facts = await factsOf(short.certificatePem)
  t.same([facts.notBefore, facts.notAfter], [short.notBefore, short.notAfter], 'what is said is what is written')
})

t.test('no certificate outlives its authority', async t => {
  const authority = await authorityIn(t, 100)
  const { notAfter } = await issueClient(authority, ledger, { name: 'alice', days: 825 })
  t.same(notAfter, authority.certificate.notAfter)
})

t.test('a life that makes no sense, or that Apple devices refuse, is not given', async t => {
  const authority = await authorityIn(t)
  for (const days of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    await t.rejects(issueClient(authority, ledger, { name: 'alice', days }), { code: 'lifetime-invalid' }, String(days))
  }
  await t.rejects(issueServer(authority, ledger, { names: ['gw.example'], days: 826 }), {
    code: 'lifetime-invalid',
    message: /825/,
  })
})

t.test('an RSA authority that a site brought along can issue too', async t => {
  if (!requireReal(t, ['openssl'])) return
  const dir = t.testdir()
  const [key, cert] = [join(dir, 'ca.key'), join(dir, 'ca.pem')]
  // An identifier that is no digest of the key, as some commercial software makes them.
  const extensions = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=01:02:03\n'
  writeFileSync(join(dir, 'ca.cnf'), `[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\n${extensions}`)
  const request = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/C=DE/O=Klinik, Nord/CN=Root']
  openssl('req', ...request, '-config', join(dir, 'ca.cnf'), '-keyout', key, '-out', cert)
  const made = await issueServer(openAuthority(dir), ledger, { names: ['gw.example'] })
  t.match(await factsOf(made.certificatePem), {
    signatureAlgorithm: 'sha256WithRSAEncryption',
    issuer: 'CN=Root,O=Klinik\\, Nord,C=DE',
  })
  writeFileSync(join(dir, 'leaf.pem'), made.certificatePem)
  t.match(
    verify(cert, join(dir, 'leaf.pem'), '-purpose', 'sslserver'),
    { ok: true },
    'also with a key identifier of its own making',
  )
})
