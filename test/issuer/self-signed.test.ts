import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { makeAuthority } from '../../src/issuer/authority.ts'
import { describeCertificates } from '../../src/issuer/describe.ts'
import { issueClient, issueServer } from '../../src/issuer/leaf.ts'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { makeSelfSigned } from '../../src/issuer/self-signed.ts'

const ledger = openLedger(join(t.testdir(), ledgerFile))
t.teardown(() => ledger[Symbol.dispose]())

t.test('a throw-away certificate is EC, SHA-256, no authority, and of the names that were asked for', async t => {
  const { certificatePem, keyPem } = await makeSelfSigned(['localhost', '127.0.0.1'], ['::1'])
  const [facts] = await describeCertificates(Buffer.from(certificatePem))
  t.match(facts, {
    subject: 'CN=localhost',
    issuer: 'CN=localhost',
    dns: ['localhost'],
    addresses: ['127.0.0.1', '::1'],
    isAuthority: false,
    purposes: ['serverAuth'],
    key: { type: 'ec', bits: 256 },
    signatureAlgorithm: 'ecdsa-with-SHA256',
  })
  const days = (Number(facts?.notAfter) - Date.now()) / 86_400_000
  t.ok(days > 89 && days < 91, `${days} days`)
  t.ok(facts && Number(facts.notBefore) < Date.now() - 4 * 60_000, 'and it began a little ago')
  t.ok(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem)))
})

t.test('an address alone will do, and a name with syntax in it will not', async t => {
  const [facts] = await describeCertificates(Buffer.from((await makeSelfSigned(['::1'])).certificatePem))
  t.match(facts, { commonName: '::1', dns: [], addresses: ['::1'] })
  for (const name of ['gw, O=Hospital', 'gw+CN=admin', '', 'a\nb']) {
    await t.rejects(makeSelfSigned([name]), { code: 'name-invalid' })
  }
})

t.test('the authority issues the same before and after: two releases of one library live side by side', async t => {
  // `selfsigned` brings an older @peculiar/x509, and both register their algorithms in one place.
  const authority = await makeAuthority(join(t.testdir(), 'ca'))
  for (const key of ['ec-p256', 'ec-p384', 'rsa-2048'] as const) {
    await makeSelfSigned(['localhost'])
    const made = [
      await issueServer(authority, ledger, { names: ['gw.example'], key }),
      await issueClient(authority, ledger, { name: 'alice', key }),
    ]
    for (const { certificatePem } of made) {
      const certificate = new X509Certificate(certificatePem)
      t.ok(certificate.verify(new X509Certificate(authority.certificatePem).publicKey), key)
      t.match((await describeCertificates(Buffer.from(certificatePem)))[0], { signatureAlgorithm: 'ecdsa-with-SHA256' })
    }
  }
})
