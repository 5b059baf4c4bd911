/**
 * The table of suites, held against what OpenSSL itself says.
 */
import { execFileSync } from 'node:child_process'
import t from 'tap'
import { isTls13, suiteNamed, suiteNumbered, suites } from '../../src/tls/suites.ts'
import { requireReal } from '../fixture/real.ts'

t.test("numbers, names and IANA's names are those of OpenSSL", async t => {
  if (!requireReal(t, ['openssl'])) return
  const listed = execFileSync('openssl', ['ciphers', '-V', '-stdname', 'ALL:COMPLEMENTOFALL:@SECLEVEL=0'], {
    encoding: 'utf8',
  })
  const theirs = new Map(
    [...listed.matchAll(/^ *0x(..),0x(..) - (\S+) +- (\S+) .*Au=(\S+) +Enc=(\S+)/gm)]
      .filter(
        ([, , , , name = '', key, encryption]) =>
          /^(RSA|ECDSA|any)$/.test(key ?? '') && encryption !== 'None' && !/PSK|SRP/.test(name),
      )
      .map(([, high, low, iana, name]) => [name, [Number(`0x${high}${low}`), iana]]),
  )
  t.ok(theirs.size > 50)
  for (const { code, name, iana } of suites) {
    // The openssl command lists suites of TLS 1.3 only as far as they are switched on.
    if (isTls13(name)) continue
    t.same(theirs.get(name), [code, iana], name)
  }
  t.same(
    [...theirs.keys()].filter(name => suiteNamed(name ?? '') === undefined),
    [],
    'none is missing here',
  )
})

t.test('a suite is found by each of its names', async t => {
  const suite = { code: 0xc02f, name: 'ECDHE-RSA-AES128-GCM-SHA256', iana: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256' }
  t.same(suiteNamed(suite.name), suite)
  t.same(suiteNamed(suite.iana), suite)
  t.same(suiteNumbered(suite.code), suite)
  t.equal(suiteNamed('ADH-AES256-SHA'), undefined)
  t.equal(isTls13('TLS_AES_128_GCM_SHA256'), true)
  t.equal(isTls13(suite.iana), false)
})
