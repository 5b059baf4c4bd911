import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { describeCertificate, describeCertificates } from '../../src/issuer/describe.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'

const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** A certificate with whatever openssl can put into one. */
function strange(t: Pick<Test, 'testdir'>, { subject, extensions }: { subject: string; extensions: string }): string {
  const dir = t.testdir()
  const [config, key, cert] = [join(dir, 'x.cnf'), join(dir, 'x.key'), join(dir, 'x.pem')]
  const head = '[req]\ndistinguished_name=dn\nx509_extensions=ext\nutf8=yes\n'
  writeFileSync(config, `${head}string_mask=utf8only\n[dn]\n[ext]\n${extensions}`)
  const request = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-config', config]
  openssl('req', ...request, '-keyout', key, '-out', cert, '-subj', subject, '-multivalue-rdn')
  return readFileSync(cert, 'utf8')
}

t.test('fingerprints and pin are those that openssl computes', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { server } = await startAuthority(t)
  for (const key of ['ec-p256', 'ec-p384', 'rsa-2048'] as const) {
    const { certFile, certPem } = await server(['gw.example'], [], { key })
    const [facts] = await describeCertificates(readFileSync(certFile))
    const asked = (digest: string) =>
      openssl('x509', '-in', certFile, '-noout', '-fingerprint', digest).trim().split('=')[1]
    t.equal(facts?.sha1, asked('-sha1'))
    t.equal(facts?.sha256, asked('-sha256'))
    const spki = openssl('x509', '-in', certFile, '-noout', '-pubkey').replace(/-----.*-----|\n/g, '')
    const digest = createHash('sha256').update(Buffer.from(spki, 'base64')).digest('base64')
    t.equal(facts?.pin, `spki-sha256:${digest}`)
    t.equal(facts?.serial, new X509Certificate(certPem).serialNumber)
    t.equal(
      facts?.subject,
      openssl('x509', '-in', certFile, '-noout', '-subject', '-nameopt', 'RFC2253').trim().split('subject=')[1],
    )
  }
})

t.test('a PEM text gives all of its certificates, and never a key that stands with them', async t => {
  const { server, caPem } = await startAuthority(t)
  const { certPem, keyPem } = await server(['gw.example'], ['10.1.2.3', '2001:db8::1'])
  const found = await describeCertificates(
    Buffer.from(`\ufeff# our gateway\r\n${keyPem}${certPem.replaceAll('\n', '\r\n')}${caPem}`),
  )
  t.match(found, [
    {
      commonName: 'gw.example',
      dns: ['gw.example'],
      addresses: ['10.1.2.3', '2001:db8::1'],
      isAuthority: false,
      purposes: ['serverAuth'],
    },
    { commonName: 'Test Authority', isAuthority: true, purposes: [] },
  ])
  t.equal(found.length, 2)
  const secret = keyPem.split('\n')[1] ?? ''
  t.ok(secret.length > 40)
  t.notOk(JSON.stringify(found).includes(secret), 'nothing of the key')
})

t.test('DER gives the one certificate that it is', async t => {
  const { client } = await startAuthority(t)
  const { certPem, serial } = await client('alice', { email: 'alice@example.org', key: 'rsa-2048' })
  const der = new X509Certificate(certPem).raw
  t.match(await describeCertificates(der), [
    {
      serial,
      commonName: 'alice',
      emails: ['alice@example.org'],
      key: { type: 'rsa', bits: 2048 },
      purposes: ['clientAuth'],
    },
  ])
  t.same(describeCertificate(der), (await describeCertificates(der))[0])
})

t.test('names of every kind are kept apart, with commas and all', async t => {
  if (!requireReal(t, ['openssl'])) return
  const extensions = `subjectAltName=@names
[names]
DNS.1=gw.example
DNS.2=a, DNS:admin.example
IP.1=::ffff:1.2.3.4
IP.2=10.0.0.1
email.1=alice@example.org
URI.1=https://x.example/a,b
RID.1=1.2.3.4
dirName.1=dn1
otherName.1=1.3.6.1.4.1.311.20.2.3;UTF8:alice@lab.example
otherName.2=1.2.3.4;UTF8:not a principal
[dn1]
CN=somebody
`
  const pem = strange(t, { subject: '/CN=x', extensions })
  t.match(await describeCertificates(Buffer.from(pem)), [
    {
      dns: ['gw.example', 'a, DNS:admin.example'],
      addresses: ['::ffff:102:304', '10.0.0.1'],
      emails: ['alice@example.org'],
      uris: ['https://x.example/a,b'],
      upns: ['alice@lab.example'],
    },
  ])
})

t.test('a subject is written as RFC 4514 has it, whatever stands in it', async t => {
  if (!requireReal(t, ['openssl'])) return
  const cases = [
    ['/C=DE/O=Klinik, Nord/CN=alice', 'CN=alice,O=Klinik\\, Nord,C=DE', 'alice'],
    ['/O=X/CN=alice+serialNumber=7', 'serialNumber=7+CN=alice,O=X', 'alice'],
    ['/CN=alice/CN=admin', 'CN=admin,CN=alice', undefined],
    ['/CN=Jürgen <j\\/k>', 'CN=Jürgen \\<j/k\\>', 'Jürgen <j/k>'],
    ['/DC=example/UID=alice/emailAddress=a@b.example', 'emailAddress=a@b.example,UID=alice,DC=example', undefined],
    ['/CN=#1', 'CN=\\#1', '#1'],
    ['/O=nobody', 'O=nobody', undefined],
  ] as const
  for (const [subject, text, commonName] of cases) {
    const [facts] = await describeCertificates(Buffer.from(strange(t, { subject, extensions: '' })))
    t.equal(facts?.subject, text)
    t.equal(facts?.commonName, commonName, `${subject}: two names are none`)
  }
})

t.test('control characters in a name do not reach the terminal', async t => {
  if (!requireReal(t, ['openssl'])) return
  const [facts] = await describeCertificates(
    Buffer.from(strange(t, { subject: '/CN=a\u001b[2J\u202eb', extensions: '' })),
  )
  t.equal(facts?.subject, 'CN=a\\1b[2J\\e2\\80\\aeb')
})

t.test('what holds no certificate is refused as such', async t => {
  const refused = { name: 'IssuerRefusal', code: 'container-unreadable' }
  const { client } = await startAuthority(t)
  const { keyFile, certPem } = await client('alice')
  const der = new X509Certificate(certPem).raw
  const cases = {
    empty: Buffer.alloc(0),
    text: Buffer.from('hello'),
    'a key alone': readFileSync(keyFile),
    'DER cut short': der.subarray(0, 100),
    'random DER': Buffer.from('3003020100', 'hex'),
    'an endless length': Buffer.from('3084ffffffff00', 'hex'),
    'PEM around nonsense': Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
  }
  for (const [name, content] of Object.entries(cases)) await t.rejects(describeCertificates(content), refused, name)
})
