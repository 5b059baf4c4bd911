/**
 * Terms and keys that do not go together are told before a listener binds.
 */
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { Terms } from '../../src/config/terms.ts'
import { inspectKeys, signingKey } from '../../src/tls/fitting-keys.ts'
import { effectiveTerms } from '../../src/tls/protocol-floor.ts'
import { startAuthority } from '../fixture/authority.ts'
import { listening } from './said.ts'

t.test('terms and keys', async t => {
  const authority = await startAuthority(t)
  const keystore = async (key: 'rsa-2048' | 'ec-p256') => {
    const { chainPem, keyPem } = await authority.server(['localhost'], [], { key })
    return { options: { cert: chainPem, key: keyPem }, certificate: new X509Certificate(chainPem) }
  }
  const rsa = await keystore('rsa-2048')
  const ec = await keystore('ec-p256')
  const said = (ciphers: string | undefined, keystores: Parameters<typeof inspectKeys>[1]) => {
    const found = listening()
    const terms = effectiveTerms(Terms.parse(ciphers === undefined ? {} : { ciphers }), found.report)
    if (terms !== undefined) inspectKeys(terms, keystores, found.report)
    return found.said
  }

  await t.test('that go together say nothing', async t => {
    t.same(said(undefined, [rsa]), [])
    t.same(said(undefined, [ec]), [])
    t.same(said('HIGH', [rsa, ec]), [])
    t.same(said('ECDHE-RSA-AES128-GCM-SHA256', [ec, rsa]), [], 'one key of two is enough')
    t.same(said('ECDHE-RSA-AES128-GCM-SHA256', []), [], 'nor when no certificate has been issued yet')
    t.same([signingKey(rsa), signingKey(ec)], ['RSA', 'ECDSA'])
  })

  await t.test('of which the level is too high for the key are refused', async t => {
    t.match(said('HIGH:@SECLEVEL=3', [ec, rsa]), [
      /^ciphers: the security level of these ciphers is not for the certificate CN=localhost.*the key is too short; leave @SECLEVEL out/,
    ])
  })

  await t.test('of which no suite can be taken with the key are refused', async t => {
    t.match(said('ECDHE-ECDSA-AES128-GCM-SHA256', [rsa]), [
      /^ciphers: no suite for TLS 1\.2 can be had with RSA keys; name others, use another key, or write minimum: 1\.3$/,
    ])
    t.match(said('AES256-SHA', [ec]), [/with ECDSA keys/])
  })
})
