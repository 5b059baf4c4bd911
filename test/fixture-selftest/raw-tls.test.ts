// Raw TLS shows the bytes of the other side, how they ended, and trusts nobody it was not told to.
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { labPkiTools, startLabPki } from '../fixture/lab-pki.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { requireReal } from '../fixture/real.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { closeDelimited, resetMidBody } from '../fixture/upstream-answers.ts'

async function serve(t: Pick<Test, 'teardown'>, options: TlsOptions, accept: (socket: TLSSocket) => void) {
  const server = createServer(options, socket => {
    socket.on('error', () => {})
    accept(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  // Safe: the server listens on a TCP port.
  return (server.address() as AddressInfo).port
}

t.test('bytes go out as written, and reading ends by pattern, end or clock', async t => {
  if (!requireReal(t, labPkiTools)) return
  const pki = startLabPki(t)
  const port = await serve(t, { ...pki.server, ALPNProtocols: ['dicom', 'http/1.1'] }, socket => {
    socket.on('data', bytes => {
      socket.write(Buffer.concat([Buffer.from(`${socket.servername} ${bytes.toString('hex')}|`), Buffer.of(0xff)]))
      if (bytes.includes('bye')) socket.end()
    })
  })
  using line = await rawTls(port, { ca: pki.ca, alpn: ['dicom'] })
  t.equal(line.socket.alpnProtocol, 'dicom')
  await line.write('\x00\xff\r')
  t.match(await line.read({ until: '|\xff' }), { text: 'localhost 00ff0d|\xff', ended: 'until' })
  t.match(await line.read({ timeout: 50 }), { text: '', ended: 'timeout' })
  await line.write(Buffer.from('bye'))
  t.match(await line.read(), { text: 'localhost 627965|\xff', ended: 'end', error: undefined })

  using bare = await rawTls(port, { ca: pki.caFile, servername: '' })
  await bare.write('x')
  t.match((await bare.read({ until: /\|/ })).text, /^false /, 'no name was sent')
})

t.test('an unknown authority is not trusted, nor another name', async t => {
  if (!requireReal(t, labPkiTools)) return
  const pki = startLabPki(t)
  const port = await serve(t, pki.server, () => {})
  await t.rejects(rawTls(port), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  await t.rejects(rawTls(port, { ca: pki.ca, servername: 'other.test' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

t.test('a reset is told from an end', async t => {
  if (!requireReal(t, labPkiTools)) return
  const pki = startLabPki(t)
  const upstream = await startUpstream(
    t,
    ({ target }) => (target === '/reset' ? resetMidBody('half', 8) : closeDelimited('whole')),
    { tls: pki.server },
  )
  using cut = await rawTls(upstream.port, { ca: pki.ca })
  await cut.write('GET /reset HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await cut.read(), { text: /\r\n\r\nhalf$/, ended: 'error', error: 'ECONNRESET' })
  using ended = await rawTls(upstream.port, { ca: pki.ca })
  await ended.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await ended.read(), { text: /\r\n\r\nwhole$/, ended: 'end', error: undefined })
})

t.test('a client certificate is sent, and a missing one shows on the first read', async t => {
  if (!requireReal(t, labPkiTools)) return
  const pki = startLabPki(t)
  const upstream = await startUpstream(t, undefined, {
    tls: { ...pki.server, ca: pki.ca, requestCert: true, rejectUnauthorized: true },
  })
  const { cert, key } = pki.client('alice')
  using alice = await rawTls(upstream.port, { ca: pki.ca, cert, key })
  await alice.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.match(await alice.read({ until: 'upstream"}' }), { ended: 'until' })
  t.match(upstream.received, [{ peer: 'alice' }])

  using nobody = await rawTls(upstream.port, { ca: pki.ca })
  t.match(await nobody.read(), { ended: 'error', error: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' })
  t.equal(upstream.received.length, 1)
})

t.test('half a request stays half: the other side decides what that means', async t => {
  if (!requireReal(t, labPkiTools)) return
  const pki = startLabPki(t)
  const server = createHttpsServer(pki.server, (_, answer) => answer.end('whole'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  // Safe: the server listens on a TCP port.
  using line = await rawTls((server.address() as AddressInfo).port, { ca: pki.ca })
  await line.write('GET / HTTP/1.1\r\nHo')
  t.match(await line.read({ timeout: 100 }), { text: '', ended: 'timeout' })
  await line.write('st: x\r\nConnection: close\r\n\r\n')
  t.match(await line.read(), { text: /whole/, ended: 'end' })
})
