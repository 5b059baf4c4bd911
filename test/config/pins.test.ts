// The syntax of fingerprints (seed 003, Check Point): which spelling is which digest, and what is asked back.
import t from 'tap'
import { parsePin } from '../../src/config/pins.ts'

const hex40 = '0123456789abcdef0123456789abcdef01234567'
const hex64 = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
const colons = (hex: string) => hex.toUpperCase().replace(/..(?!$)/g, '$&:')
const base64 = Buffer.from(hex64, 'hex').toString('base64')

const rows: Record<string, [written: string, kind: string, digest: string]> = {
  '003: SHA-1 as "api fingerprint" shows it, with colons': [colons(hex40), 'sha1', hex40],
  '003: SHA-1 without colons, upper case (GetCertHashString)': [hex40.toUpperCase(), 'sha1', hex40],
  '003: SHA-1 in lower case': [hex40, 'sha1', hex40],
  'SHA-1 with its name': [`sha1:${hex40}`, 'sha1', hex40],
  'SHA-1 with its name and a slash, in upper case': [`SHA1/${colons(hex40)}`, 'sha1', hex40],
  'SHA-1 with a hyphen in its name': [`SHA-1:${hex40}`, 'sha1', hex40],
  'SHA-256 with colons': [`sha256:${colons(hex64)}`, 'sha256', hex64],
  'SHA-256 without a name': [hex64, 'sha256', hex64],
  'SHA-256 with blanks': [`sha256: ${hex64.replace(/..(?!$)/g, '$& ')}`, 'sha256', hex64],
  'SHA-256 with hyphens': [hex64.replace(/..(?!$)/g, '$&-'), 'sha256', hex64],
  'SHA-256 with blanks around it': [`  ${hex64}  `, 'sha256', hex64],
  'SHA-256 of the certificate with a slash': [`sha256/${hex64}`, 'sha256', hex64],
  'the key, in base64': [`spki-sha256:${base64}`, 'spki-sha256', hex64],
  'the key, in base64 without the equals sign': [`spki-sha256:${base64.slice(0, -1)}`, 'spki-sha256', hex64],
  'the key, in hex': [`spki-sha256:${colons(hex64)}`, 'spki-sha256', hex64],
  'the key, as browsers write it': [`sha256/${base64}`, 'spki-sha256', hex64],
  'the key, as curl writes it': [`sha256//${base64}`, 'spki-sha256', hex64],
}
for (const [title, [written, kind, digest]] of Object.entries(rows)) {
  t.test(`a pin: ${title}`, async t => {
    t.match(parsePin(written), { kind, digest })
  })
}

const mistakes: Record<string, [string, RegExp]> = {
  nothing: ['', /neither hex nor base64/],
  'a name alone': ['sha256:', /neither hex nor base64/],
  'too short': ['sha1:AB', /it has 2 hex digits; SHA-256 has 64, SHA-1 has 40/],
  'a digit too many': [`${hex64}0`, /it has 65 hex digits/],
  'SHA-1 that is called SHA-256': [`sha256:${hex40}`, /40 hex digits are SHA-1/],
  'SHA-256 that is called SHA-1': [`sha1:${hex64}`, /64 hex digits are SHA-256/],
  'SHA-1 of a key': [`spki-sha256:${hex40}`, /40 hex digits are SHA-1/],
  MD5: ['0123456789abcdef0123456789abcdef', /MD5, which is broken/],
  'MD5 with its name': ['md5:0123456789abcdef0123456789abcdef', /neither hex nor base64/],
  'base64 that does not say of what': [base64, /say so with spki-sha256:/],
  'base64 behind sha256 and a colon': [`sha256:${base64}`, /say so with spki-sha256:/],
  'base64 of 31 bytes': [`spki-sha256:${Buffer.alloc(31).toString('base64')}`, /neither hex nor base64/],
  'base64 with bits that are lost': [`spki-sha256:${'A'.repeat(42)}B=`, /neither hex nor base64/],
  'something else': ['fingerprint', /neither hex nor base64/],
}
for (const [title, [written, said]] of Object.entries(mistakes)) {
  t.test(`no pin: ${title}`, async t => {
    const read = parsePin(written)
    t.match('mistake' in read ? read.mistake : 'taken', said)
  })
}
