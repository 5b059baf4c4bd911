/**
 * Terms as options of a real server: whose order decides, whether sessions are resumed, how long DHE groups are.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type ConnectionOptions, connect, createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { type FloorName, Terms } from '../../src/config/terms.ts'
import { effectiveTerms, termsFlags, termsOptions } from '../../src/tls/protocol-floor.ts'
import { startAuthority, type TestAuthority } from '../fixture/authority.ts'

async function startServer(t: Test, authority: TestAuthority, floor: FloorName) {
  const terms = effectiveTerms(Terms.parse({ floor }), () => undefined)
  if (terms === undefined) throw new Error(`no terms for ${floor}`)
  const { chainPem, keyPem } = await authority.server(['localhost'], [], { key: 'rsa-2048' })
  const options = { ...termsOptions(terms), secureOptions: termsFlags(terms), cert: chainPem, key: keyPem }
  const server = createServer(options, socket => {
    socket.on('error', () => undefined)
    socket.write('hello')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo // listening on TCP: always an AddressInfo
  return { port, host: '127.0.0.1', servername: 'localhost', ca: authority.caPem }
}

async function shake(options: ConnectionOptions) {
  const socket = connect(options)
  let session: Buffer | undefined
  socket.on('session', ticket => {
    session = ticket
  })
  await once(socket, 'data')
  // Tickets of TLS 1.3 come behind the handshake, if any comes at all.
  if (session === undefined) await Promise.race([once(socket, 'session'), pause(100)])
  const came = {
    suite: socket.getCipher().name,
    reused: socket.isSessionReused(),
    key: socket.getEphemeralKeyInfo(),
    session,
  }
  socket.destroy()
  return came
}

t.test('terms as options of a server', async t => {
  const authority = await startAuthority(t)
  const suites = (list: string) => ({ ciphers: list, maxVersion: 'TLSv1.2' as const })

  await t.test('our order decides, but who puts ChaCha20 first gets it', async t => {
    const at = await startServer(t, authority, 'dicom-bcp195-modified')
    const weakFirst = 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305'
    t.match(await shake({ ...at, ...suites(weakFirst) }), { suite: 'ECDHE-RSA-AES256-GCM-SHA384' })
    const phone = 'ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384'
    t.match(await shake({ ...at, ...suites(phone) }), { suite: 'ECDHE-RSA-CHACHA20-POLY1305' })
  })

  await t.test('no session is resumed where the standard wants none to be cached', async t => {
    for (const [floor, resumes] of [
      ['dicom-bcp195', true],
      ['dicom-bcp195-modified', false],
    ] as const) {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const at = { ...(await startServer(t, authority, floor)), minVersion: version, maxVersion: version }
        const { session } = await shake(at)
        const again = await shake({ ...at, ...(session === undefined ? {} : { session }) })
        t.equal(again.reused, resumes, `${floor}, ${version}`)
      }
    }
  })

  await t.test('DHE has a group of 2048 bits with an RSA key of 2048', async t => {
    const at = await startServer(t, authority, 'ihe-atna')
    t.match(await shake({ ...at, ...suites('DHE-RSA-AES256-GCM-SHA384') }), {
      suite: 'DHE-RSA-AES256-GCM-SHA384',
      key: { type: 'DH', size: 2048 },
    })
  })
})
