// How a server that we call is judged, row by row of what OMERO clients (IceSSL), Orthanc peers and Check Point scripts
// can ask for. Every row is a real handshake; what is refused must not have been sent a byte.
import t from 'tap'
import { connectPeer } from '../../src/tls/connect-peer.ts'
import { PeerRefusal } from '../../src/tls/peer-verdict.ts'
import { requireReal } from '../fixture/real.ts'
import { authorityWish, labTools, type Pair, sha1Of, sha256Of, spkiOf, startPeerLab, startTlsPeer } from './peer-lab.ts'
import { readTrust, section, trustOf } from './trusted.ts'

if (!requireReal(t, labTools)) process.exit(0)

const lab = startPeerLab(t)
const san = 'subjectAltName=DNS:localhost,DNS:pacs.test,DNS:*.wild.test,IP:127.0.0.1'
const leafLines = ['basicConstraints=critical,CA:FALSE', 'extendedKeyUsage=serverAuth']
const root = lab.make(authorityWish('/CN=Peer Root'))
const inner = lab.make(authorityWish('/CN=Peer Inner', root))
const innermost = lab.make(authorityWish('/CN=Peer Innermost', inner))
const other = lab.make(authorityWish('/CN=Peer Root'))
const leaf = (by: Pair, ...more: string[]) =>
  lab.make({ subject: '/O=Lab/CN=leaf', extensions: [...leafLines, ...more], by })
const chained = (pair: Pair, ...above: Pair[]): Pair => ({
  ...pair,
  cert: [pair, ...above].map(one => one.cert).join(''),
})

const servers = {
  'by the root': leaf(root, san),
  'three deep': chained(leaf(inner, san), inner),
  'four deep': chained(leaf(innermost, san), innermost, inner),
  'by a namesake': leaf(other, san),
  'a common name only': lab.make({ subject: '/CN=omero.test', extensions: leafLines, by: root }),
  'a wildcard in its common name': lab.make({ subject: '/CN=*.example.org', extensions: leafLines, by: root }),
  'self-signed, an authority': lab.make({ subject: '/CN=localhost', extensions: ['basicConstraints=CA:TRUE'] }),
  'self-signed, no authority': lab.make({ subject: '/CN=localhost', extensions: ['basicConstraints=CA:FALSE'] }),
  'self-signed, silent': lab.make({ subject: '/L=OMERO/O=OMERO.server/CN=localhost' }),
  'for clients only': lab.make({ extensions: [san, 'extendedKeyUsage=clientAuth'], by: root }),
  'a short key': lab.make({ extensions: [san, ...leafLines], by: root, algorithm: ['rsa:1024'] }),
} as const
type ServerName = keyof typeof servers
const caOf = (name: string, ...pairs: readonly Pair[]) => lab.put(name, ...pairs.map(({ cert }) => cert))
const rootFile = caOf('root.pem', root)
const wholeFile = caOf('whole.pem', other, root, inner, innermost)

/** A port for each, opened when first asked for. */
const open = new Map<string, ReturnType<typeof startTlsPeer>>()
const serverOf = (name: ServerName) => {
  const { cert, key } = servers[name]
  // A key of 1024 bits is shown only at level 0.
  const options = { cert, key, ...(name === 'a short key' ? { ciphers: 'DEFAULT:@SECLEVEL=0' } : {}) }
  const server = open.get(name) ?? startTlsPeer(t, options)
  open.set(name, server)
  return server
}

/** Undefined: believed. */
async function refusalOf(name: ServerName, written: object, host = '127.0.0.1'): Promise<PeerRefusal | undefined> {
  const { port } = await serverOf(name)
  try {
    const socket = await connectPeer({ host, port }, trustOf(written), { timeout: 3_000 })
    socket.destroy()
    return undefined
  } catch (cause) {
    if (cause instanceof PeerRefusal) return cause
    throw cause
  }
}

type Row = readonly [server: ServerName, written: object, refused?: readonly [check: string, said: RegExp]]
const pin = (name: ServerName) => `sha256:${sha256Of(servers[name].cert)}`
const wrongPin = `sha256:${'AB:'.repeat(32).slice(0, -1)}`

