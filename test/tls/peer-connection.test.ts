// The connection to a server that we call: judged each time, shown our certificate, ended in time.
import { execFileSync } from 'node:child_process'
import { createServer as createPlainServer, type Server } from 'node:net'
import { createServer } from 'node:tls'
import t from 'tap'
import { connectPeer } from '../../src/tls/connect-peer.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { authorityWish, labTools, sha256Of, startPeerLab, startTlsPeer } from './peer-lab.ts'
import { readTrust, trustOf } from './trusted.ts'

if (!requireReal(t, labTools)) process.exit(0)

const lab = startPeerLab(t)
const root = lab.make(authorityWish('/CN=Peer Root'))
const rootFile = root.certFile
const wish = { extensions: ['basicConstraints=critical,CA:FALSE', 'subjectAltName=IP:127.0.0.1'], by: root }
const [honest, next] = [lab.make(wish), lab.make(wish)]
const pinned = `sha256:${sha256Of(honest.cert)}`

async function portOf(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  return address === null || typeof address === 'string' ? 0 : address.port
}

t.test('an expired certificate: refused by its chain, believed by its pin, with a warning', async t => {
  const authority = await startAuthority(t)
  const ended = await authority.server(['localhost'], ['127.0.0.1'], {
    now: new Date(Date.now() - 90 * 86_400_000),
    days: 30,
  })
  const { port } = await startTlsPeer(t, { cert: ended.chainPem, key: ended.keyPem })
  const warned: string[] = []
  const connect = (written: object) =>
    connectPeer({ host: '127.0.0.1', port }, trustOf(written), { timeout: 3_000, warn: text => warned.push(text) })
  const pins = [`sha256:${sha256Of(ended.certPem)}`]
  await t.rejects(connect({ ca: authority.caFile }), { check: 'chain', message: /it expired on .* \(CERT_HAS_EXPIRED/ })
  await t.rejects(connect({ ca: authority.caFile, pins }), { check: 'chain', message: /expired/ })
  t.same(warned, [])
  const socket = await connect({ pins })
  socket.destroy()
  t.match(warned, [/^it expired on /])
})

t.test('a very long certificate is looked into only where it has proved itself', async t => {
  const long = lab.make({ ...wish, extensions: [...wish.extensions, `nsComment=${'x'.repeat(20_000)}`] })
  const there = await startTlsPeer(t, { cert: long.cert, key: long.key })
  const connect = (written: object) =>
    connectPeer({ host: '127.0.0.1', port: there.port }, trustOf(written), { timeout: 3_000 })
  const tooLong = { check: 'chain', message: /not trusted, and with 20\d{3} bytes too long to be looked into/ }
  const stranger = lab.make(authorityWish('/CN=Another Root'))
  await t.rejects(connect({ ca: stranger.certFile }), tooLong)
  await t.rejects(connect({ ca: stranger.certFile, pins: [`sha256:${sha256Of(long.cert)}`] }), tooLong)
  await t.rejects(connect({ pins: [pinned] }), tooLong)
  t.equal(there.received, '', 'nothing was said to it')
  for (const written of [{ ca: rootFile }, { pins: [`sha256:${sha256Of(long.cert)}`] }])
    (await connect(written)).destroy()
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`${version}: a server that gives tickets is judged anew on each connection`, async t => {
    const there = await startTlsPeer(t, {
      cert: honest.cert,
      key: honest.key,
      minVersion: version,
      maxVersion: version,
    })
    const trust = trustOf({ ca: rootFile, pins: [pinned] })
    const connect = () => connectPeer({ host: '127.0.0.1', port: there.port }, trust, { timeout: 3_000 })
    for (let times = 0; times < 3; times++) {
      const socket = await connect()
      const ticket = new Promise(resolve => socket.once('session', resolve))
      socket.write('x')
      if (version === 'TLSv1.3') await ticket
      t.equal(socket.isSessionReused(), false)
      t.equal(socket.getProtocol(), version)
      await new Promise(resolve => socket.resume().once('close', resolve))
    }
    there.show({ cert: next.cert, key: next.key })
    const before = there.received
    await t.rejects(connect(), { check: 'pin', message: /fingerprint mismatch/ })
    t.equal(there.received, before, 'nothing was said to it')
  })
}

t.test('a handshake that stalls ends in time, and one that is called off ends at once', async t => {
  const port = await portOf(createPlainServer(() => undefined))
  const connect = (approach: { timeout: number; signal?: AbortSignal }) =>
    connectPeer({ host: '127.0.0.1', port }, trustOf({ ca: rootFile }), approach)
  await t.rejects(connect({ timeout: 50 }), { code: 'ETIMEDOUT', message: /no connection within 50 ms/ })
  const leaving = new AbortController()
  const called = connect({ timeout: 5_000, signal: leaving.signal })
  leaving.abort(new Error('gone'))
  await t.rejects(called, { message: 'gone' })
  await t.rejects(connect({ timeout: 5_000, signal: leaving.signal }), { message: 'gone' }, 'before it began')
})

t.test('a client certificate is shown: PEM pair, one PEM, PKCS#12, with and without a password', async t => {
  const authority = await startAuthority(t)
  const client = await authority.client('gateway', { p12Password: 'sesame' })
  const sealed = `${client.keyFile}.sealed`
  const seal = [
    'pkcs8',
    '-topk8',
    '-in',
    client.keyFile,
    '-out',
    sealed,
    '-v2',
    'aes-256-cbc',
    '-passout',
    'pass:sesame',
  ]
  execFileSync('openssl', seal, { stdio: 'pipe' })
  const both = lab.put('both.pem', client.keyPem, client.chainPem)
  const seen: (string | undefined)[] = []
  const server = createServer(
    { cert: honest.cert, key: honest.key, ca: authority.caPem, requestCert: true },
    socket => {
      seen.push(socket.getPeerX509Certificate()?.subject)
      socket.end()
    },
  ).on('tlsClientError', () => undefined)
  const port = await portOf(server)
  const forms: Record<string, [object, password?: string]> = {
    'CertificateFile and CertificateKeyFile': [{ certificate: client.certFile, key: client.keyFile }],
    'an empty CertificateKeyPassword is none': [{ certificate: client.certFile, key: client.keyFile }, ''],
    'an encrypted key': [{ certificate: client.certFile, key: sealed, password: { env: 'P' } }, 'sesame'],
    'one PEM, the key first': [{ certificate: both }],
    'PKCS#12': [{ certificate: client.p12File, password: { env: 'P' } }, 'sesame'],
  }
  for (const [title, [written, password]] of Object.entries(forms)) {
    const trust = trustOf({ ca: rootFile, ...written }, password)
    const socket = await connectPeer({ host: '127.0.0.1', port }, trust, { timeout: 3_000 })
    await new Promise(resolve => socket.resume().once('close', resolve))
    t.equal(seen.at(-1), 'CN=gateway', title)
  }
  t.match(readTrust({ certificate: client.certFile, key: sealed }, 'wrong').said, [
    /^password: the password does not open the key/,
  ])
  t.match(readTrust({ certificate: client.certFile, key: sealed }).said, [/^password: the key is encrypted/])
})

t.test('two trusts compare as JSON, and hold no key there', async t => {
  const authority = await startAuthority(t)
  const [one, two] = [await authority.client('one'), await authority.client('two')]
  const written = (pair: { certFile: string; keyFile: string }) =>
    JSON.stringify(trustOf({ ca: rootFile, certificate: pair.certFile, key: pair.keyFile, only: 'CN=a' }))
  t.equal(written(one), written(one), 'the same files')
  t.not(written(one), written(two), 'another certificate of ours')
  t.not(written(one), JSON.stringify(trustOf({ ca: rootFile, only: 'CN=a' })))
  t.not(JSON.stringify(trustOf({ ca: rootFile })), JSON.stringify(trustOf({ ca: one.certFile })), 'another authority')
  t.notMatch(written(one), 'PRIVATE KEY')
})
