/**
 * Cipher strings, word by word: what is understood, what is refused by name, and what no words can switch on.
 */
import t from 'tap'
import { readCiphers } from '../../src/tls/cipher-words.ts'

t.test('000: Ciphers HIGH, and where a platform does not know it a family: AES256, AES_256', async t => {
  const rows: readonly (readonly [string | readonly string[], string])[] = [
    ['HIGH', 'HIGH'],
    ['HIGH!DHE', 'HIGH:!DHE'],
    ['HIGH:!aNULL:!DHE', 'HIGH:!aNULL:!DHE'],
    ['AES256', 'AES256'],
    ['AES_256', 'AES256'],
    ['AES_128', 'AES128'],
    ['HIGH:!AES_128:!CAMELLIA_256', 'HIGH:!AES128:!CAMELLIA256'],
    [['AES_256', '!CAMELLIA'], 'AES256:!CAMELLIA'],
    ['EECDH+AESGCM EDH+AESGCM, ECDH+AES;DH+AES', 'EECDH+AESGCM:EDH+AESGCM:ECDH+AES:DH+AES'],
    ['HIGH:-AES128:+SHA@STRENGTH', 'HIGH:-AES128:+SHA:@STRENGTH'],
    ['DEFAULT:!SHA1@SECLEVEL=3', 'DEFAULT:!SHA1:@SECLEVEL=3'],
    ['HIGH:!LOW:!MD5:!EXP:!3DES:!RC4:!kECDHe:!PSK:!SRP', 'HIGH:!LOW:!MD5:!EXP:!3DES:!RC4:!kECDHe:!PSK:!SRP'],
  ]
  for (const [written, older] of rows)
    t.match(readCiphers(written), { older, suites13: [], mistakes: [], remarks: [] }, String(written))
})

t.test("002: Orthanc's list of names is taken as it is", async t => {
  // SslCiphersAccepted, as Orthanc sets it when nothing is written.
  const names = [
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-AES256-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES256-SHA384',
    'ECDHE-RSA-AES128-SHA256',
    'ECDHE-RSA-AES128-SHA',
    'ECDHE-RSA-AES256-SHA',
    'DHE-RSA-AES256-SHA',
    'DHE-RSA-AES128-SHA',
    'AES256-SHA',
    'AES128-SHA',
  ]
  t.match(readCiphers(names), { older: names.join(':'), mistakes: [], remarks: [] })
})

t.test('names of IANA are understood, and those of TLS 1.3 choose its suites', async t => {
  t.match(
    readCiphers([
      'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      'TLS_CHACHA20_POLY1305_SHA256',
      'TLS_RSA_WITH_AES_256_CBC_SHA',
      'TLS_AES_128_CCM_SHA256',
    ]),
    {
      older: 'ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA',
      suites13: ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_CCM_SHA256'],
      mistakes: [],
      remarks: [],
    },
  )
})

