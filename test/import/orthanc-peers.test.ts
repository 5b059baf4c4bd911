// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Orthanc look like that
/**
 * Peers and DICOMweb servers of Orthanc in all their forms, as upstreams.
 */
import t from 'tap'
import { importText, upstreamOf } from './imported.ts'

const one = (peer: unknown, settings: object = {}) => {
  const got = importText({ OrthancPeers: { peer }, ...settings })
  return { got, said: got.said.join('\n'), upstream: got.config.upstreams['peer'] && upstreamOf(got, 'peer') }
}

t.test('a peer is an address, or an address with user and password', async t => {
  t.match(one(['http://localhost:8043/']).upstream, { kind: 'orthanc', url: 'http://localhost:8043/' })
  const named = one(['http://localhost:8043', 'alice', 's3cret'])
  t.match(named.upstream, { credentials: { username: 'alice', password: { file: '/etc/sallyport/secrets/peer' } } })
  t.match(named.said, /decide OrthancPeers\.peer: put the password into secrets\/peer \(mode 0600\)/)
  const empty = one(['http://localhost:8043', '', ''])
  t.match(empty.upstream, { credentials: undefined })
})

t.test('a form that Orthanc does not take is a problem with its line, and no upstream', async t => {
  const rows: readonly (readonly [peer: unknown, said: RegExp])[] = [
    [['http://a', 'alice'], /names a user and no password/],
    [[], /needs \[ "url" \]/],
    [['a', 'b', 's3cret', 'd'], /needs \[ "url" \]/],
    [['http://a', 1, 2], /needs \[ "url" \]/],
    ['http://a', /needs \[ "url" \]/],
    [{}, /has no Url/],
    [{ Url: '' }, /has no Url/],
    [{ Url: 7 }, /must be a text/],
    [{ Url: 'ftp://a' }, /has an address that is none/],
    [{ Url: 'https://a b' }, /has an address that is none/],
    [['http://:s3cret@'], /has an address that is none/],
  ]
  for (const [peer, said] of rows) {
    const { upstream, got } = one(peer)
    const problem = got.decisions.find(({ kind }) => kind === 'problem')
    t.match(problem?.message, said, JSON.stringify(peer))
    t.equal(problem?.line, 1)
    t.equal(upstream, undefined, 'no upstream')
  }
})

t.test("a peer in the long form: every key is an upstream's, or told", async t => {
  const peer = {
    URL: 'https://archive:8042/',
    Username: 'alice',
    Password: 's3cret',
    CertificateFile: '/pki/client.crt',
    CertificateKeyFile: 'client.key',
    CertificateKeyPassword: 's3cret-too',
    Pkcs11: false,
    HttpHeaders: { 'Accept-Language': 'de' },
    Timeout: 42,
    HasDelete: true,
  }
  const { upstream, said } = one(peer, { HttpsCACertificates: 'ca.pem', HttpTimeout: 60 })
  t.match(upstream, {
    kind: 'orthanc',
    url: 'https://archive:8042/',
    credentials: { username: 'alice', password: { file: '/etc/sallyport/secrets/peer' } },
    tls: {
      ca: '/etc/orthanc/ca.pem',
      certificate: '/pki/client.crt',
      key: '/etc/orthanc/client.key',
      password: { file: '/etc/sallyport/secrets/peer-key' },
    },
    timeouts: { idle: 42_000 },
    headers: { 'Accept-Language': 'de' },
  })
  t.match(
    said,
    /decide OrthancPeers\.peer\.CertificateKeyFile: is relative, for Orthanc to the folder in which it was started/,
  )
  t.notMatch(said, /CertificateFile: is relative/)
  t.match(said, /note OrthancPeers\.peer: "HasDelete": for Orthanc and its plugins/)
})

t.test('an empty password of a key is none', async t => {
  const peer = { Url: 'https://a', CertificateFile: 'c', CertificateKeyFile: 'k', CertificateKeyPassword: '' }
  t.match(one(peer).upstream, { tls: { certificate: '/etc/orthanc/c', key: '/etc/orthanc/k', password: undefined } })
  const { CertificateKeyFile, ...inOne } = peer
  t.match(one(inOne).upstream, { tls: { certificate: '/etc/orthanc/c', key: undefined } }, 'both in one file')
})

t.test('a password from a variable stays one', async t => {
  const text = (password: string) =>
    `{ "OrthancPeers": { "peer": { "Url": "https://a", "Username": "u", "Password": "${password}",
       "CertificateFile": "c", "CertificateKeyPassword": "\${KEY_PW}" } } }`
  const env = { PEER_PW: 's3cret', KEY_PW: 's3cret' }
  const got = upstreamOf(importText(text('${PEER_PW}'), env), 'peer')
  t.same(got.credentials?.password, { env: 'PEER_PW' })
  t.match(got, { tls: { password: { env: 'KEY_PW' } } })
  const mixed = upstreamOf(importText(text('x${PEER_PW}'), env), 'peer')
  t.same(mixed.credentials?.password, { file: '/etc/sallyport/secrets/peer' }, 'a part of it is no variable')
  const absent = upstreamOf(importText(text('${PEER_PW:-s3cret}'), {}), 'peer')
  t.same(absent.credentials?.password, { file: '/etc/sallyport/secrets/peer' }, 'and a default neither')
})

t.test("HttpsCACertificates is the authority; empty or absent it is the platform's", async t => {
  t.match(one(['https://a'], { HttpsCACertificates: '/tmp/certificate.crt' }).upstream, {
    tls: { ca: '/tmp/certificate.crt', platformCas: undefined },
  })
  for (const settings of [{}, { HttpsCACertificates: '' }])
    t.match(one(['https://a'], settings).upstream, { tls: { ca: undefined, platformCas: true } })
})