const rows: Record<string, Row> = {
  '002 peer: HttpsCACertificates vouches for it': ['by the root', { ca: rootFile }],
  '002 peer: the CA file is named when nothing in it vouches': [
    'by a namesake',
    { ca: rootFile },
    ['chain', /not trusted: nothing in .*root\.pem vouches for it \(.*what it presents: sallyport certs fetch 127/s],
  ],
  '002 peer: self-signed fails without its certificate': [
    'self-signed, an authority',
    { ca: rootFile, checkName: false },
    ['chain', /DEPTH_ZERO_SELF_SIGNED_CERT/],
  ],
  'several authorities in one file': ['by the root', { ca: wholeFile }],
  '000 UsePlatformCAs: a private authority is none of them': [
    'by the root',
    { platformCas: true },
    ['chain', /nothing in the trust store of this machine vouches/],
  ],
  '000 neither CAs nor pins: the platform decides': ['by the root', {}, ['chain', /trust store of this machine/]],

  'an own anchor: self-signed, CA:TRUE': [
    'self-signed, an authority',
    { ca: servers['self-signed, an authority'].certFile, name: 'localhost' },
  ],
  'an own anchor: self-signed, CA:FALSE': [
    'self-signed, no authority',
    { ca: servers['self-signed, no authority'].certFile, name: 'localhost' },
  ],
  "an own anchor: OMERO's self-signed server.pem": [
    'self-signed, silent',
    { ca: servers['self-signed, silent'].certFile, name: 'localhost' },
  ],
  'an own anchor: a leaf without its authority': ['by the root', { ca: servers['by the root'].certFile }],
  'an own anchor vouches for nobody else': [
    'by the root',
    { ca: servers['self-signed, no authority'].certFile },
    ['chain', /nothing in/],
  ],
  'an authority below another, alone in the file': ['three deep', { ca: caOf('inner.pem', inner) }],
  'not meant for servers': ['for clients only', { ca: rootFile }, ['chain', /not meant for servers .*INVALID_PURPOSE/]],
  'a key that is too short': ['a short key', { ca: rootFile }, ['chain', /too small/]],

  '000 CheckCertName: the address is in the certificate': ['by the root', { ca: rootFile, checkName: true }],
  '000 CheckCertName: it is not': [
    'a common name only',
    { ca: rootFile },
    ['name', /is for CN=omero\.test, and 127\.0\.0\.1 is expected/],
  ],
  '000 CheckCertName=0': ['a common name only', { ca: rootFile, checkName: false }],
  '000 CheckCertName: another name is expected': ['by the root', { ca: rootFile, name: 'pacs.test' }],
  '000 CheckCertName: another name, which it is not': [
    'by the root',
    { ca: rootFile, name: 'evil.test' },
    ['name', /DNS:pacs\.test.* evil\.test is expected/],
  ],
  '000 CheckCertName: the common name counts where there is no SAN': [
    'a common name only',
    { ca: rootFile, name: 'omero.test' },
  ],
  '000 CheckCertName: the common name does not count beside a SAN': [
    'by the root',
    { ca: rootFile, name: 'leaf' },
    ['name', /leaf is expected/],
  ],
  'a wildcard is for one label': ['by the root', { ca: rootFile, name: 'a.wild.test' }],
  'a wildcard is for one label only': [
    'by the root',
    { ca: rootFile, name: 'a.b.wild.test' },
    ['name', /a\.b\.wild\.test is expected/],
  ],
  'another address is expected': ['by the root', { ca: rootFile, name: '127.0.0.2' }, ['name', /127\.0\.0\.2/]],

  '000 VerifyDepthMax: 0 is no limit': ['four deep', { ca: rootFile, depth: 0 }],
  '000 VerifyDepthMax counts the leaf and the root: 2 of 2': ['by the root', { ca: rootFile, depth: 2 }],
  '000 VerifyDepthMax: 2 of 1': ['by the root', { ca: rootFile, depth: 1 }, ['depth', /too long: 2 in it.*at most 1/]],
  '000 VerifyDepthMax: 3 of 3': ['three deep', { ca: rootFile, depth: 3 }],
  '000 VerifyDepthMax: 3 of 2': ['three deep', { ca: rootFile, depth: 2 }, ['depth', /3 in it/]],
  '000 VerifyDepthMax: 4 of 3': ['four deep', { ca: rootFile, depth: 3 }, ['depth', /4 in it/]],
  '000 VerifyDepthMax: 4 of 4': ['four deep', { ca: rootFile, depth: 4 }],
  'depth counts up to the root that is in the file': ['three deep', { ca: wholeFile, depth: 2 }, ['depth', /3 in it/]],
  'depth counts up to the authority in the file': ['three deep', { ca: caOf('inner2.pem', inner), depth: 2 }],
  'depth of a certificate that is its own anchor is 1': [
    'self-signed, no authority',
    { ca: servers['self-signed, no authority'].certFile, checkName: false, depth: 1 },
  ],

  '000 TrustOnly admits': ['by the root', { ca: rootFile, only: 'CN=nobody;CN=leaf,O=Lab' }],
  '000 TrustOnly does not admit': [
    'by the root',
    { ca: rootFile, only: 'CN=nobody' },
    ['only', /does not admit CN=leaf,O=Lab/],
  ],
  '000 TrustOnly rejects': ['by the root', { ca: rootFile, only: '!CN=leaf' }, ['only', /does not admit/]],
  '000 TrustOnly: CN=*.b is the wildcard certificate': [
    'a wildcard in its common name',
    { ca: rootFile, only: 'CN=a;CN=*.example.org', name: 'omero.example.org' },
  ],
  '000 TrustOnly is no substitute for the chain': ['by a namesake', { ca: rootFile, only: 'CN=leaf' }, ['chain', /./]],

  '003 a pin in place of an authority: self-signed': ['self-signed, silent', { pins: [pin('self-signed, silent')] }],
  '003 SHA-1 with colons': ['self-signed, silent', { pins: [sha1Of(servers['self-signed, silent'].cert)] }],
  '003 SHA-1 without colons, lower case': [
    'self-signed, silent',
    { pins: [sha1Of(servers['self-signed, silent'].cert).replaceAll(':', '').toLowerCase()] },
  ],
  '003 fingerprint mismatch': [
    'self-signed, silent',
    { pins: [wrongPin] },
    ['pin', new RegExp(`fingerprint mismatch: expected ${wrongPin}, actual ${pin('self-signed, silent')}`)],
  ],
  '003 no pin, no check of a fingerprint': ['by the root', { ca: rootFile }],
  'any pin of a list': ['by the root', { pins: [wrongPin, `spki-sha256:${spkiOf(servers['by the root'].cert)}`] }],
  'none of a list, in the forms that were written': [
    'by the root',
    { pins: [wrongPin.toLowerCase(), `sha256//${spkiOf(root.cert)}`, sha1Of(root.cert).replaceAll(':', ' ')] },
    [
      'pin',
      new RegExp(
        `expected sha256:ab:[ab:]+ or sha256//\\S{44} or [0-9A-F ]{59}, actual sha256:${sha256Of(servers['by the root'].cert).toLowerCase()} and sha256//${spkiOf(servers['by the root'].cert).replaceAll('+', '\\+')} and ${sha1Of(servers['by the root'].cert).replaceAll(':', ' ')}`,
      ),
    ],
  ],
  'a pin of the authority is no pin of the server': [
    'by the root',
    { pins: [`sha256:${sha256Of(root.cert)}`] },
    ['pin', /mismatch/],
  ],
  'ca and pin: both fit': ['by the root', { ca: rootFile, pins: [pin('by the root')] }],
  'ca and pin: the pin does not': ['by the root', { ca: rootFile, pins: [wrongPin] }, ['pin', /mismatch/]],
  'ca and pin: the authority does not': [
    'by a namesake',
    { ca: rootFile, pins: [pin('by a namesake')] },
    ['chain', /nothing in/],
  ],
  'platformCas and pin: the platform must vouch, too': [
    'self-signed, silent',
    { platformCas: true, pins: [pin('self-signed, silent')] },
    ['chain', /trust store of this machine/],
  ],
  'a pin and a name that is written down': [
    'self-signed, silent',
    { pins: [pin('self-signed, silent')], name: 'other.test' },
    ['name', /other\.test is expected/],
  ],
  'a pin and only': [
    'self-signed, silent',
    { pins: [pin('self-signed, silent')], only: '!CN=localhost' },
    ['only', /./],
  ],
}
for (const [title, [server, written, refused]] of Object.entries(rows)) {
  t.test(title, async t => {
    const there = await serverOf(server)
    const before = there.received
    const refusal = await refusalOf(server, written)
    if (refused === undefined) {
      t.equal(refusal?.message, undefined)
      return
    }
    t.equal(refusal?.check, refused[0], refusal?.message ?? 'believed')
    t.match(refusal?.message, refused[1])
    t.equal(there.received, before, 'nothing was said to it')
  })
}

t.test('what would check nothing, or contradicts itself, is refused as it is written', async t => {
  const said = (written: object) =>
    section.safeParse(written).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  const refused: readonly (readonly [object, RegExp])[] = [
    [{ platformCas: false }, /^platformCas: without platform authorities a ca or pins are needed$/],
    [{ platformCas: false, only: 'CN=a' }, /^platformCas: /],
    [{ platformCas: false, depth: 2 }, /^platformCas: /],
    [{ ca: 'a', platformCas: true }, /^platformCas: name either/],
    [{ pins: [pin('by the root')], depth: 2 }, /^depth: pins alone verify no chain/],
    [{ pins: [] }, /^pins: name a fingerprint/],
    [{ pins: ['sha1:AB'] }, /^pins\.0: "sha1:AB" is no fingerprint/],
    [{ only: '' }, /^only: write a name/],
    [{ only: 'CN' }, /^only: "=" is missing/],
    [{ depth: -1 }, /^depth: /],
    [{ depth: 1.5 }, /^depth: /],
    [{ name: 'a b' }, /^name: write a host name/],
    [{ name: 'a\0.test' }, /^name: write a host name/],
    [{ name: 'pacs。test' }, /^name: write a host name/],
    [{ key: 'k' }, /^certificate: a key needs its certificate/],
  ]
  for (const [written, expected] of refused) t.match(said(written)?.[0], expected, JSON.stringify(written))
  t.same(said({ platformCas: false, pins: [pin('by the root')] }), undefined, 'pins alone')
})

t.test('what is weak is warned of when it is read', async t => {
  const sha1 = sha1Of(root.cert)
  t.match(readTrust({ pins: [sha1, pin('by the root')] }).said, [/^warning: pins: .* is SHA-1, of which forgeries/])
  t.match(readTrust({ checkName: false }).said, [/^warning: checkName: any server with a certificate of any public/])
  for (const written of [{ ca: rootFile, checkName: false }, { checkName: false, only: 'CN=a' }, { platformCas: true }])
    t.same(readTrust(written).said, [])
})
