import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { makeSelfSigned } from '../../src/issuer/self-signed.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'

interface Seen {
  readonly authorized: boolean
  readonly why: string
  readonly name: string | undefined
}

/** A server that asks for a certificate, lets any in so that the verdict can be read, and remembers what OpenSSL made of it. */
async function startServer(t: Pick<Test, 'teardown'>, options: TlsOptions) {
  const seen: Seen[] = []
  const server = createServer({ ...options, requestCert: true, rejectUnauthorized: false }, socket => {
    const { CN } = socket.getPeerX509Certificate()?.toLegacyObject().subject ?? {}
    const name = typeof CN === 'string' ? CN : undefined
    seen.push({ authorized: socket.authorized, why: String(socket.authorizationError), name })
    socket.end('hello')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  // safe: a listening TCP server has an address and a port
  return { seen, port: (server.address() as AddressInfo).port }
}

async function shake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...options })
  socket.resume()
  await once(socket, 'secureConnect')
  await once(socket, 'close')
  return socket
}

t.test('authority, server and client know each other, by PEM and by PKCS#12, in TLS 1.2 and 1.3', async t => {
  const { server, client, caPem: ca } = await startAuthority(t)
  for (const key of ['ec-p256', 'rsa-2048'] as const) {
    const { chainPem, keyPem } = await server(['localhost'], ['127.0.0.1', '::1'], { key })
    const alice = await client('alice', { key })
    const old = await client('old device', { key, format: 'compat' })
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { seen, port } = await startServer(t, {
        cert: chainPem,
        key: keyPem,
        ca,
        minVersion: version,
        maxVersion: version,
      })
      const byPem = await shake(port, { ca, cert: alice.certPem, key: alice.keyPem })
      t.equal(byPem.authorized, true, 'the server is who it says')
      await shake(port, { ca, pfx: readFileSync(alice.p12File), passphrase: alice.p12Password })
      await shake(port, { ca, pfx: readFileSync(old.p12File), passphrase: old.p12Password })
      const proven = (name: string) => ({ authorized: true, why: 'null', name })
      t.same(seen, [proven('alice'), proven('alice'), proven('old device')], `${key}, ${version}`)
    }
  }
})

t.test('who is not of this authority, or no longer, or was made for something else, is not authorized', async t => {
  const { server, client, rogueClient, caPem: ca } = await startAuthority(t)
  const own = await server(['localhost'], ['127.0.0.1'])
  const { seen, port } = await startServer(t, { cert: own.chainPem, key: own.keyPem, ca })
  const ended = new Date(Date.now() - 10 * 86_400_000)
  const guests = {
    rogue: await rogueClient('alice'),
    expired: await client('alice', { now: ended, days: 9 }),
    server: own,
  }
  for (const { chainPem, keyPem } of Object.values(guests)) await shake(port, { ca, cert: chainPem, key: keyPem })
  await shake(port, { ca })
  t.same(
    seen.map(({ authorized }) => authorized),
    [false, false, false, false],
  )
  t.match(
    seen[0],
    { name: 'alice', why: /SIGNATURE|UNABLE_TO_VERIFY|SELF_SIGNED/ },
    'rogue: its authority bears the same name',
  )
  t.match(seen[1], { why: 'CERT_HAS_EXPIRED' })
  t.match(seen[2], { why: 'INVALID_PURPOSE' })
})

t.test('a client refuses a server of another name, and one of another authority', async t => {
  const one = await startAuthority(t)
  const other = await startAuthority(t)
  const own = await one.server(['gw.example'])
  const { port } = await startServer(t, { cert: own.chainPem, key: own.keyPem })
  const failure = (options: ConnectionOptions) =>
    shake(port, options).then(
      () => 'trusted',
      ({ code }) => code,
    )
  t.equal(await failure({ ca: one.caPem, servername: 'gw.example' }), 'trusted')
  t.equal(await failure({ ca: one.caPem }), 'ERR_TLS_CERT_ALTNAME_INVALID')
  t.equal(await failure({ ca: other.caPem, servername: 'gw.example' }), 'SELF_SIGNED_CERT_IN_CHAIN')
})

t.test('curl signs in with the PKCS#12 file of either format', async t => {
  if (!requireReal(t, ['curl'])) return
  const { server, client, caPem: ca, caFile } = await startAuthority(t)
  const { chainPem, keyPem } = await server(['localhost'], ['127.0.0.1'])
  const web = createHttpsServer({ cert: chainPem, key: keyPem, ca, requestCert: true, rejectUnauthorized: true })
  web.on('request', ({ socket }, response) => {
    // safe: requests of an HTTPS server come over TLS
    const peer = (socket as TLSSocket).getPeerX509Certificate()
    response.end(`${peer?.subject}`)
  })
  web.listen(0, '127.0.0.1')
  await once(web, 'listening')
  t.teardown(() => web.close())
  // safe: a listening TCP server has an address and a port
  const url = `https://127.0.0.1:${(web.address() as AddressInfo).port}/`

  for (const format of ['modern', 'compat'] as const) {
    const { p12File, p12Password } = await client('Jürgen', { format })
    const curl = spawn('curl', [
      '-sS',
      '--cacert',
      caFile,
      '--cert-type',
      'P12',
      '--cert',
      `${p12File}:${p12Password}`,
      url,
    ])
    let said = ''
    for (const pipe of [curl.stdout, curl.stderr]) pipe.setEncoding('utf8').on('data', text => (said += text))
    const [status] = await once(curl, 'close')
    t.same({ status, said }, { status: 0, said: 'CN=Jürgen' }, format)
  }
})

t.test('a throw-away certificate serves for its names and addresses, to those who hold it for true', async t => {
  const { certificatePem: ca, keyPem } = await makeSelfSigned(['localhost', 'gw.example'], ['127.0.0.1', '::1'])
  const { port } = await startServer(t, { cert: ca, key: keyPem })
  for (const servername of ['localhost', 'gw.example']) {
    t.equal((await shake(port, { ca, servername })).authorized, true, servername)
  }
  await t.rejects(shake(port, { ca, servername: 'other.example' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  await t.rejects(shake(port, {}), { code: /DEPTH_ZERO_SELF_SIGNED_CERT/ })
})