t.test('HttpsVerifyPeers false is never copied: the server is verified, and the draft says how', async t => {
  const { got, upstream, said } = one(['https://a'], { HttpsVerifyPeers: false })
  t.match(upstream, { tls: { platformCas: true } })
  t.notMatch(got.draft, /checkName/)
  t.match(said, /decide HttpsVerifyPeers: is false.*tls\.pins.*sallyport certs fetch HOST:PORT/)
})

t.test('a smart card cannot be had', async t => {
  const { upstream, said } = one({ Url: 'https://a', CertificateFile: 'c', Pkcs11: true })
  t.match(upstream, { tls: { certificate: undefined } })
  t.match(said, /decide OrthancPeers\.peer\.Pkcs11: a smart card or HSM cannot be used here/)
})

t.test('what an upstream cannot have is told', async t => {
  const rows: readonly (readonly [peer: unknown, said: RegExp])[] = [
    [['https://a/orthanc/'], /is reached under "\/orthanc": give its route the same path, without strip/],
    [['https://alice:s3cret@a/'], /has a user or password inside its address/],
    [['https://a/?token=s3cret'], /has an address with \? or #/],
    [['a:8042'], /note OrthancPeers\.peer: has an address without http/],
    [{ Url: 'http://a', CertificateFile: 'c' }, /decide .*CertificateFile: is of no use over http/],
    [{ Url: 'https://a', CertificateKeyFile: 'k' }, /note .*CertificateKeyFile: is not used by Orthanc either/],
    [{ Url: 'https://a', Password: 's3cret' }, /problem .*has a password and no user name/],
    [{ Url: 'https://a', Username: 'a:b', Password: 's3cret' }, /problem .*a user name with a colon/],
    [{ Url: 'https://a', Username: 'a', Password: '' }, /decide .*an empty password/],
    [
      { Url: 'https://a', HttpHeaders: { Authorization: 's3cret' } },
      /decide .*HttpHeaders\.Authorization: may be a secret/,
    ],
    [{ Url: 'https://a', HttpHeaders: { 'X-Api-Key': 's3cret' } }, /decide .*HttpHeaders\.X-Api-Key: may be a secret/],
    [{ Url: 'https://a', HttpHeaders: { 'Transfer-Encoding': 'x' } }, /decide .*belongs to the connection/],
    [{ Url: 'https://a', HttpHeaders: { 'no name': 'x', A: 'ü' } }, /decide .*no header of printable ASCII/],
  ]
  for (const [peer, said] of rows) {
    const got = one(peer)
    t.match(got.said, said, JSON.stringify(peer))
    t.ok(got.upstream, 'and it is an upstream all the same')
  }
})

t.test('Timeout 0 is HttpTimeout, and HttpTimeout 0 is none of ours', async t => {
  t.match(one({ Url: 'http://a', Timeout: 0 }, { HttpTimeout: 30 }).upstream, { timeouts: { idle: 30_000 } })
  t.match(one(['http://a'], { HttpTimeout: 0 }).upstream, { timeouts: { idle: 300_000 } })
  t.match(one({ Url: 'http://a', Timeout: 9_999_999 }).upstream, { timeouts: { idle: 300_000 } })
})

t.test('names that are none, or taken, are made so, and that is told', async t => {
  const long = 'x'.repeat(80)
  const got = importText({
    OrthancPeers: {
      orthanc: ['http://a'],
      '-b': ['http://b'],
      [long]: ['http://c'],
      '': ['http://d'],
      __proto__x: ['http://e'],
    },
    DicomWeb: { Servers: { 'b c': ['https://f'], b: ['https://g'], Köln: ['https://h'], '!': ['https://i'] } },
  })
  const names = Object.keys(got.config.upstreams)
  t.same(names, ['orthanc', 'orthanc-2', 'b', long.slice(0, 56), 'peer', 'proto__x', 'b-c', 'b-2', 'Koln', 'peer-2'])
  t.match(got.said.join('\n'), /note OrthancPeers\.orthanc: is called orthanc-2 in the draft/)
  t.match(got.said.join('\n'), /note DicomWeb\.Servers\."Köln": is called Koln in the draft/)
})

t.test('DICOMweb servers are upstreams too, of no kind of their own', async t => {
  const servers = {
    a: ['https://dicomweb.example.org/dicom-web/', 'u', 's3cret'],
    b: { Url: 'https://b', HasDelete: true, ChunkedTransfers: true, HasWadoRsUniversalTransferSyntax: false },
  }
  const got = importText({ DicomWeb: { Enable: true, Servers: servers } })
  t.match(got.config.upstreams, { a: { kind: 'generic' }, b: { kind: 'generic' } })
  t.match(got.said.join('\n'), /note DicomWeb\.Servers\.b: "HasDelete", "ChunkedTransfers", "HasWadoRs/)
  t.match(got.said.join('\n'), /decide DicomWeb\.Servers\.a: is reached under "\/dicom-web"/)
})

t.test('peers in the database of Orthanc are asked for there', async t => {
  const got = importText({
    OrthancPeersInDatabase: true,
    DicomModalitiesInDatabase: true,
    DicomWeb: { ServersInDatabase: true },
  })
  for (const path of ['/peers?expand', '/modalities?expand', '/dicom-web/servers?expand'])
    t.ok(got.said.join('\n').includes(`GET ${path}`), path)
})

t.test('no route is drafted to a peer', async t => {
  const { got, said } = one(['https://a'])
  t.same(
    got.config.routes.map(({ upstream }) => upstream),
    ['orthanc'],
  )
  t.match(said, /decide OrthancPeers: Orthanc goes on calling it itself/)
})
