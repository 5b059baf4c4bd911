/**
 * What a handshake is really held to, after the floor and the operator's own words.
 */
import t from 'tap'
import type { z } from 'zod'
import { floorNames, Terms } from '../../src/config/terms.ts'
import { effectiveTerms, termsOptions } from '../../src/tls/protocol-floor.ts'
import { listening } from './said.ts'

function terms(written: z.input<typeof Terms>) {
  const { report, said } = listening()
  return { found: effectiveTerms(Terms.parse(written), report), said }
}

const common13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
const list = (text: string) => text.split(/[\s:]+/).filter(one => one !== '')

t.test('mozilla-modern is TLS 1.3 alone', async t => {
  const { found, said } = terms({ floor: 'mozilla-modern' })
  t.match(found, { minimum: 'TLSv1.3', maximum: 'TLSv1.3', suites: common13, leftOut: [] })
  t.match(found?.ciphers, /^TLS_[A-Z0-9_:]*$/)
  t.same(said, [])
})

t.test('mozilla-intermediate, the default, is TLS 1.2 with forward secrecy and 1.3', async t => {
  const { found, said } = terms({})
  t.match(found, { floor: 'mozilla-intermediate', minimum: 'TLSv1.2', maximum: 'TLSv1.3' })
  t.same(found?.suites, [
    ...common13,
    ...list(`ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384
      ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305`),
  ])
  t.same(said, [])
})

t.test('mozilla-intermediate-5.7 has DHE besides', async t => {
  const { found, said } = terms({ floor: 'mozilla-intermediate-5.7' })
  t.same(found?.suites.slice(9), list('DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305'))
  t.same(said, [])
})

t.test('dicom-bcp195 has the four suites of PS3.15 B.12, strongest first, and TLS 1.3', async t => {
  const { found, said } = terms({ floor: 'dicom-bcp195' })
  t.match(found, { minimum: 'TLSv1.2', maximum: 'TLSv1.3', leftOut: [] })
  t.same(found?.suites, [
    ...list('TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'),
    ...list(`ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384
      ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256`),
  ])
  t.same(said, [])
})

t.test('dicom-bcp195-modified adds CCM and ChaCha20 to B.12, and tells what of B.13 cannot be had', async t => {
  const { found, said } = terms({ floor: 'dicom-bcp195-modified' })
  t.match(found, { minimum: 'TLSv1.2', maximum: 'TLSv1.3', resumption: false })
  t.same(found?.suites, [
    ...list('TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256'),
    ...list(`ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384
      ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
      ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-CCM:ECDHE-ECDSA-AES128-CCM`),
  ])
  t.same(
    found?.leftOut.map(({ suite, because }) => `${suite}: ${because.slice(0, 30)}`),
    [
      'TLS_AES_128_CCM_8_SHA256: too short a tag for the securi',
      'ECDHE-ECDSA-AES256-CCM8: too short a tag for the securi',
      'ECDHE-ECDSA-AES128-CCM8: too short a tag for the securi',
      'TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384: this OpenSSL does not have it',
      'TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384: this OpenSSL does not have it',
      'TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256: this OpenSSL does not have it',
      'TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256: this OpenSSL does not have it',
    ],
  )
  t.same(said, [], "what the floor would like and OpenSSL lacks is not the operator's fault")
})

t.test('ihe-atna has the two DHE suites of ITI-19, and what a server needs for them', async t => {
  const { found, said } = terms({ floor: 'ihe-atna' })
  if (found === undefined) return t.fail('no terms')
  t.same(
    found.suites.slice(3),
    list(`ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256
      ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256`),
  )
  t.equal(termsOptions(found).dhparam, 'auto')
  t.same(said, [])
  const without = terms({}).found
  t.notOk(without !== undefined && 'dhparam' in termsOptions(without), 'and nothing for them elsewhere')
})

t.test('mozilla-old goes down to TLS 1.0, and a warning says what it costs', async t => {
  const { found, said } = terms({ floor: 'mozilla-old' })
  t.match(found, { minimum: 'TLSv1', maximum: 'TLSv1.3', ciphers: /:@SECLEVEL=0$/ })
  t.same(
    found?.suites.slice(12),
    list(`ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA
      ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA
      DHE-RSA-AES128-SHA256:DHE-RSA-AES256-SHA256
      AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA`),
  )
  t.same(found?.leftOut, [{ suite: 'DES-CBC3-SHA', because: 'this OpenSSL does not have it' }])
  t.match(said, [
    /^warning: floor: mozilla-old: TLS 1\.0 and 1\.1 are broken \(RFC 8996\).*short keys and SHA-1 signatures.*no forward secrecy.*only the old devices can reach$/,
  ])
  const raised = terms({ floor: 'mozilla-old', minimum: '1.2' })
  t.notMatch(raised.found?.ciphers, 'SECLEVEL', 'the level falls for TLS 1.0 and 1.1 only')
  t.match(raised.said, [/^warning: floor: mozilla-old: some suites have no forward secrecy/])
  t.same(terms({ floor: 'mozilla-old', minimum: '1.3' }).said, [], 'where nothing is lost nothing is said')
})

