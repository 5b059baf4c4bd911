/**
 * What is said of revocation lists before the gateway starts: how they are written, and what their files hold.
 */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type RevocationSection, revocationSection } from '../../src/config/revocation.ts'
import { fileScalars } from '../../src/config/scalars.ts'
import { openLedger } from '../../src/issuer/ledger.ts'
import { signRevocationList } from '../../src/issuer/revocation-list.ts'
import { inspectRevocation } from '../../src/tls/revocation.ts'
import { readRevocationLists, verifiedBy } from '../../src/tls/revocation-list.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { revocationLabTools, startRevocationLab } from './revocation-lab.ts'
import { opened } from './revocation-opened.ts'
import { listening } from './said.ts'

t.test('a section names files and addresses, mixed, and nothing else', t => {
  const noted: string[] = []
  const section = revocationSection(
    fileScalars(
      path => `/etc/sallyport/${path}`,
      file => noted.push(file),
    ),
  )
  const lists = ['certs/crl.pem', 'HTTP://Pki.example.org/ca.crl', 'https://pki.example.org:8443/a?b=c']
  t.same(section.parse({ lists }), {
    lists: [
      { file: '/etc/sallyport/certs/crl.pem' },
      { url: 'http://pki.example.org/ca.crl' },
      { url: 'https://pki.example.org:8443/a?b=c' },
    ],
    refresh: 3_600_000,
    whenStale: 'refuse',
  })
  t.same(noted, ['/etc/sallyport/certs/crl.pem'], 'a change of the file is noticed')
  t.same(section.parse({ lists: ['a'], refresh: '5 min', whenStale: 'accept' }), {
    ...{ lists: [{ file: '/etc/sallyport/a' }], refresh: 300_000, whenStale: 'accept' },
  })

  const rows: [unknown, RegExp][] = [
    [{}, /^write a list: \[certs\/crl\.pem, http:/],
    [{ lists: [] }, /./],
    [{ lists: 'crl.pem' }, /^write a list/],
    [{ lists: [''] }, /./],
    [{ lists: [5] }, /^write the path of a list/],
    [{ lists: ['ldap://x/y'] }, /^lists are fetched over http:\/\/ or https:\/\/ only, not ldap:\/\/$/],
    [{ lists: ['file:///etc/crl.pem'] }, /not file:\/\/$/],
    [{ lists: ['http://'] }, /is not an address$/],
    [{ lists: ['http://u:letmein@x/y'] }, /^a secret is never written here/],
    [{ lists: ['http://u:letmein@'] }, /^this address is not an address$/],
    [{ lists: ['http://x/y#z'] }, /must not hold a #$/],
    [{ lists: ['a'], refresh: '500 ms' }, /^at least 1 s$/],
    [{ lists: ['a'], refresh: '30 d' }, /^at most 24 d$/],
    [{ lists: ['a'], whenStale: 'ask' }, /refuse/],
    [{ lists: ['a'], crl: 'b' }, /crl/],
  ]
  for (const [written, said] of rows) {
    const { error } = section.safeParse(written)
    t.match(error?.issues[0]?.message, said, JSON.stringify(written))
    t.notMatch(error?.message, /letmein/)
  }
  t.end()
})

t.test('files of lists', async t => {
  if (!requireReal(t, revocationLabTools)) return
  const lab = startRevocationLab(t)
  const staff = lab.authority('Staff')
  const nodes = lab.authority('Nodes')
  const truststore = [staff.certPem, nodes.certPem]
  const look = (lists: RevocationSection['lists'], trusted = truststore, whenStale: 'refuse' | 'accept' = 'refuse') => {
    const { report, said } = listening()
    inspectRevocation({ lists, refresh: 1_000, whenStale }, Date.now(), trusted, report)
    return said.map(line => line.replaceAll(lab.dir, 'DIR'))
  }
  let files = 0
  const put = (content: string) => ({ file: lab.put(`${++files}.pem`, content) })
  const both = put(staff.list() + nodes.list())

  await t.test('that fit the truststore: nothing is said', async t => {
    t.same(look([both]), [])
    t.same(look([put(staff.list()), put(nodes.list())]), [])
    const single = staff.issue('01').toString()
    t.same(look([both], [...truststore, single]), [], 'single certificates need no list')
  })

  await t.test('that cannot be read, or are none, are errors', async t => {
    mkdirSync(join(lab.dir, 'folder'))
    t.same(look([both, { file: join(lab.dir, 'none.pem') }]), ['lists: there is no file DIR/none.pem'])
    t.same(look([both, { file: join(lab.dir, 'folder') }]), ['lists: DIR/folder is a folder, not a file'])
    t.match(look([both, put('garbage')]), [/^lists: DIR\/\d+\.pem: it is neither PEM nor DER$/])
    t.match(look([both, put('')]), [/^lists: DIR\/\d+\.pem: it is empty$/])
    t.match(look([both, put(staff.certPem)]), [/^lists: DIR\/\d+\.pem: it holds PEM, but no X509 CRL$/])
    const delta = staff.list({ number: 1, extensions: '2.5.29.27=critical,ASN1:INTEGER:1' })
    t.match(look([both, put(delta)]), [/^lists: .* it is a delta list/])
  })

  await t.test('that have ended, lie in the future or fit nobody are warned of', async t => {
    t.match(look([put(staff.list({ from: -9, until: -2 }) + nodes.list())]), [
      /^warning: lists: DIR\/\d+\.pem: the list of O=Lab, CN=Staff has ended on /,
    ])
    t.match(look([put(staff.list({ from: 2, until: 9 }) + nodes.list())]), [/^warning: .* is dated in the future$/])
    const other = lab.authority('Other')
    t.match(look([both, put(other.list())]), [
      /^warning: .*: no authority of the truststore is called O=Lab, CN=Other; its list counts below one of them only$/,
    ])
    const namesake = lab.authority('Staff')
    t.match(look([both, put(namesake.list())]), [
      /^warning: .* does not count: it bears the name of an authority that did not/,
    ])
    const forbidden = lab.authority('Forbidden', 'keyCertSign')
    t.match(look([both, put(forbidden.list())], [...truststore, forbidden.certPem]), [
      /^warning: .* does not count: .* does not let it sign lists$/,
      /^warning: lists: there is no list of O=Lab, CN=Forbidden: the certificates that it issued are refused$/,
    ])
  })

  await t.test(
    'T09 that leave an authority without a list: its certificates are named before they are refused',
    async t => {
      t.same(look([put(staff.list())]), [
        'warning: lists: there is no list of O=Lab, CN=Nodes: the certificates that it issued are refused',
      ])
      t.match(look([put(staff.list())], truststore, 'accept'), [/are accepted unchecked$/])
      t.same(look([put(staff.list()), { url: 'http://pki.test/ca.crl' }]), [], 'an address may bring it')
    },
  )
})

t.test('the lists that this product writes are read by it', async t => {
  const { authority, client } = await startAuthority(t)
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-ledger-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  using ledger = openLedger(join(dir, 'sallyport.db'))
  const alice = await client('alice')
  const empty = await signRevocationList(authority, ledger)
  ledger.record({
    ...{ serial: alice.serial, subject: 'CN=alice', name: 'alice', kind: 'client', sha256: 'AB' },
    ...{ notAfter: new Date(Date.now() + 86_400_000).toISOString(), when: new Date().toISOString() },
    authority: authority.fingerprint,
  })
  ledger.revoke(alice.serial, { at: new Date(), reason: 'keyCompromise' })
  const full = await signRevocationList(authority, ledger)
  for (const [made, entries] of [
    [empty, 0],
    [full, 1],
  ] as const) {
    for (const bytes of [Buffer.from(made.pem), made.der]) {
      const lists = readRevocationLists(bytes)
      if ('mistake' in lists) return t.fail(lists.mistake)
      t.match(lists, [{ entries, number: BigInt(made.number), nextUpdate: made.nextUpdate.getTime() }])
    }
  }
  const lists = readRevocationLists(full.der)
  const ca = new X509Certificate(authority.certificatePem)
  t.ok(!('mistake' in lists) && lists.every(list => verifiedBy(list, ca)))
  const put = startRevocationLab(t).put('own.pem', full.pem)
  const { revocation, now } = opened(t, [{ file: put }])
  t.match(revocation.check(new X509Certificate(alice.certPem), ca, now()), { reason: 'keyCompromise' })
  const bob = await client('bob')
  t.equal(revocation.check(new X509Certificate(bob.certPem), ca, now()), 'good')
})
