/**
 * Whom a client certificate names: read from real handshakes, with certificates good, odd and forged.
 */
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { type RealmsSection, realmsSection } from '../../src/config/realm.ts'
import { fileScalars } from '../../src/config/scalars.ts'
import { createCertificateReader, type Reading } from '../../src/identity/client-certificate.ts'
import { generateKeys, privateKeyPem } from '../../src/issuer/keys.ts'
import { leafExtensions, sign, validityOf } from '../../src/issuer/sign.ts'
import { fingerprintOf, type Truststore } from '../../src/tls/truststore.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { certificateMaker, type Pair, startDoor } from './real-handshake.ts'

const realm = (written: object = {}) =>
  realmsSection(fileScalars(path => path)).parse({ certificate: written }).certificate
const reader = (realms: RealmsSection['certificate'], truststore: Truststore | undefined) =>
  createCertificateReader({ realms, trust: { truststore, depth: 0, only: undefined }, revoked: () => undefined })
const said = (answer: Reading) =>
  answer.kind === 'proven' ? answer.principal.name : answer.kind === 'refused' ? answer.reason : answer.kind
const printOf = ({ cert }: Pick<Pair, 'cert'>) => fingerprintOf(new X509Certificate(cert))
const day = 86_400_000

const leaf = 'basicConstraints=critical,CA:FALSE'
const forClients = [leaf, 'extendedKeyUsage=clientAuth']