t.test('a name that OpenSSL would pass over in silence is refused by name', async t => {
  const rows: readonly (readonly [string | readonly string[], RegExp])[] = [
    [['ECDHE-RSA-AES256-GCM-SHA256'], /^OpenSSL knows no "ECDHE-RSA-AES256-GCM-SHA256"; check its spelling$/],
    ['HIGH:NOSUCH', /^OpenSSL knows no "NOSUCH"/],
    ['HIGH:!aNULLL', /^OpenSSL knows no "aNULLL"/],
    ['high', /^OpenSSL knows no "high"; write HIGH$/],
    ['ecdhe-rsa-aes128-sha', /^OpenSSL knows no "ecdhe-rsa-aes128-sha"; write ECDHE-RSA-AES128-SHA$/],
    ['HIGH+AESGMC', /^OpenSSL knows no "AESGMC"/],
    ['HIGH-DHE', /^OpenSSL knows no "HIGH-DHE"/],
    ['TLS_AES_128_GCM_SHA384', /^OpenSSL knows no "TLS_AES_128_GCM_SHA384"/],
    ['HIGH:DEFAULT', /^"DEFAULT" counts only as the first word/],
    ['HIGH:!DEFAULT', /^"DEFAULT" counts only as the first word/],
    ['HIGH:!TLS_AES_128_GCM_SHA256', /^suites of TLS 1\.3 are chosen by naming those that are wanted/],
    ['HIGH:@SECLEVEL=9', /^"@SECLEVEL=9" is not part of a cipher string$/],
    ['HIGH:@BOGUS', /^"@BOGUS" is not part of a cipher string$/],
    ['HIGH:!', /^"!" is not part of a cipher string$/],
    ['HIGH+', /^"HIGH\+" is not part of a cipher string$/],
    ['(AES.*)', /^"\(AES\.\*\)" is not part of a cipher string$/],
    // What follows a NUL would never reach OpenSSL, and that is where the unsafe suites are struck out.
    ['ADH:@SECLEVEL=0\0', /^"@SECLEVEL=0\\u0000" is not part of a cipher string$/],
    ['HIGH\nADH', /^"HIGH\\nADH" is not part of a cipher string$/],
  ]
  for (const [written, expected] of rows) t.match(readCiphers(written).mistakes, [expected], JSON.stringify(written))
})

t.test('what could never be negotiated is left out with its reason', async t => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['aNULL', /^"aNULL" authenticates nobody, and is never switched on; left out$/],
    ['ADH', /^"ADH" authenticates nobody/],
    ['AECDH', /^"AECDH" authenticates nobody/],
    ['ADH-AES256-SHA', /^"ADH-AES256-SHA" authenticates nobody/],
    ['AECDH-AES256-SHA', /^"AECDH-AES256-SHA" authenticates nobody/],
    ['TLS_DH_anon_WITH_AES_256_CBC_SHA', /^"TLS_DH_anon.*" authenticates nobody/],
    ['aNULL+HIGH', /^"aNULL\+HIGH" authenticates nobody/],
    ['eNULL', /^"eNULL" encrypts nothing, and is never switched on; left out$/],
    ['NULL-SHA256', /^"NULL-SHA256" encrypts nothing/],
    ['ECDHE-RSA-NULL-SHA', /^"ECDHE-RSA-NULL-SHA" encrypts nothing/],
    ['TLS_RSA_WITH_NULL_SHA', /encrypts nothing/],
    ['COMPLEMENTOFALL', /encrypts nothing/],
    ['TLS_SHA256_SHA256', /^"TLS_SHA256_SHA256" encrypts nothing/],
    ['TLS_SHA384_SHA384', /encrypts nothing/],
    ['PSK', /keys that are agreed beforehand/],
    ['SRP-RSA-AES-256-CBC-SHA', /keys that are agreed beforehand/],
    ['ECDHE-PSK-CHACHA20-POLY1305', /keys that are agreed beforehand/],
    ['DES-CBC3-SHA', /^"DES-CBC3-SHA" is of the past, and this OpenSSL no longer has it; left out$/],
    ['ECDHE-RSA-RC4-SHA', /is of the past/],
    ['3DES', /is of the past/],
    ['DHE-DSS-AES256-SHA', /is of the past/],
    ['ECDH-RSA-AES256-SHA', /is of the past/],
    ['EXP-RC4-MD5', /is of the past/],
    ['TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256', /is not in OpenSSL; left out$/],
  ]
  for (const [word, expected] of rows) {
    const read = readCiphers(`HIGH:${word}`)
    t.match(read, { older: /^HIGH$/, suites13: [], mistakes: [], remarks: [expected] }, word)
  }
})

t.test('the last security level counts', async t => {
  t.match(readCiphers('HIGH'), { level: undefined })
  t.match(readCiphers('HIGH:@SECLEVEL=1:AES@SECLEVEL=0'), { level: 0 })
})
