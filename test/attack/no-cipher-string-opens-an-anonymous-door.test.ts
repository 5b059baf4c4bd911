/**
 * Whatever an operator writes under `ciphers`: a client that offers nothing but suites without authentication or without
 * encryption gets no handshake.
 *
 * Such a client could be anybody in the middle: with AECDH it needs no certificate to be taken for the gate. Measured:
 * `HIGH:@SECLEVEL=0` alone negotiates AECDH-AES256-SHA. The same client meets such a server first, to show that it can.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ConnectionOptions, connect, createServer, type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { Terms } from '../../src/config/terms.ts'
import { effectiveTerms, termsOptions } from '../../src/tls/protocol-floor.ts'
import { startAuthority, type TestPair } from '../fixture/authority.ts'
import { listening } from '../tls/said.ts'

type Offer = Pick<ConnectionOptions, 'ciphers' | 'minVersion' | 'maxVersion'>

const anonymous: Offer = { ciphers: 'aNULL:eNULL:@SECLEVEL=0', minVersion: 'TLSv1', maxVersion: 'TLSv1.2' }
/** RFC 9150: integrity alone, in TLS 1.3. The suite of 1.2 is only there to carry the level. */
const readable: Offer = {
  ciphers: 'TLS_SHA256_SHA256:TLS_SHA384_SHA384:AES128-SHA:@SECLEVEL=0',
  minVersion: 'TLSv1.3',
}

/** What a client that offers nothing else gets: the suite, or the code of its failure. */
async function handshake(t: Test, options: TlsOptions, { chainPem, keyPem }: TestPair, offer: Offer) {
  const server = createServer({ ...options, cert: chainPem, key: keyPem }, socket => {
    socket.on('error', () => undefined)
    socket.end()
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect({
    port: (server.address() as AddressInfo).port, // listening on TCP: always an AddressInfo
    host: '127.0.0.1',
    ...offer,
    rejectUnauthorized: false, // there is no certificate to check: that is the attack
  })
  try {
    await once(socket, 'secureConnect')
    return socket.getCipher().name
  } catch (cause) {
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  } finally {
    socket.destroy()
  }
}

t.test('the attack works on a server that takes the string as it stands', async t => {
  const authority = await startAuthority(t)
  const pair = await authority.server(['localhost'], ['127.0.0.1'], { key: 'rsa-2048' })
  const naked = (ciphers: string): TlsOptions => ({ ciphers, ecdhCurve: 'X25519' })
  t.equal(await handshake(t, naked('HIGH:@SECLEVEL=0'), pair, anonymous), 'AECDH-AES256-SHA')
  t.match(await handshake(t, naked('NULL-SHA256:@SECLEVEL=0'), pair, anonymous), /NULL-SHA/)
  t.equal(await handshake(t, naked('TLS_SHA256_SHA256:HIGH:@SECLEVEL=0'), pair, readable), 'TLS_SHA256_SHA256')
})

t.test('no cipher string opens an anonymous or readable door', async t => {
  const authority = await startAuthority(t)
  const pair = await authority.server(['localhost'], ['127.0.0.1'], { key: 'rsa-2048' })
  const strings: readonly (string | readonly string[])[] = [
    'HIGH:@SECLEVEL=0',
    'ALL:@SECLEVEL=0',
    'ALL:COMPLEMENTOFALL:@SECLEVEL=0',
    '@SECLEVEL=0:ALL:aNULL:eNULL',
    'HIGH:ADH:AECDH:@SECLEVEL=0',
    'HIGH:aNULL+HIGH:@SECLEVEL=0',
    'HIGH:ADH-AES256-SHA:AECDH-AES256-SHA:NULL-SHA256:@SECLEVEL=0',
    'TLS_SHA256_SHA256:TLS_SHA384_SHA384:HIGH:@SECLEVEL=0',
    ['HIGH', 'aNULL', 'eNULL', '@SECLEVEL=0'],
    ['HIGH', '-aNULL', '+aNULL', '@SECLEVEL=0'],
    ['aNULL:@SECLEVEL=0:HIGH\0'],
    ['aNULL:@SECLEVEL=0', 'HIGH:!'],
    'ADH',
    'aNULL',
    'NULL-SHA256',
    'eNULL:@SECLEVEL=0',
    'ADH:!LOW:!MD5:!EXP:!3DES:@STRENGTH',
  ]
  for (const floor of ['mozilla-intermediate', 'mozilla-old'] as const) {
    for (const ciphers of strings) {
      const text = `${floor}: ${JSON.stringify(ciphers)}`
      const { report, said } = listening()
      const written = typeof ciphers === 'string' ? ciphers : [...ciphers]
      const terms = effectiveTerms(Terms.parse({ floor, ciphers: written }), report)
      if (terms === undefined) {
        t.match(said.at(-1), /^ciphers: /, `${text} is refused with a reason`)
        continue
      }
      const options = termsOptions(terms)
      for (const offer of [anonymous, readable])
        t.match(await handshake(t, options, pair, offer), /HANDSHAKE_FAILURE$/, text)
    }
  }
})

t.test('what remains of such a string still serves an honest client', async t => {
  const authority = await startAuthority(t)
  const pair = await authority.server(['localhost'], ['127.0.0.1'], { key: 'rsa-2048' })
  const terms = effectiveTerms(Terms.parse({ ciphers: 'ALL:COMPLEMENTOFALL:@SECLEVEL=0' }), () => undefined)
  if (terms === undefined) return t.fail('refused')
  const offer: Offer = { ciphers: 'ECDHE-RSA-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' }
  t.equal(await handshake(t, termsOptions(terms), pair, offer), 'ECDHE-RSA-AES256-GCM-SHA384')
})
