// Versions and suites below the floor of a listener, renegotiation and early data: no handshake, no request, and the
// gateway goes on (RFC 8996; CVE-2011-1473 and its kin; RFC 8446 8, replay of early data).
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import type { RawTlsOptions } from '../fixture/raw-tls.ts'
import { requireReal } from '../fixture/real.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, openRaw, statuses, stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const yaml = `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`
const start = (t: Test, floor: string) =>
  startTestGateway(t, { yaml, certificate: 'none', listener: `tls: { floor: ${floor} }` })

/** The status of one request on these terms, or the code of the failure. */
async function visit(
  gateway: TestGateway,
  tls: NonNullable<RawTlsOptions['tls']>,
): Promise<string | number | undefined> {
  try {
    using line = await openRaw(gateway, { tls })
    await line.write(head(gateway, 'GET /x HTTP/1.1', ['Connection: close']))
    return statuses((await line.read({ timeout: 5_000 })).text)[0]
  } catch (cause) {
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  }
}

const old = 'DEFAULT:@SECLEVEL=0'

t.test('a client that knows nothing newer gets an alert, on every floor but the one made for it', async t => {
  for (const [floor, oldest] of [
    ['mozilla-intermediate', 'TLSv1.2'],
    ['dicom-bcp195', 'TLSv1.2'],
    ['mozilla-modern', 'TLSv1.3'],
    ['mozilla-old', 'TLSv1'],
  ] as const) {
    const gateway = await start(t, floor)
    for (const version of ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const) {
      const came = await visit(gateway, { minVersion: version, maxVersion: version, ciphers: old })
      const expected = version < oldest ? 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' : 200
      t.equal(came, expected, `${floor}, ${version}`)
    }
    await stillAnswers(t, gateway)
  }
})

t.test('a client with nothing but suites below the floor gets an alert', async t => {
  const gateway = await start(t, 'mozilla-intermediate')
  for (const ciphers of [
    'AES128-SHA',
    'ECDHE-ECDSA-AES256-SHA384',
    'DHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-AES256-CCM',
  ])
    t.match(await visit(gateway, { maxVersion: 'TLSv1.2', ciphers }), /HANDSHAKE_FAILURE$/, ciphers)
  await stillAnswers(t, gateway)
})

t.test('hellos of SSL get an alert or an end, never a hello', async t => {
  const gateway = await start(t, 'mozilla-old')
  const random = Buffer.alloc(32, 7)
  const body = Buffer.concat([Buffer.from('0300', 'hex'), random, Buffer.from('00000400350005' + '0100', 'hex')])
  const ssl3 = Buffer.concat([Buffer.from([22, 3, 0, 0, body.length + 4, 1, 0, 0, body.length]), body])
  const ssl2Body = Buffer.concat([
    Buffer.from('01000200030000001001008006004001', 'hex').subarray(0, 12),
    Buffer.alloc(16),
  ])
  const ssl2 = Buffer.concat([Buffer.from([0x80, ssl2Body.length]), ssl2Body])
  for (const [name, hello] of Object.entries({ ssl2, ssl3 })) {
    const socket = connectTcp({ port: gateway.port, host: '127.0.0.1' })
    await once(socket, 'connect')
    socket.write(hello)
    const answer = Buffer.from(await text(socket.setEncoding('latin1')), 'latin1')
    t.ok(answer.length === 0 || answer[0] === 21, `${name}: ${answer.toString('hex')}`)
  }
  await stillAnswers(t, gateway)
})

t.test('a handshake cannot be had again on a connection that has one', async t => {
  const gateway = await start(t, 'mozilla-intermediate')
  using line = await openRaw(gateway, { tls: { maxVersion: 'TLSv1.2' } })
  const came = await new Promise<unknown>(resolve => {
    line.socket.once('error', resolve)
    line.socket.renegotiate({}, cause => resolve(cause ?? 'renegotiated'))
  })
  t.match(came, { code: 'ERR_SSL_NO_RENEGOTIATION' })
  await stillAnswers(t, gateway)
})

t.test('no ticket allows early data, which could be replayed', async t => {
  if (!requireReal(t, ['openssl'])) return
  const gateway = await start(t, 'mozilla-modern')
  const session = join(t.testdir(), 'session.pem')
  const client = (more: readonly string[]) =>
    new Promise<string>(resolve => {
      const target = ['s_client', '-connect', `127.0.0.1:${gateway.port}`, '-servername', 'localhost', '-CAfile']
      const child = execFile('openssl', [...target, gateway.authority.caFile, ...more], (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      )
      // Its own end closes it: the answer, and with it the ticket, has come by then.
      child.stdin?.write(head(gateway, 'GET /x HTTP/1.1', ['Connection: close']))
    })
  await client(['-sess_out', session])
  t.match(readFileSync(session, 'utf8'), 'BEGIN SSL SESSION PARAMETERS')
  const again = await client(['-sess_in', session, '-early_data', session])
  t.match(again, /Early data was not sent/)
  t.match(again, /HTTP\/1\.1 200/)
  await stillAnswers(t, gateway)
})