t.test('TLS 1.0 and 1.1 cannot be had on any other floor, however they are asked for', async t => {
  for (const floor of floorNames.filter(name => name !== 'mozilla-old')) {
    const asked: readonly (readonly [key: string, written: z.input<typeof Terms>])[] = [
      ['minimum', { minimum: 'tls1_0' }],
      ['minimum', { minimum: 'TLSv1.1', ciphers: 'HIGH:@SECLEVEL=0' }],
      ['protocols', { protocols: 'tls1_0,tls1_1,tls1_2' }],
      ['protocols', { protocols: ['tls1_1'], ciphers: 'ALL:@SECLEVEL=0' }],
      ['minimum', { protocols: 'tls1_1,tls1_2', minimum: 'tls1_1' }],
    ]
    for (const [key, written] of asked) {
      const { found, said } = terms({ floor, ...written })
      t.equal(found, undefined)
      t.match(
        said[0],
        new RegExp(`^${key}: TLS 1\\.[01] is broken, .*\\(RFC 8996\\); write 1\\.2 or 1\\.3, .*floor: mozilla-old`),
      )
    }
  }
  const narrowed = terms({ protocols: 'tls1_0,tls1_1,tls1_2', minimum: '1.2' })
  t.match(narrowed.found, { minimum: 'TLSv1.2', maximum: 'TLSv1.2' }, 'what the minimum takes away was never there')
  t.same(narrowed.said, [])
})

t.test('000: Protocols tls1_2, ProtocolVersionMin and Max, HIGH!DHE: the settings of OMERO are understood', async t => {
  const only = terms({ protocols: 'tls1_2', minimum: 'tls1_2', maximum: 'tls1_2', ciphers: 'HIGH' })
  t.match(only.found, { minimum: 'TLSv1.2', maximum: 'TLSv1.2' })
  t.same(only.said, [])
  const omero = terms({ protocols: 'TLS1_2,TLS1_3', maximum: 'TLS1_3', ciphers: 'HIGH!DHE' })
  t.match(omero.found, { minimum: 'TLSv1.2', maximum: 'TLSv1.3' })
  t.notOk(omero.found?.suites.some(suite => suite.startsWith('DHE-')))
  t.ok(omero.found?.suites.includes('ECDHE-RSA-AES256-GCM-SHA384'))
  t.same(omero.said, [])
})

t.test('what stands in the list is what OpenSSL enables, without a number that has no name', async t => {
  for (const ciphers of [
    'HIGH',
    'DEFAULT',
    'ALL',
    'AES256',
    'AES_256',
    'ALL:COMPLEMENTOFALL:@SECLEVEL=0',
    'PSK:SRP:HIGH',
  ]) {
    const { found } = terms({ ciphers })
    t.ok((found?.suites.length ?? 0) > 10, ciphers)
    t.same(
      found?.suites.filter(suite => /^0x|PSK|SRP|NULL|^A(EC)?DH|DSS/.test(suite)),
      [],
      ciphers,
    )
    t.match(found?.ciphers, /:!aDSS:!aNULL:!eNULL$/, ciphers)
  }
  const family = terms({ maximum: '1.2', ciphers: 'AES_256' }).found
  t.same(
    family?.suites.filter(suite => !suite.includes('AES256')),
    [],
    'a family is that family',
  )
})

t.test('suites of TLS 1.3 can be chosen by name', async t => {
  const both = terms({ ciphers: ['TLS_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'] })
  t.same(both.found?.suites, ['TLS_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'])
  const alone = terms({ minimum: '1.3', ciphers: 'TLS_CHACHA20_POLY1305_SHA256' })
  t.same(alone.found?.suites, ['TLS_CHACHA20_POLY1305_SHA256'])
  t.same([...both.said, ...alone.said], [])
})

