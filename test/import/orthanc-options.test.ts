// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Orthanc look like that
/**
 * What becomes of Orthanc's web server, users and DICOM port; every draft loads (imported.ts sees to that).
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { orthancTools } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { importFiles, importText, upstreamOf, webOf } from './imported.ts'

const tls = { SslEnabled: true, SslCertificate: 'certificate.pem' }
const withUsers = { RemoteAccessAllowed: true, RegisteredUsers: { alice: 's3cret-alice' } }

t.test('an Orthanc that spoke TLS gives its port to the gateway and moves aside', async t => {
  const got = importText({ ...tls, HttpPort: 8043 })
  t.same(webOf(got).bind, [{ host: '0.0.0.0', port: 8043 }])
  t.match(upstreamOf(got, 'orthanc'), { kind: 'orthanc', url: 'http://127.0.0.1:18043/' })
  t.match(got.said.join('\n'), /^change SslEnabled: set SslEnabled to false and HttpPort to 18043/m)
  t.match(upstreamOf(importText({ ...tls, HttpPort: 60_000 }), 'orthanc').url, 'http://127.0.0.1:50000/')
})

t.test('an Orthanc without TLS keeps its port', async t => {
  const got = importText({})
  t.same(webOf(got).bind, [{ host: '0.0.0.0', port: 8443 }])
  t.equal(upstreamOf(got, 'orthanc').url, 'http://127.0.0.1:8042/')
  t.match(got.said.join('\n'), /sallyport certs server NAME/)
})

t.test('HttpBindAddresses are those of the gateway, or where Orthanc is found', async t => {
  const bound = (settings: object) => webOf(importText({ ...tls, ...settings })).bind.map(({ host }) => host)
  t.same(bound({ HttpBindAddresses: ['192.0.2.5', '2001:db8::5'] }), ['192.0.2.5', '2001:db8::5'])
  t.match(importText({ HttpBindAddresses: ['eth0'] }).said.join('\n'), /"eth0" is no IP address/)
  const found = (addresses: string[]) => upstreamOf(importText({ HttpBindAddresses: addresses }), 'orthanc').url
  t.equal(found(['192.0.2.5']), 'http://192.0.2.5:8042/')
  t.equal(found(['2001:db8::5']), 'http://[2001:db8::5]:8042/')
  t.equal(found(['192.0.2.5', '127.0.0.1']), 'http://127.0.0.1:8042/')
})

t.test('SslMinimumProtocolVersion is a minimum from 4 on; what it let in below is told with the reason', async t => {
  const rows: readonly (readonly [number: number, minimum: string | undefined, said: RegExp])[] = [
    [0, undefined, /^decide .*SSL 2 and SSL 3 in \(0\), which are broken and refused here \(RFC 7568\)/m],
    [1, undefined, /^decide .*lets SSL 3 in \(1\)/m],
    [2, undefined, /^decide .*lets TLS 1\.0 and 1\.1 in \(2\), which RFC 8996 forbids.*mozilla-old/m],
    [3, undefined, /^decide .*lets TLS 1\.1 in \(3\)/m],
    [4, 'TLSv1.2', /change SslEnabled/],
    [5, 'TLSv1.3', /change SslEnabled/],
    [6, undefined, /^problem SslMinimumProtocolVersion: 6 is no version/m],
  ]
  for (const [number, minimum, said] of rows) {
    const got = importText({ ...tls, SslMinimumProtocolVersion: number })
    t.equal(webOf(got).tls.minimum, minimum, String(number))
    t.match(got.said.join('\n'), said, String(number))
    t.equal(webOf(got).tls.floor, 'mozilla-intermediate')
  }
})

t.test('SslCiphersAccepted is a list of ciphers, without those that prove or hide nothing', async t => {
  const ciphers = (list: readonly string[], more: object = {}) => {
    const got = importText({ ...tls, SslCiphersAccepted: list, ...more })
    return { ciphers: webOf(got).tls.ciphers, said: got.said.join('\n') }
  }
  const written = ['ECDHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-AES128-SHA']
  t.same(ciphers(written).ciphers, written)
  for (const nothing of ['ADH-AES256-SHA', 'AECDH-NULL-SHA', 'NULL-SHA256', 'aNULL', 'RC4-SHA', 'EXP-DES-CBC-SHA']) {
    const got = ciphers([nothing, 'AES256-SHA'])
    t.same(got.ciphers, ['AES256-SHA'], nothing)
    t.match(got.said, `"${nothing}" proves or hides nothing`)
    t.match(got.said, /"AES256-SHA": whoever gets the server's key later/)
  }
  t.equal(ciphers(['NULL-SHA256']).ciphers, undefined)
  t.same(ciphers(['HIGH', '!MD5', '!RC4']).ciphers, ['HIGH', '!MD5', '!RC4'], 'what is taken away stays')
  t.same(ciphers(['TLS_AES_256_GCM_SHA384', 'AES256-SHA']).ciphers, ['AES256-SHA'], 'TLS 1.3 belongs to the floor')
  const onlyNew = ciphers(written, { SslMinimumProtocolVersion: 5 })
  t.equal(onlyNew.ciphers, undefined)
  t.match(onlyNew.said, /note SslCiphersAccepted: are those of TLS 1\.2/)
})

t.test('what Orthanc does not use without SslEnabled is not used either, and that is told', async t => {
  const got = importText({ SslCertificate: 'c.pem', SslMinimumProtocolVersion: 2, SslCiphersAccepted: ['x'] })
  t.match(webOf(got).keystores, [{ certificate: '/etc/sallyport/certs/server.pem' }])
  t.equal(webOf(got).tls.minimum, undefined)
  for (const key of ['SslCertificate', 'SslMinimumProtocolVersion', 'SslCiphersAccepted'])
    t.match(got.said.join('\n'), new RegExp(`^note ${key}: is not used by Orthanc`, 'm'))
})

t.test('paths are relative to the folder of the configuration of Orthanc', async t => {
  const settings = { ...tls, SslVerifyPeers: true, SslTrustedClientCertificates: '../pki/trusted.pem' }
  const got = webOf(importText(settings))
  t.match(got.keystores, [{ certificate: '/etc/orthanc/certificate.pem' }])
  t.equal(got.clients.truststore, '/etc/pki/trusted.pem')
  const windows = importText({ ...tls, SslCertificate: 'C:\\Orthanc\\certificate.pem' })
  t.match(webOf(windows).keystores, [{ certificate: '/etc/sallyport/certs/certificate.pem' }])
  t.match(windows.said.join('\n'), /decide SslCertificate: is a path on Windows/)
})

t.test('users become accounts, one command each, and their passwords stay where they are', async t => {
  const got = importText({
    ...tls,
    RemoteAccessAllowed: true,
    RegisteredUsers: { alice: 's3cret', "o'neil $(id)": 's3cret' },
  })
  t.match(
    got.said.join('\n'),
    /decide RegisteredUsers\.alice: sallyport users add alice --group orthanc-users --password-file FILE/,
  )
  t.ok(
    got.said.join('\n').includes("sallyport users add 'o'\\''neil $(id)' --group"),
    'as a shell takes it for one word',
  )
  t.ok(got.config.realms.basic)
  t.match(got.config.routes, [
    { path: '/', upstream: 'orthanc', access: [{ groups: ['orthanc-users'], may: 'everything', dangerous: false }] },
  ])
  t.same(upstreamOf(got, 'orthanc').credentials, {
    username: 'gateway',
    password: { file: '/etc/sallyport/secrets/orthanc-gateway' },
  })
  t.match(got.said.join('\n'), /change RegisteredUsers: keep one account, "gateway"/)
})

t.test('a user of whom no account can be made is a problem', async t => {
  for (const name of ['a:b', '', 'tab\there']) {
    const got = importText({ RemoteAccessAllowed: true, RegisteredUsers: { [name]: 's3cret' } })
    t.match(
      got.said.join('\n'),
      /^problem RegisteredUsers\..*: is no name that HTTP Basic can carry/m,
      JSON.stringify(name),
    )
    t.match(got.said.join('\n'), /decide RegisteredUsers: no user is registered/)
  }
  const wrong = importText({ RemoteAccessAllowed: true, RegisteredUsers: { alice: { nested: 's3cret' } } })
  t.match(wrong.said.join('\n'), /^problem RegisteredUsers\.alice: must be a text/m)
})

t.test('authentication follows remote access, as in Orthanc', async t => {
  const rows: readonly (readonly [object, boolean])[] = [
    [{ RemoteAccessAllowed: true }, true],
    [{ RemoteAccessAllowed: false }, false],
    [{ RemoteAccessAllowed: true, AuthenticationEnabled: false }, false],
    [{ RemoteAccessAllowed: false, AuthenticationEnabled: true }, true],
  ]
  for (const [settings, signsIn] of rows) {
    const got = importText({ RegisteredUsers: { alice: 's3cret' }, ...settings })
    t.equal(got.config.realms.basic, signsIn, JSON.stringify(settings))
    t.equal(upstreamOf(got, 'orthanc').credentials !== undefined, signsIn)
  }
})

t.test('a draft never opens more than Orthanc did', async t => {
  const accessIn = (settings: object) => importText(settings).config.routes[0]?.access
  t.equal(accessIn({}), 'authenticated', 'an Orthanc open to everybody on its machine is closed')
  t.equal(accessIn({ RemoteAccessAllowed: true, AuthenticationEnabled: false }), 'authenticated')
  const peers = { ...tls, SslVerifyPeers: true, SslTrustedClientCertificates: 't.pem' }
  t.match(accessIn(peers), [{ groups: ['orthanc-clients'], proof: ['certificate'], dangerous: false }])
  const both = importText({ ...peers, ...withUsers })
  t.match(both.config.routes[0]?.access, [{ groups: ['orthanc-users'] }])
  t.equal(both.config.routes[0]?.access.length, 1, 'a certificate alone opens nothing where a password was wanted too')
  t.match(both.said.join('\n'), /decide SslVerifyPeers: Orthanc wanted a certificate and a password/)
  t.notMatch(both.draft, /dangerous: true$/m)
})

t.test('limits of Orthanc become those of the upstream', async t => {
  const got = upstreamOf(importText({ HttpThreadsCount: 20, MaximumRequestBodySizeMB: 8192 }), 'orthanc')
  t.match(got, { connections: 16, maxBody: 8192 * 1024 ** 2 })
  t.equal(upstreamOf(importText({ HttpThreadsCount: 50 }), 'orthanc').connections, 40)
  t.equal(upstreamOf(importText({ HttpThreadsCount: 1 }), 'orthanc').connections, 1)
  t.equal(upstreamOf(importText({ HttpThreadsCount: 100_000 }), 'orthanc').connections, 1000)
})

t.test('values of another kind are problems with their line, and never shown', async t => {
  const got = importText(
    '{\n "RemoteAccessAllowed": "s3cret",\n "HttpPort": "s3cret",\n "SslCiphersAccepted": "s3cret",\n "RegisteredUsers": "s3cret",\n "SslEnabled": true, "SslCertificate": ["s3cret"] }',
  )
  const problems = got.decisions.filter(({ kind }) => kind === 'problem').map(({ option, line }) => `${option} ${line}`)
  t.same(problems.toSorted(), [
    'HttpPort 3',
    'RegisteredUsers 5',
    'RemoteAccessAllowed 2',
    'SslCertificate 6',
    'SslCiphersAccepted 4',
  ])
})

t.test('several files are one configuration, and an option that stands twice is a problem', async t => {
  const got = importFiles({ 'a.json': '{ "HttpPort": 8050 }', 'b.json': '{ "Name": "x", "HttpPort": 8051 }' })
  t.match(upstreamOf(got, 'orthanc').url, ':8050')
  t.match(got.said.join('\n'), /^problem HttpPort: stands in a\.json too, and Orthanc does not start then/m)
  t.match(
    got.decisions.find(({ kind }) => kind === 'problem'),
    { file: '/etc/orthanc/b.json', line: 1 },
  )
})

t.test('variables are looked up, and those that are missing are told once', async t => {
  const text = '{ "HttpPort": ${PORT:-8060}, "Name": "${SITE} ${SITE}" }'
  t.match(upstreamOf(importText(text), 'orthanc').url, ':8060')
  t.match(upstreamOf(importText(text, { PORT: '8061' }), 'orthanc').url, ':8061')
  const told = (env: Record<string, string>) => importText(text, env).said.filter(line => line.includes('SITE'))
  t.equal(told({}).length, 1)
  t.equal(told({ SITE: 'x' }).length, 0)
})

t.test('comments of a draft stay comments, whatever stands in the configuration', async t => {
  const evil = 'x\nadministrators: [everyone]\n# '
  const got = importText({
    [evil]: 1,
    ...withUsers,
    RegisteredUsers: { [evil]: 'p', '\u001b[2J': 'p' },
    OrthancPeers: { [evil]: ['https://a'] },
  })
  t.same(got.config.administrators, [])
  t.notMatch(got.said.join(''), /[\u001b\n]/)
})

t.test('the configuration that Debian ships imports, comments and all', async t => {
  if (!requireReal(t, [...orthancTools, '/etc/orthanc/orthanc.json'])) return
  const names = ['orthanc.json', 'credentials.json', 'dicomweb.json']
  const got = importFiles(Object.fromEntries(names.map(name => [name, readFileSync(`/etc/orthanc/${name}`, 'utf8')])))
  t.same(
    got.decisions.filter(({ kind }) => kind === 'problem'),
    [],
  )
  t.equal(got.config.routes[0]?.access, 'authenticated')
  t.match(got.said.join('\n'), /change DicomWeb\.Host: take it out/)
  t.match(got.said.join('\n'), /note : \d\d options concern Orthanc alone and stay there: Name, StorageDirectory/)
})

t.test('no option that concerns TLS, users or peers is passed over in silence', async t => {
  const options: Readonly<Record<string, unknown>> = {
    ...{ HttpServerEnabled: false, HttpPort: 99, HttpBindAddresses: ['127.0.0.1'], RemoteAccessAllowed: true },
    ...{ AuthenticationEnabled: true, RegisteredUsers: { a: 'b' }, SslEnabled: true, SslCertificate: 'x' },
    ...{ SslMinimumProtocolVersion: 5, SslCiphersAccepted: ['AES256-SHA'], SslVerifyPeers: true },
    ...{
      SslTrustedClientCertificates: 't.pem',
      HttpsVerifyPeers: false,
      HttpsCACertificates: 'ca.pem',
      HttpTimeout: 7,
    },
    ...{ HttpRequestTimeout: 7, HttpThreadsCount: 7, KeepAlive: false, KeepAliveTimeout: 7, TcpNoDelay: false },
    ...{ HttpCompressionEnabled: true, MaximumRequestBodySizeMB: 7, WebDavEnabled: true, WebDavDeleteAllowed: true },
    ...{ WebDavUploadAllowed: true, ExecuteLuaEnabled: true, DicomTlsEnabled: true, DicomTlsCertificate: 'x' },
    ...{ DicomTlsPrivateKey: 'x', DicomTlsTrustedCertificates: 'x', DicomTlsRemoteCertificateRequired: false },
    ...{ DicomTlsMinimumProtocolVersion: 4, DicomTlsCiphersAccepted: ['x'], DicomPort: 99, DicomServerEnabled: false },
    ...{ DicomModalities: { a: ['A', 'b', 1] }, DicomModalitiesInDatabase: true, OrthancPeers: { a: ['http://a'] } },
    ...{ OrthancPeersInDatabase: true, HttpProxy: 'u:s3cret@proxy', Pkcs11: { Module: 'x' }, Authorization: {} },
    ...{ DicomWeb: { Servers: { a: ['http://a'] } }, SslSomethingNew: 1, StrictAetComparison: true },
  }
  const empty = importText({})
  for (const [option, value] of Object.entries(options)) {
    const got = importText({ [option]: value })
    const told = got.decisions.some(decision => decision.option.split('.')[0] === option)
    t.ok(told || got.draft !== empty.draft, option)
  }
})
