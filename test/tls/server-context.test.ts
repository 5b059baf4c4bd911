/**
 * The handshake on the wire: versions, who is asked for a certificate, and that no old verdict is taken up again.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { Terms } from '../../src/config/terms.ts'
import { readKeystore } from '../../src/tls/keystore.ts'
import { effectiveTerms } from '../../src/tls/protocol-floor.ts'
import { serverTlsOptions, serverTrust } from '../../src/tls/server-context.ts'
import { readTruststore } from '../../src/tls/truststore.ts'
import { startAuthority, type TestAuthority } from '../fixture/authority.ts'

type Clients = 'none' | 'optional' | 'required'

/** A bare server with the options of a listener; says what it saw of each connection. */
async function startServer(
  t: Test,
  authority: TestAuthority,
  clients: Clients,
  floor: 'mozilla-modern' | 'mozilla-intermediate' = 'mozilla-intermediate',
) {
  const fail = (key: string, message: string) => void t.fail(`${key}: ${message}`)
  const { certFile, keyFile } = await authority.server(['localhost'])
  const keystore = readKeystore({ certificate: certFile, key: keyFile }, Date.now(), fail)
  const terms = effectiveTerms(Terms.parse({ floor }), fail)
  const truststore = clients === 'none' ? undefined : readTruststore(authority.caFile, Date.now(), fail)
  if (keystore === undefined || terms === undefined) throw new Error('no server without keystore and terms')
  const seen: { reused: boolean; peer: string | undefined }[] = []
  const server = createServer(
    serverTlsOptions(serverTrust({ terms, keystores: [keystore], clients, truststore, depth: 0, only: undefined })),
    socket => {
      seen.push({ reused: socket.isSessionReused(), peer: socket.getPeerX509Certificate()?.subject })
      socket.on('error', () => undefined)
      socket.write('hello')
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, seen } // listening on TCP: always an AddressInfo
}

async function shake(
  port: number,
  ca: string,
  more: ConnectionOptions = {},
): Promise<{ socket: TLSSocket; session: Buffer | undefined; reused: boolean }> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ...more })
  let session: Buffer | undefined
  socket.on('session', ticket => {
    session = ticket
  })
  await once(socket, 'data')
  // The ticket of TLS 1.3 comes behind the handshake, if one comes at all.
  if (session === undefined) await Promise.race([once(socket, 'session'), pause(100)])
  session ??= socket.getSession()
  return { socket, session, reused: socket.isSessionReused() }
}

t.test('a listener', async t => {
  const authority = await startAuthority(t)
  const alice = await authority.client('alice')
  const own = { cert: alice.chainPem, key: alice.keyPem }

  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    const terms = { minVersion: version, maxVersion: version }
    await t.test(`that asks for certificates takes no session up again (${version})`, async t => {
      const { port, seen } = await startServer(t, authority, 'optional')
      const first = await shake(port, authority.caPem, { ...terms, ...own })
      first.socket.destroy()
      const again = await shake(port, authority.caPem, { ...terms, ...(first.session && { session: first.session }) })
      again.socket.destroy()
      t.equal(again.reused, false)
      t.match(
        seen,
        [
          { reused: false, peer: /alice/ },
          { reused: false, peer: undefined },
        ],
        'the second came as nobody',
      )
    })
    await t.test(`that asks for none may (${version})`, async t => {
      const { port, seen } = await startServer(t, authority, 'none')
      const first = await shake(port, authority.caPem, terms)
      first.socket.destroy()
      const again = await shake(port, authority.caPem, { ...terms, ...(first.session && { session: first.session }) })
      again.socket.destroy()
      t.same(
        seen.map(({ reused }) => reused),
        [false, true],
      )
    })
  }

  await t.test('asks whom it is to ask, and lets everybody finish the handshake', async t => {
    const rogue = await authority.rogueClient('alice')
    for (const clients of ['none', 'optional', 'required'] as const) {
      const { port, seen } = await startServer(t, authority, clients)
      for (const pair of [own, { cert: rogue.chainPem, key: rogue.keyPem }, {}]) {
        const { socket } = await shake(port, authority.caPem, pair)
        socket.destroy()
      }
      t.same(
        seen.map(({ peer }) => peer !== undefined),
        clients === 'none' ? [false, false, false] : [true, true, false],
        clients,
      )
    }
  })

  await t.test('speaks no version and no cipher below its floor', async t => {
    const { port } = await startServer(t, authority, 'none', 'mozilla-modern')
    await t.rejects(shake(port, authority.caPem, { maxVersion: 'TLSv1.2' }))
    const { socket } = await shake(port, authority.caPem)
    t.equal(socket.getProtocol(), 'TLSv1.3')
    socket.destroy()
    const older = await startServer(t, authority, 'none')
    await t.rejects(
      shake(older.port, authority.caPem, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }),
    )
    await t.rejects(shake(older.port, authority.caPem, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }))
    await t.rejects(shake(older.port, authority.caPem, { maxVersion: 'TLSv1.2', ciphers: 'aNULL:@SECLEVEL=0' }))
  })

  await t.test('does not renegotiate', async t => {
    const { port } = await startServer(t, authority, 'none')
    const { socket } = await shake(port, authority.caPem, { maxVersion: 'TLSv1.2' })
    const error = await new Promise<unknown>(resolve => {
      socket.once('error', resolve)
      if (!socket.renegotiate({}, resolve)) resolve(new Error('refused at once'))
    })
    t.type(error, Error)
    socket.destroy()
  })
})
