/**
 * The terms of a handshake as a person reads them in `check`.
 */
import t from 'tap'
import type { z } from 'zod'
import { termsLines } from '../../src/cli/terms-text.ts'
import { Terms } from '../../src/config/terms.ts'
import { effectiveTerms } from '../../src/tls/protocol-floor.ts'
import type { SigningKey } from '../../src/tls/suites.ts'

function lines(written: z.input<typeof Terms>, keys: readonly SigningKey[]): string[] {
  const terms = Terms.parse(written)
  const effective = effectiveTerms(terms, () => undefined)
  if (effective === undefined) throw new Error(`these terms are refused: ${JSON.stringify(written)}`)
  return termsLines(effective, terms, keys).flatMap(text => text.split('\n'))
}

t.test('what is in force stands there by kind, and what no key of the listener can take apart from it', async t => {
  t.same(lines({}, ['RSA']), [
    '  floor      mozilla-intermediate: Mozilla Server Side TLS 5.8, intermediate',
    '  protocols  TLS 1.2 to TLS 1.3',
    '  TLS 1.3    TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256',
    '  TLS 1.2    ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-AES256-GCM-SHA384, ECDHE-RSA-CHACHA20-POLY1305',
    '             (3 more for an ECDSA key, which this listener has none of)',
    '  groups     X25519MLKEM768, X25519, prime256v1, secp384r1',
  ])
  t.same(lines({ floor: 'dicom-bcp195' }, ['RSA', 'ECDSA']).slice(2, 5), [
    '  TLS 1.3    TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256',
    '  TLS 1.2    ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-RSA-AES256-GCM-SHA384, ECDHE-ECDSA-AES128-GCM-SHA256,',
    '             ECDHE-RSA-AES128-GCM-SHA256',
  ])
  t.notMatch(lines({}, []).join(), 'more for', 'a key that is not there yet excludes nothing')
})

t.test('the words of the operator are told apart from the floor', async t => {
  const own = lines({ floor: 'mozilla-modern', protocols: 'tls1_2', ciphers: 'AES_256!DHE!SHA!kRSA' }, ['RSA'])
  t.match(own[0], /^ {2}floor +mozilla-modern: Mozilla .*; overridden: protocols, ciphers$/)
  t.equal(own[1], '  protocols  TLS 1.2')
  t.notMatch(own.join(), 'TLS 1.3 ')
})

t.test('what a floor left out stands there with its reason, and TLS 1.0 by its name', async t => {
  const modified = lines({ floor: 'dicom-bcp195-modified' }, ['ECDSA']).join('\n')
  t.match(modified, /^ {2}left out +TLS_AES_128_CCM_8_SHA256, ECDHE-ECDSA-AES256-CCM8, .*CCM8: too\s+short a tag/m)
  t.match(modified, /^ {13}TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384,[^:]*: this\s+OpenSSL does not have it$/m)
  const old = lines({ floor: 'mozilla-old' }, ['RSA'])
  t.ok(old.includes('  protocols  TLS 1.0 to TLS 1.3'))
  t.match(old, [/^ {2}floor/, /^/, /^/, /^ {2}up to 1\.2 {2}ECDHE-RSA-AES128-GCM-SHA256, /])
  t.ok(old.includes('  left out   DES-CBC3-SHA: this OpenSSL does not have it'))
})

t.test('no line is longer than a window is wide', async t => {
  for (const floor of ['mozilla-old', 'dicom-bcp195-modified', 'ihe-atna'] as const)
    for (const line of lines({ floor }, ['RSA', 'ECDSA'])) t.ok(line.length <= 110, line)
})