t.test(
  'groups come in order, the post-quantum hybrid first, but where the standard permits no other than its own',
  async t => {
    for (const floor of floorNames) {
      const expected =
        floor === 'dicom-bcp195-modified'
          ? ['prime256v1', 'secp384r1']
          : ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1']
      t.match(terms({ floor }).found, { groups: expected, missingGroups: [] }, floor)
    }
    const own = terms({ groups: ['secp384r1', 'nonsense'] })
    t.same(own.found?.groups, ['secp384r1'])
    t.match(own.said, [/^warning: groups: this OpenSSL does not have nonsense; left out$/])
  },
)

t.test('what has no effect, and what costs something, is warned of', async t => {
  t.match(terms({ ciphers: 'HIGH:DES-CBC3-SHA' }).said, [/^warning: ciphers: "DES-CBC3-SHA" is of the past.*left out$/])
  t.match(terms({ ciphers: 'ALL:ADH' }).said, [/^warning: ciphers: "ADH" authenticates nobody/])
  t.match(terms({ ciphers: 'HIGH:@SECLEVEL=1' }).said, [/^warning: ciphers: @SECLEVEL=1 lets short keys and SHA-1/])
  t.same(terms({ ciphers: 'HIGH:@SECLEVEL=3' }).said, [])
})

t.test('terms that leave nothing over are refused with their cure', async t => {
  const rows: readonly (readonly [z.input<typeof Terms>, RegExp])[] = [
    [{ minimum: '1.3', maximum: '1.2' }, /^maximum: no version is left/],
    [{ floor: 'mozilla-modern', maximum: '1.2' }, /^maximum: no version is left/],
    [{ protocols: 'tls1_2', minimum: '1.3' }, /^protocols: no version is left of TLS 1\.2/],
    [
      { floor: 'mozilla-old', protocols: 'tls1_1,tls1_3' },
      /^protocols: TLS 1\.2 is missing between TLS 1\.1 and TLS 1\.3/,
    ],
    [
      { minimum: '1.3', ciphers: 'HIGH' },
      /^ciphers: these ciphers are for TLS 1\.2 and older.*leave them out, or name/,
    ],
    [{ minimum: '1.3', ciphers: 'ADH' }, /^ciphers: these ciphers are for TLS 1\.2 and older/],
    [
      { maximum: '1.2', ciphers: ['HIGH', 'TLS_AES_128_GCM_SHA256'] },
      /^ciphers: TLS_AES_128_GCM_SHA256: for TLS 1\.3, which/,
    ],
    [{ ciphers: 'TLS_AES_128_GCM_SHA256' }, /^ciphers: these are suites of TLS 1\.3 alone, and TLS 1\.2 is allowed/],
    [{ floor: 'mozilla-modern', minimum: '1.2' }, /^minimum: .*no cipher suites for TLS 1\.2; name some under ciphers/],
    [{ floor: 'mozilla-modern', protocols: '1.2,1.3' }, /^protocols: .*no cipher suites for TLS 1\.2; name some/],
    [{ floor: 'mozilla-old', ciphers: 'AESGCM' }, /^ciphers: no cipher suite for TLS 1\.0 is left of "AESGCM"/],
    [{ floor: 'mozilla-old', ciphers: 'HIGH:@SECLEVEL=1' }, /^ciphers: @SECLEVEL=1 switches TLS 1\.0 and 1\.1 off/],
    [{ ciphers: 'NOSUCH' }, /^ciphers: OpenSSL knows no "NOSUCH"; check its spelling$/],
    [
      { ciphers: 'aNULL' },
      /^ciphers: no cipher suite for TLS 1\.2 is left of "aNULL": "aNULL" authenticates nobody.*write HIGH/,
    ],
    [{ ciphers: 'ADH:!LOW:!MD5:!EXP:!3DES:@STRENGTH' }, /^ciphers: no cipher suite for TLS 1\.2 is left of "ADH:!LOW/],
    [{ ciphers: ['!DHE'] }, /^ciphers: no cipher suite for TLS 1\.2 is left of "!DHE"/],
    [{ ciphers: ':' }, /^ciphers: no cipher suite for TLS 1\.2 is left of ":"/],
    [{ groups: ['nonsense'] }, /^groups: OpenSSL knows none of these groups: nonsense$/],
    [
      { groups: ['X25519MLKEM768'] },
      /^groups: X25519MLKEM768: for TLS 1\.3 alone, and TLS 1\.2 is allowed; name X25519/,
    ],
  ]
  for (const [written, expected] of rows) {
    const { found, said } = terms(written)
    t.equal(found, undefined, JSON.stringify(written))
    t.match(said, [expected], JSON.stringify(written))
  }
  t.match(terms({ minimum: '1.3', groups: ['X25519MLKEM768'] }).found, { groups: ['X25519MLKEM768'] })
})
