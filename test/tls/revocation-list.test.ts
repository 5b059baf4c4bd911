/**
 * One revocation list: what is read of it, who signed it, and which are refused by name.
 */
import t, { type Test } from 'tap'
import { type ParsedList, readRevocationLists, verifiedBy, whyNotVerifiedBy } from '../../src/tls/revocation-list.ts'
import { resignedDer } from '../fixture/odd-der.ts'
import { requireReal } from '../fixture/real.ts'
import { derOf, type ListOptions, listPem, revocationLabTools, startRevocationLab } from './revocation-lab.ts'

const read = (bytes: string | Uint8Array) => readRevocationLists(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
const mistakeIn = (bytes: string | Uint8Array) => {
  const lists = read(bytes)
  return 'mistake' in lists ? lists.mistake : 'none'
}
function only(t: Test, bytes: string | Uint8Array): ParsedList {
  const lists = read(bytes)
  if ('mistake' in lists) throw new Error(lists.mistake)
  t.equal(lists.length, 1)
  const [list] = lists
  if (list === undefined) throw new Error('no list')
  return list
}

t.test('a list', async t => {
  if (!requireReal(t, revocationLabTools)) return
  const lab = startRevocationLab(t)
  const staff = lab.authority('Staff')
  const namesake = lab.authority('Staff')
  const nodes = lab.authority('Nodes')

  await t.test('is read from PEM, from DER, and from PEM with words and Windows line ends around it', async t => {
    const pem = staff.list({ number: 7, revoked: { '0A': 'keyCompromise' } })
    const dressed = `words\n${pem.replace(/\n/g, '\r\n')}more words\n`
    for (const bytes of [pem, derOf(pem), dressed, Buffer.from(pem)]) {
      const list = only(t, bytes)
      t.equal(list.issuer, 'O=Lab, CN=Staff')
      t.equal(list.number, 7n)
      t.equal(list.entries, 1)
      t.same(list.find('a'), { revoked: new Date('2026-01-02T03:04:05Z'), reason: 'keyCompromise' })
      t.equal(list.find('b'), undefined)
      t.ok(verifiedBy(list, staff.certificate))
    }
  })

  await t.test('may stand with others in one file, of several authorities', async t => {
    const lists = read(staff.list({ number: 1 }) + nodes.list({ number: 300 }))
    if ('mistake' in lists) throw new Error(lists.mistake)
    t.same(
      lists.map(list => [list.issuer, list.number, list.entries]),
      [
        ['O=Lab, CN=Staff', 1n, 0],
        ['O=Lab, CN=Nodes', 300n, 0],
      ],
    )
    t.equal(
      mistakeIn(staff.list() + listPem(Buffer.from('rubbish'))).replace(/\(.*\)/, ''),
      'list 2: it is no revocation list ',
    )
  })

  await t.test('names serials in whatever width they were written', async t => {
    const serials = [
      '01',
      '80',
      '7F',
      '00FF',
      '0102030405060708090A0B0C0D0E0F1011121314',
      'F0E1D2C3B4A5968778695A4B3C2D1E0F',
    ]
    const list = only(t, staff.list({ revoked: Object.fromEntries(serials.map(serial => [serial, 'superseded'])) }))
    t.equal(list.entries, serials.length)
    for (const serial of serials) t.ok(list.find(serial.toLowerCase().replace(/^0+/, '')), serial)
    t.notOk(list.find('0'), 'and none that it does not name')
  })

  await t.test('gives the reason of each, and lets go whom it lets go', async t => {
    const reasons = {
      ...{ '11': 'unspecified', '12': 'keyCompromise', '13': 'CACompromise', '14': 'affiliationChanged' },
      ...{ '15': 'superseded', '16': 'cessationOfOperation', '17': 'certificateHold', '18': 'removeFromCRL' },
    }
    const list = only(t, staff.list({ revoked: reasons }))
    t.same(
      Object.keys(reasons).map(serial => list.find(serial)?.reason),
      [
        ...['unspecified', 'keyCompromise', 'cACompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation'],
        ...['certificateHold', undefined],
      ],
    )
    const when = only(
      t,
      staff.list({ revoked: { '19': 'keyTime,20260101000000Z', '1A': 'holdInstruction,holdInstructionReject' } }),
    )
    t.same([when.find('19')?.reason, when.find('1a')?.reason], ['keyCompromise', 'certificateHold'])
  })

  await t.test('of version 1, without number and extensions, is one too', async t => {
    const list = only(t, staff.list({ revoked: { '05': 'unspecified' } }))
    t.equal(list.number, undefined)
    t.ok(list.find('5'))
    t.ok(verifiedBy(list, staff.certificate))
  })

  await t.test('that does not say when it ends is read', async t => {
    const der = resignedDer(derOf(staff.list()), withoutEnd, staff.keyPem)
    const list = only(t, der)
    t.equal(list.nextUpdate, undefined)
    t.ok(verifiedBy(list, staff.certificate))
  })

  await t.test('counts only if the authority signed it, under its name, and may', async t => {
    const list = only(t, staff.list({ number: 1 }))
    t.equal(whyNotVerifiedBy(list, staff.certificate), undefined)
    t.equal(whyNotVerifiedBy(list, namesake.certificate), 'wrong-signature', 'the same name and another key')
    t.equal(whyNotVerifiedBy(list, nodes.certificate), 'other-issuer')
    const forbidden = lab.authority('Forbidden', 'keyCertSign')
    t.equal(whyNotVerifiedBy(only(t, forbidden.list()), forbidden.certificate), 'may-not-sign-lists')
    const silent = lab.authority('Silent', '')
    t.ok(verifiedBy(only(t, silent.list()), silent.certificate), 'without keyUsage an authority may do all')
    const changed = derOf(staff.list({ revoked: { '33': 'superseded' } }))
    changed[changed.indexOf(Buffer.from([0x02, 0x01, 0x33])) + 2] = 0x34
    t.equal(whyNotVerifiedBy(only(t, changed), staff.certificate), 'wrong-signature', 'one byte changed')
  })

  await t.test('is verified whatever kind of key signed it', async t => {
    const pss = ['-sigopt', 'rsa_padding_mode:pss']
    const rsa = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']
    const kinds: [string, readonly string[], ListOptions[]][] = [
      [
        'RSA',
        rsa,
        [
          {},
          { digest: 'sha512' },
          { signatureOptions: pss },
          { digest: 'sha384', signatureOptions: [...pss, '-sigopt', 'rsa_pss_saltlen:20'] },
        ],
      ],
      ['P-384', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'], [{ digest: 'sha384' }]],
      ['Ed25519', ['-algorithm', 'ED25519'], [{ digest: 'null' }]],
      ['Ed448', ['-algorithm', 'ED448'], [{ digest: 'null' }]],
    ]
    for (const [name, key, ways] of kinds) {
      const one = lab.authority(name, undefined, key)
      const other = lab.authority(name, undefined, key)
      for (const options of ways) {
        const list = only(t, one.list(options))
        t.equal(whyNotVerifiedBy(list, one.certificate), undefined, `${name} ${JSON.stringify(options)}`)
        t.equal(whyNotVerifiedBy(list, other.certificate), 'wrong-signature', `${name}, another key`)
        if (name === 'RSA')
          t.equal(whyNotVerifiedBy(list, lab.authority('RSA').certificate), 'wrong-signature', 'a key of another kind')
      }
    }
  })

  await t.test('that cannot be understood in all its parts is refused by name', async t => {
    const idp = (lines: string) => staff.list({ extensions: `issuingDistributionPoint=critical,@idp\n[idp]\n${lines}` })
    const critical = (oid: string) => staff.list({ number: 1, extensions: `${oid}=critical,ASN1:INTEGER:1` })
    t.equal(
      mistakeIn(critical('2.5.29.27')),
      'it is a delta list, which says only what changed; give the complete list',
    )
    t.match(
      mistakeIn(critical('1.3.6.1.4.1.99999.7')),
      /critical extension that is not known here \(1\.3\.6\.1\.4\.1\.99999\.7\)/,
    )
    t.match(mistakeIn(idp('indirectCRL=TRUE')), /^it is an indirect list/)
    t.match(mistakeIn(idp('onlysomereasons=keyCompromise')), /only some reasons/)
    t.match(mistakeIn(idp('onlyAA=TRUE')), /attribute certificates/)
    t.match(mistakeIn(staff.list({ digest: 'sha1' })), /^it is signed with SHA-1, which is broken/)
    const old = lab.authority('Old', undefined, ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'])
    t.match(mistakeIn(old.list({ digest: 'md5' })), /^it is signed with MD5, which is broken/)
    t.match(
      mistakeIn(old.list({ digest: 'sha1', signatureOptions: ['-sigopt', 'rsa_padding_mode:pss'] })),
      /RSA-PSS with digests other/,
    )

    // openssl has no words for these: extensions of an entry, in place of its reason.
    const entry = (bytes: string) => {
      const der = derOf(staff.list({ revoked: { '21': 'keyCompromise' } })).toString('latin1')
      return Buffer.from(der.replace('\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01', bytes), 'latin1')
    }
    t.match(
      mistakeIn(entry('\x30\x0a\x06\x03\x55\x1d\x1d\x04\x03\x0a\x01\x01')),
      /^it is an indirect list/,
      'certificateIssuer',
    )
    t.match(
      mistakeIn(entry('\x30\x0a\x06\x02\x2a\x03\x01\x01\xff\x04\x01\x00')),
      /critical extension that is not known here \(1\.2\.3\)/,
    )
    t.equal(mistakeIn(entry('\x30\x0a\x06\x02\x2a\x03\x01\x01\x00\x04\x01\x00')), 'none', 'the same, not critical')
  })

  await t.test('that is none is told as what it is', async t => {
    const whole = derOf(staff.list({ number: 3, revoked: { '21': 'keyCompromise' } }))
    t.equal(mistakeIn(''), 'it is empty')
    t.equal(mistakeIn('<html>not found</html>'), 'it is neither PEM nor DER')
    t.equal(mistakeIn(staff.certPem), 'it holds PEM, but no X509 CRL')
    t.equal(mistakeIn('-----BEGIN X509 CRL-----\nMIIB'), 'list 1 has no end')
    t.match(mistakeIn(staff.certificate.raw), /^it is no revocation list/)
    t.match(mistakeIn(Buffer.concat([whole, Buffer.from('\n')])), /bytes follow behind it/)
    const twice = Buffer.from(whole)
    const sha256 = Buffer.from('06082a8648ce3d040302', 'hex')
    twice[twice.lastIndexOf(sha256) + sha256.length - 1] = 3
    t.match(mistakeIn(twice), /two algorithms of signature/)
    for (let length = 1; length < whole.length; length += 7)
      t.not(mistakeIn(whole.subarray(0, length)), 'none', `cut at ${length}`)
  })

  await t.test('whose bytes are changed anywhere never throws, and is never believed', async t => {
    const whole = derOf(staff.list({ number: 3, revoked: { '21': 'keyCompromise', '22': 'unspecified' } }))
    for (let at = 0; at < whole.length; at++) {
      const broken = Buffer.from(whole)
      broken[at] = (broken[at] ?? 0) ^ 0x81
      const lists = read(broken)
      if (!('mistake' in lists))
        t.notOk(
          lists.some(list => verifiedBy(list, staff.certificate)),
          `byte ${at}`,
        )
    }
  })

  await t.test('of 100,000 entries is read in a moment, and a serial found in it at once', async t => {
    const serials = Array.from({ length: 100_000 }, (_, at) =>
      (0x4000_0000_0000 + at * 7919).toString(16).toUpperCase(),
    )
    const bytes = Buffer.from(
      staff.list({ number: 1, revoked: Object.fromEntries(serials.map(serial => [serial, 'superseded'])) }),
    )
    const from = performance.now()
    const list = only(t, bytes)
    const parsing = performance.now() - from
    t.equal(list.entries, 100_000)
    t.ok(parsing < 4_000, `${Math.round(parsing)} ms`)
    t.ok(verifiedBy(list, staff.certificate))
    const looking = performance.now()
    for (const serial of serials) if (list.find(serial.toLowerCase()) === undefined) t.fail(serial)
    t.ok(performance.now() - looking < 4_000)
  })
})

/** A list's nextUpdate is the second of two dates that stand side by side. */
function withoutEnd(content: string): string {
  return content.replace(/(\x17\x0d\d{12}Z)\x17\x0d\d{12}Z/, '$1')
}