t.test('a client certificate', async t => {
  if (!requireReal(t, ['openssl'])) return
  const authority = await startAuthority(t)
  const make = certificateMaker(t, authority)
  const pairOf = ({ chainPem, keyPem }: { chainPem: string; keyPem: string }): Pair => ({ cert: chainPem, key: keyPem })
  const door = await startDoor(t, authority, [authority.caPem])
  const alice = pairOf(await authority.client('alice', { email: 'alice@example.org' }))

  await t.test('of our authority names its holder, and nobody without one', async t => {
    const read = reader(realm({ groups: ['nodes', 'guests'] }), door.truststore)
    t.match(read((await door.meet(alice)).peer, Date.now()), {
      kind: 'proven',
      principal: {
        name: 'alice',
        realm: 'certificate',
        groups: new Set(['nodes', 'guests']),
        proof: { kind: 'certificate', fingerprint: printOf(alice) },
      },
    })
    t.same(read((await door.meet()).peer, Date.now()), { kind: 'absent' })
    const closed = reader(realm(), undefined)
    t.equal(said(closed((await door.meet(alice)).peer, Date.now())), 'absent', 'where none is asked for none counts')
  })

  await t.test('is judged once for each connection, and again when trust has changed', async t => {
    let judged = 0
    class Counted extends Set<string> {
      override has(fingerprint: string): boolean {
        judged++
        return super.has(fingerprint)
      }
    }
    const trust = { ...door.truststore, singles: new Counted(door.truststore.singles) }
    const one = await door.meet(alice)
    const looksOf = (read: ReturnType<typeof reader>, { peer }: typeof one) => {
      judged = 0
      t.equal(said(read(peer, Date.now())), 'alice')
      return judged
    }
    const read = reader(realm(), trust)
    const looks = looksOf(read, one)
    t.ok(looks > 0)
    for (let times = 0; times < 100; times++) t.equal(looksOf(read, one), 0)
    t.equal(looksOf(reader(realm(), trust), one), looks, 'a reader for each state of trust')
  })

  await t.test('is refused with its reason when the chain does not hold', async t => {
    const read = reader(realm(), door.truststore)
    const rogue = pairOf(await authority.rogueClient('alice'))
    const expired = pairOf(await authority.client('alice', { now: new Date(Date.now() - 10 * day), days: 1 }))
    const child = make({ subject: '/CN=admin', by: alice, extensions: forClients })
    const early = pairOf(await authority.client('alice', { now: new Date(Date.now() + 5 * day), days: 1 }))
    const rows: Record<string, readonly [Pair, string]> = {
      'another authority of the same name': [rogue, 'certificate-not-trusted'],
      'its own authority': [
        make({ subject: '/CN=alice', by: null, extensions: forClients }),
        'certificate-not-trusted',
      ],
      'a leaf of our authority': [{ ...child, cert: `${child.cert}${alice.cert}` }, 'certificate-not-trusted'],
      'for servers only': [
        make({ subject: '/CN=alice', extensions: [leaf, 'extendedKeyUsage=serverAuth'] }),
        'certificate-wrong-use',
      ],
      'for signing code': [
        make({ subject: '/CN=alice', extensions: [leaf, 'extendedKeyUsage=codeSigning'] }),
        'certificate-wrong-use',
      ],
      'an authority below ours': [
        make({ subject: '/CN=Staff CA', extensions: ['basicConstraints=critical,CA:TRUE'] }),
        'certificate-wrong-use',
      ],
      ended: [expired, 'certificate-expired'],
      'not begun': [early, 'certificate-not-yet-valid'],
    }
    for (const [title, [pair, reason]] of Object.entries(rows)) {
      t.equal(said(read((await door.meet(pair)).peer, Date.now())), reason, title)
    }
  })

  await t.test('without any purpose written in it is for all of them', async t => {
    const read = reader(realm(), door.truststore)
    t.equal(
      said(read((await door.meet(make({ subject: '/CN=old node', extensions: [leaf] }))).peer, Date.now())),
      'old node',
    )
  })

  await t.test('ends when its time is over, on a connection that stays open', async t => {
    const read = reader(realm(), door.truststore)
    const { peer } = await door.meet(pairOf(await authority.client('alice', { days: 30 })))
    t.equal(said(read(peer, Date.now())), 'alice')
    t.equal(said(read(peer, Date.now() + 29 * day)), 'alice')
    t.equal(said(read(peer, Date.now() + 31 * day)), 'certificate-expired')
    t.equal(said(read(peer, Date.now() - day)), 'certificate-not-yet-valid', 'or when the clock was set back')
  })

  await t.test('must carry exactly one name of the kind that is asked for', async t => {
    const read = reader(realm(), door.truststore)
    const subjects: Record<string, string> = {
      '/CN=Jürgen Müller': 'Jürgen Müller',
      '/CN=a, CN=admin': 'a, CN=admin',
      '/CN=admin\\/CN=user': 'admin/CN=user',
      '/O=x/CN=alice/OU=y': 'alice',
      '/CN=alice/CN=admin': 'certificate-without-one-name',
      '/CN=alice+CN=admin': 'certificate-without-one-name',
      '/O=nobody': 'certificate-without-one-name',
      '/CN= ': 'certificate-without-one-name',
      '/CN=ali\nce': 'certificate-without-one-name',
      '/CN=ali\u0007ce': 'certificate-without-one-name',
      '/CN=ali\u202ece': 'certificate-without-one-name',
      '/CN=ali\u2028ce': 'certificate-without-one-name',
      '/CN=ali\u00adce': 'certificate-without-one-name',
    }
    for (const [subject, expected] of Object.entries(subjects)) {
      const pair = make({ subject, extensions: forClients })
      t.equal(said(read((await door.meet(pair)).peer, Date.now())), expected, encodeURIComponent(subject))
    }
  })

  await t.test('with NUL in its name is not the one before the NUL', async t => {
    const read = reader(realm(), door.truststore)
    const { publicKey, privateKey } = await generateKeys('ec-p256')
    const extensions = leafExtensions({ serverAuth: false, clientAuth: true, keyEncipherment: false, names: [] })
    const made = await sign(
      { commonName: 'admin\0.evil', publicKey, extensions, ...validityOf(new Date(), 2) },
      authority.authority,
    )
    const pair = { cert: made.toString('pem'), key: privateKeyPem(privateKey) }
    t.equal(said(read((await door.meet(pair)).peer, Date.now())), 'certificate-without-one-name')
  })

  await t.test('can be named by what stands beside its subject', async t => {
    const upn = 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@corp.example'
    const many = `subjectAltName=email:alice@example.org,${upn},DNS:ct1.example.org,URI:urn:node:1`
    const pair = make({ subject: '/CN=alice', extensions: [...forClients, many] })
    const { peer } = await door.meet(pair)
    const by = (name: string) => said(reader(realm({ name }), door.truststore)(peer, Date.now()))
    t.equal(by('email'), 'alice@example.org')
    t.equal(by('upn'), 'alice@corp.example')
    t.equal(by('dns'), 'ct1.example.org')
    t.equal(by('uri'), 'urn:node:1')
    t.equal(by('serial'), new X509Certificate(pair.cert).serialNumber)
    t.equal(by('fingerprint'), printOf(pair))

    const two = make({
      subject: '/CN=alice',
      extensions: [...forClients, 'subjectAltName=email:a@x.org,email:b@x.org'],
    })
    const read = reader(realm({ name: 'email' }), door.truststore)
    t.equal(said(read((await door.meet(two)).peer, Date.now())), 'certificate-without-one-name')
    const none = make({ subject: '/CN=alice/emailAddress=a@x.org', extensions: forClients })
    t.equal(
      said(read((await door.meet(none)).peer, Date.now())),
      'certificate-without-one-name',
      'not the one in the subject',
    )
  })

  await t.test('trusted as it is needs neither authority nor purpose, and vouches for nobody else', async t => {
    const bare = make({ subject: '/CN=bare', by: null })
    const forServers = make({ subject: '/CN=pacs', by: null, extensions: [leaf, 'extendedKeyUsage=serverAuth'] })
    const signer = make({ subject: '/CN=signer', by: null, extensions: ['keyUsage=digitalSignature,keyCertSign'] })
    const issued = pairOf(await authority.client('issued'))
    const selfMade = make({
      subject: '/CN=openssl default',
      by: null,
      extensions: ['basicConstraints=critical,CA:TRUE'],
    })
    const trusted = [
      bare.cert,
      forServers.cert,
      signer.cert,
      issued.cert.slice(0, issued.cert.indexOf(authority.caPem)),
      selfMade.cert,
    ]
    const singles = await startDoor(t, authority, trusted)
    const people = { [`sha256:${printOf(issued)}`]: 'ct-scanner-1', [printOf(selfMade)]: 'workstation' }
    const read = reader(realm({ people }), singles.truststore)
    const holder = async (pair: Pair) => said(read((await singles.meet(pair)).peer, Date.now()))
    t.equal(await holder(bare), 'bare')
    t.equal(await holder(forServers), 'pacs')
    t.equal(await holder(issued), 'ct-scanner-1', 'named by the configuration')
    t.equal(await holder(selfMade), 'workstation', 'also if it calls itself an authority, as openssl makes them')

    t.equal(await holder(alice), 'certificate-not-trusted', 'its authority is not among the trusted')
    for (const by of [bare, forServers, signer, issued]) {
      const child = make({ subject: '/CN=admin', by, extensions: forClients })
      t.match(await holder({ ...child, cert: `${child.cert}${by.cert}` }), /^certificate-(not-trusted|wrong-use)$/)
    }
    const late = read((await singles.meet(bare)).peer, Date.now() + 3 * day)
    t.equal(said(late), 'certificate-expired', 'its dates count all the same')
  })

  await t.test('below an authority that is not itself trusted needs the chain up to one that is', async t => {
    const ca = ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign']
    const root = make({ subject: '/CN=Root', by: null, extensions: ca })
    const between = make({ subject: '/CN=Staff CA', by: root, extensions: ca })
    const bob = make({ subject: '/CN=bob', by: between, extensions: forClients })
    const rooted = await startDoor(t, authority, [root.cert])
    const read = reader(realm(), rooted.truststore)
    const whole = { ...bob, cert: `${bob.cert}${between.cert}` }
    t.equal(said(read((await rooted.meet(whole)).peer, Date.now())), 'bob')
    t.equal(said(read((await rooted.meet(bob)).peer, Date.now())), 'certificate-not-trusted', 'without the one between')

    const below = make({ subject: '/CN=Staff CA', extensions: ca })
    const eve = make({ subject: '/CN=eve', by: below, extensions: forClients })
    const tooDeep = { ...eve, cert: `${eve.cert}${below.cert}` }
    const ours = reader(realm(), door.truststore)
    t.equal(
      said(ours((await door.meet(tooDeep)).peer, Date.now())),
      'certificate-not-trusted',
      'ours may have none below',
    )
  })

  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    await t.test(`is not carried over by a session taken up again (${version})`, async t => {
      const read = reader(realm(), door.truststore)
      const terms = { minVersion: version, maxVersion: version }
      const first = await door.meet(alice, terms)
      t.equal(said(read(first.peer, Date.now())), 'alice')
      await new Promise(resolve => setTimeout(resolve, 50))
      const again = await door.meet({}, { ...terms, ...(first.session && { session: first.session }) })
      t.equal(again.peer.isSessionReused(), false)
      t.equal(said(read(again.peer, Date.now())), 'absent')
    })
  }
})
