/**
 * What a handshake is really held to, after the floor and the operator's own words.
 */
import { createSecureContext } from 'node:tls'
import t from 'tap'
import type { z } from 'zod'
import { Terms } from '../../src/config/terms.ts'
import { effectiveTerms } from '../../src/tls/protocol-floor.ts'
import { listening } from './said.ts'

function terms(written: z.input<typeof Terms>) {
  const { report, said } = listening()
  return { found: effectiveTerms(Terms.parse(written), report), said }
}

t.test('the floors hold to Mozilla: 1.2 with forward secrecy, or 1.3 alone', async t => {
  const intermediate = terms({}).found
  t.match(intermediate, { minimum: 'TLSv1.2', maximum: 'TLSv1.3' })
  t.notMatch(intermediate?.ciphers, /CBC|SHA$|:AES|DES|RC4/)
  t.ok(intermediate?.ciphers.endsWith(':!aNULL:!eNULL'))
  t.match(terms({ floor: 'mozilla-modern' }).found, { minimum: 'TLSv1.3', ciphers: /^TLS_[A-Z0-9_:]*$/ })
})

t.test('groups come in order, the post-quantum hybrid first where OpenSSL has it', async t => {
  const { found, said } = terms({})
  t.same(
    [...(found?.missingGroups ?? []), ...(found?.groups ?? [])],
    ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1'],
  )
  t.same(said, [], "what the floor would like and OpenSSL lacks is not the operator's fault")
  const own = terms({ groups: ['secp384r1', 'nonsense'] })
  t.same(own.found?.groups, ['secp384r1'])
  t.match(own.said, [/^warning: groups: this OpenSSL does not have nonsense; left out$/])
})

t.test('no string switches ciphers without authentication or encryption on', async t => {
  for (const ciphers of ['HIGH', 'ALL:aNULL', 'ALL:COMPLEMENTOFALL:@SECLEVEL=0', ['HIGH', 'aNULL', 'eNULL']]) {
    const { found } = terms({ ciphers })
    t.ok(found?.ciphers.endsWith(':!aNULL:!eNULL'), String(ciphers))
  }
})

t.test('families are understood as IceSSL writes them, whole names as OpenSSL does', async t => {
  t.match(terms({ ciphers: 'AES_256' }).found, { ciphers: /:AES256:!aNULL/ })
  t.match(terms({ ciphers: 'HIGH:!AES_128:!CAMELLIA_256' }).found, { ciphers: /:HIGH:!AES128:!CAMELLIA256:/ })
  const whole = terms({ ciphers: ['ECDHE-RSA-AES256-GCM-SHA384'] }).found
  t.match(
    whole,
    { ciphers: /^TLS_AES_128_GCM_SHA256:.*:ECDHE-RSA-AES256-GCM-SHA384:!aNULL/ },
    'suites of 1.3 stay as they are',
  )
  t.doesNotThrow(() => createSecureContext({ ciphers: whole?.ciphers }))
})

t.test('terms that leave nothing over are refused with their cure', async t => {
  const rows: readonly (readonly [z.input<typeof Terms>, RegExp])[] = [
    [{ minimum: '1.3', maximum: '1.2' }, /^maximum: no version is left/],
    [{ minimum: '1.3', ciphers: 'HIGH' }, /^ciphers: ciphers are those of TLS 1\.2.*leave them out$/],
    [{ floor: 'mozilla-modern', minimum: '1.2' }, /^minimum: .*no cipher suites for TLS 1\.2; name some under ciphers/],
    [{ ciphers: 'NOSUCH' }, /^ciphers: OpenSSL knows no cipher suite in "NOSUCH"$/],
    [{ maximum: '1.2', ciphers: 'aNULL' }, /^ciphers: OpenSSL knows no cipher suite in "aNULL"$/],
    [{ ciphers: 'aNULL' }, /^ciphers: OpenSSL knows no cipher suite in "aNULL"$/],
    [{ groups: ['nonsense'] }, /^groups: OpenSSL knows none of these groups: nonsense$/],
  ]
  for (const [written, expected] of rows) {
    const { found, said } = terms(written)
    t.equal(found, undefined, JSON.stringify(written))
    t.match(said, [expected], JSON.stringify(written))
  }
})
