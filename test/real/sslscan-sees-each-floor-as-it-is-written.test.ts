/**
 * Every floor through the whole gateway, scanned with sslscan: the versions, suites and groups that are accepted are those
 * of the published set, no more and no fewer.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import t from 'tap'
import { floorNames } from '../../src/config/terms.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { sslscan, sslscanTools } from '../fixture/sslscan.ts'
import { expected, sorted, startOnFloor } from './floors-as-published.ts'

/** Whether a client that knows this one group gets a handshake. */
async function shakes(port: number, ca: string, ecdhCurve: string): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ecdhCurve })
  try {
    await once(socket, 'secureConnect')
    return true
  } catch {
    return false // the server has none of the client's groups
  } finally {
    socket.destroy()
  }
}

t.test('each floor', async t => {
  if (!requireReal(t, sslscanTools)) return
  const authority = await startAuthority(t)
  for (const floor of floorNames) {
    const { oldest, suites13, rsa, ecdsa, groups } = expected[floor]
    const versions = (['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const).filter(version => version >= oldest)
    for (const [key, older] of [
      ['rsa-2048', rsa],
      ['ec-p256', ecdsa],
    ] as const) {
      await t.test(`${floor} with a key of ${key} is what its source says, no more and no fewer`, async t => {
        const { port } = await startOnFloor(t, authority, floor, key)
        const scan = await sslscan(port)
        t.same(scan.protocols.toSorted(), versions, 'versions')
        for (const version of versions) {
          const wanted = version === 'TLSv1.3' ? sorted(suites13) : sorted(older)
          // Only suites that end in -SHA are older than TLS 1.2.
          const possible = version < 'TLSv1.2' ? wanted.filter(suite => suite.endsWith('-SHA')) : wanted
          t.same([...(scan.suites.get(version) ?? [])].toSorted(), possible, `suites of ${version}`)
        }
        t.same([...scan.groups].toSorted(), sorted(groups), 'groups')
        t.notOk(scan.compression, 'no compression')
        const hybrid = floor !== 'dicom-bcp195-modified'
        t.equal(await shakes(port, authority.caPem, 'X25519MLKEM768'), hybrid, 'the post-quantum hybrid')
        t.equal(await shakes(port, authority.caPem, 'secp521r1'), false, 'a group that is none of the floor')
      })
    }
  }
})

t.test('the scanner sees more on a server that is held to no floor', async t => {
  if (!requireReal(t, sslscanTools)) return
  const authority = await startAuthority(t)
  const { chainPem, keyPem } = await authority.server(['localhost'], ['127.0.0.1'], { key: 'rsa-2048' })
  const server = createServer({
    cert: chainPem,
    key: keyPem,
    ciphers: 'ALL:@SECLEVEL=0',
    minVersion: 'TLSv1',
    dhparam: 'auto',
  })
  server.on('secureConnection', socket => socket.on('error', () => undefined))
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const scan = await sslscan((server.address() as AddressInfo).port) // listening on TCP: always an AddressInfo
  t.same(scan.protocols.toSorted(), ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'])
  const accepted = new Set([...scan.suites.values()].flat())
  for (const suite of ['AECDH-AES256-SHA', 'ADH-AES256-SHA', 'DHE-RSA-AES256-SHA', 'AES128-SHA'])
    t.ok(accepted.has(suite), suite)
})
