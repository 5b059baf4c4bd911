// Each odd certificate is odd in the way that its row says: a real handshake tells.
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { labPkiTools, startLabPki } from '../fixture/lab-pki.ts'
import { oddCertificateTools, oddNames, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'

/** Shakes hands with a server that trusts `ca` only, and says what that server thinks of the certificate. */
async function startJudge(t: Test, ca: string) {
  const { server: pair, ca: serverCa } = startLabPki(t)
  // false: the verdict is what this test is about; a server that turned the connection away could not tell it.
  const server = createServer({ ...pair, ca, requestCert: true, rejectUnauthorized: false })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  // Safe: the server listens on a TCP port.
  const { port } = server.address() as AddressInfo
  return async (cert: string, key: string) => {
    // SECLEVEL=0 lets the client load what is too weak to be shown.
    const terms = { ciphers: 'DEFAULT:@SECLEVEL=0', servername: 'localhost', port, ca: serverCa, cert, key }
    const client = connect(terms).on('error', () => {})
    const [socket] = (await once(server, 'secureConnection')) as [TLSSocket]
    const { authorized, authorizationError } = socket.on('error', () => {})
    const shown = socket.getPeerX509Certificate()?.fingerprint256
    socket.destroy()
    client.destroy()
    return { verdict: authorized ? 'OK' : String(authorizationError), shown }
  }
}

t.test('OpenSSL says of each what its row says', async t => {
  if (!requireReal(t, [...labPkiTools, ...oddCertificateTools])) return
  const certificates = await startOddCertificates(t)
  const judge = await startJudge(t, certificates.caPem)
  for (const name of oddNames) {
    const { chainPem, certPem, keyPem, node } = certificates.get(name)
    t.same(await judge(chainPem, keyPem), { verdict: node, shown: new X509Certificate(certPem).fingerprint256 }, name)
  }
})

t.test('where Node has no word, openssl verify gives the reason', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const certificates = await startOddCertificates(t)
  const dir = t.testdir()
  const put = (name: string, pem: string) => {
    writeFileSync(join(dir, name), pem)
    return join(dir, name)
  }
  const ca = put('ca.pem', certificates.caPem)
  for (const name of oddNames) {
    const { chainPem, certPem, node, verify } = certificates.get(name)
    t.equal(verify !== undefined, node === 'UNSPECIFIED', `${name} has a reason`)
    if (verify === undefined) continue
    const files = ['-untrusted', put('chain.pem', chainPem), put('leaf.pem', certPem)]
    const { stderr } = spawnSync(
      'openssl',
      ['verify', '-CAfile', ca, '-purpose', 'sslclient', '-auth_level', '2', ...files],
      { encoding: 'utf8' },
    )
    t.match(stderr, `lookup: ${verify}\n`, name)
  }
})

t.test('the same name gives the same certificate, and authorities are those of the table', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const certificates = await startOddCertificates(t)
  t.equal(certificates.get('expired').certPem, certificates.get('expired').certPem)
  t.not(certificates.get('sound').keyPem, certificates.get('chain-of-2').keyPem)
  t.equal(certificates.authority('ca').certPem, certificates.caPem)
  const [real, namesake] = [certificates.caPem, certificates.authority('namesake').certPem].map(
    pem => new X509Certificate(pem),
  )
  t.equal(namesake?.subject, real?.subject)
  t.not(namesake?.fingerprint256, real?.fingerprint256)
})

t.test('the odd names stand in the certificate as bytes', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const certificates = await startOddCertificates(t)
  const raw = (name: (typeof oddNames)[number]) =>
    new X509Certificate(certificates.get(name).certPem).raw.toString('latin1')
  // UTF8String, length, text
  t.match(raw('name-with-nul'), '\x0c\x0badmin\0alice')
  t.match(raw('name-with-newline'), '\x0c\x0balice\nadmin')
  t.match(raw('name-with-comma'), '\x0c\x0falice, CN=admin')
  t.match(raw('name-with-slash'), '\x0c\x0dadmin/CN=user')
  t.match(raw('name-with-plus'), '\x0c\x0ealice+CN=admin')
  t.match(raw('look-alike'), '\x0c\x06\xd0\xb0lice')
  t.match(raw('bmp-string'), '\x1e\x0a\0a\0l\0i\0c\0e')
  const subject = (name: (typeof oddNames)[number]) => new X509Certificate(certificates.get(name).certPem).subject
  t.equal(subject('two-names'), 'CN=alice\nCN=admin')
  t.match(subject('multi-valued-name'), /^(CN=alice \+ OU=admins|OU=admins \+ CN=alice)$/)
  t.match(subject('two-names-in-one-rdn'), /^CN=(alice \+ CN=admin|admin \+ CN=alice)$/)
  t.notOk(subject('empty-subject'))
  t.equal(subject('no-common-name'), 'O=Lab')
})
