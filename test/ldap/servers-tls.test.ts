import t from 'tap'
import { causeLine } from '../../src/kernel/fault.ts'
import { startAuthority } from '../fixture/authority.ts'
import { startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { extendedResponse, startTlsOid } from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { type Script, silence, startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { trustOf } from '../tls/trusted.ts'
import { forUid, milliseconds, serversOn } from './servers-lab.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const authority = await startAuthority(t)
const rogue = await startAuthority(t)
const pair = await authority.server(['ldap.lab.test'], ['127.0.0.1'])
const tls = { cert: pair.chainPem, key: pair.keyPem, ca: authority.caPem }
// Nobody may bind in clear here.
const slapd = await startSlapd(t, { tls, conf: 'security simple_bind=128' })
const alice = slapd.people.alice
const trust = trustOf({ ca: authority.caFile })

t.test('with StartTLS everything is said within TLS, on every connection', async t => {
  const before = slapd.operations()
  const proxy = await startDirectoryProxy(t, slapd.url)
  const servers = serversOn(t, [proxy.url], { startTls: true, trust })
  t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
  t.match(await servers.bind(alice.dn, alice.password), { right: true })
  t.match(await servers.bind(alice.dn, 'wrong'), { right: false, code: 49, why: '49 invalidCredentials' })
  t.equal(slapd.operations().startTls - before.startTls, 3)
  for (const line of proxy.passed) t.notMatch(line.request().toString('latin1'), /pass-word|alice|reader/)
  t.match(servers.steps, [
    /^connect 127/,
    /^tls 127/,
    /^reader cn=reader/,
    /^search /,
    /^connect/,
    /^tls/,
    /^bind uid=alice/,
  ])
})

t.test('a directory that wants TLS and is asked in clear is a setting that is wrong', async t => {
  await t.rejects(serversOn(t, [slapd.url]).search(forUid('alice')), {
    code: 'directory-misconfigured',
    message: /startTls: true/,
  })
})

t.test('after StartTLS a certificate is judged as for ldaps, and nothing is said to a stranger', async t => {
  const before = slapd.operations().binds
  for (const [trust, said] of [
    [trustOf({ ca: rogue.caFile }), /./],
    [undefined, /./],
    [trustOf({ ca: authority.caFile, name: 'other.lab.test' }), /other\.lab\.test/],
  ] as const) {
    const servers = serversOn(t, [slapd.url], { startTls: true, trust })
    for (const ask of [() => servers.search(forUid('alice')), () => servers.bind(alice.dn, alice.password)]) {
      const fault: unknown = await ask().catch(cause => cause)
      t.match(fault, { code: 'directory-misconfigured', message: /did not prove itself/ })
      t.match(causeLine(fault), said)
    }
  }
  t.equal(slapd.operations().binds, before)
})

const tlsRefusals: readonly (readonly [what: string, script: Script, code: string])[] = [
  ['refused', ({ id }) => extendedResponse(id, { code: 2 }), 'directory-misconfigured'],
  ['not to be had', ({ id }) => extendedResponse(id, { code: 52 }), 'directory-misconfigured'],
  ['not answered', () => silence, 'directory-unavailable'],
  ['answered under another number', ({ id }) => extendedResponse(id + 1), 'directory-unavailable'],
  ['answered with garbage', () => Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), 'directory-unavailable'],
  ['answered by a giant', () => Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]), 'directory-unavailable'],
  [
    'granted, and no handshake follows',
    ({ id }) => extendedResponse(id, { oid: startTlsOid }),
    'directory-misconfigured',
  ],
]
for (const [what, script, code] of tlsRefusals) {
  t.test(`StartTLS ${what}: no bind, and the connection is gone`, async t => {
    const directory = await startScriptedDirectory(t, (request, line) =>
      request.operation === 'extended' ? script(request, line) : undefined,
    )
    const servers = serversOn(t, [directory.url], { startTls: true, trust })
    const time = await milliseconds(async () => {
      const fault: unknown = await servers.search(forUid('alice')).catch(cause => cause)
      // Where nobody answers in TLS, what comes first tells: bytes that are none, or the end of the time.
      t.match(fault, { code: what.startsWith('granted') ? /^directory-/ : code })
      await t.rejects(servers.bind(alice.dn, alice.password), { code: /^directory-/ })
    })
    t.ok(time < 1_500, 'one deadline for connection, StartTLS and handshake')
    t.same(
      directory.requests.filter(({ operation }) => operation !== 'extended'),
      [],
    )
    t.equal(directory.connections, 2)
  })
}

t.test('a directory that wants a certificate of ours gets it, and without one it is a wrong setting', async t => {
  const strict = await startSlapd(t, { tls: { ...tls, verifyClients: 'demand' } })
  const client = await authority.client('gateway')
  const own = trustOf({ ca: authority.caFile, certificate: client.certFile, key: client.keyFile })
  for (const [url, startTls] of [
    [strict.ldapsUrl ?? '', false],
    [strict.url, true],
  ] as const) {
    const servers = serversOn(t, [url], { startTls, trust: own })
    t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
    t.match(await servers.bind(alice.dn, alice.password), { right: true })
    const before = strict.operations().binds
    const without = serversOn(t, [url], { startTls, trust })
    // GnuTLS, and so this slapd, hangs up without a word.
    const said: unknown[] = [
      await without.search(forUid('alice')).catch(cause => cause),
      await without.bind(alice.dn, alice.password).catch(cause => cause),
    ]
    for (const fault of said) t.match(causeLine(fault), /closed the connection without a word.*client certificate/)
    t.equal(strict.operations().binds, before)
  }
  // OpenSSL says why.
  const openssl = await startScriptedDirectory(t, undefined, { tls, ldaps: true })
  t.same(await serversOn(t, [openssl.url], { trust: own }).search(forUid('alice')), [])
  const without = serversOn(t, [openssl.url], { trust })
  const terms = { code: 'directory-misconfigured', message: /client certificate/ }
  await t.rejects(without.search(forUid('alice')), terms)
  await t.rejects(without.bind(alice.dn, alice.password), terms)
  // Where nobody signs in as a reader, the search is the first question, and the other server is asked it all the same.
  const open = await startScriptedDirectory(t, undefined, { tls: { cert: tls.cert, key: tls.key }, ldaps: true })
  const both = serversOn(t, [openssl.url, open.url], { trust, reader: undefined })
  t.same(await both.search(forUid('alice')), [])
  t.match(both.state(), [{ failures: 1 }, { failures: 0 }])
})

t.test('one server with StartTLS and one on ldaps stand for each other', async t => {
  const down = await startDirectoryProxy(t, slapd.url, { way: 'silent' })
  const servers = serversOn(t, [down.url, slapd.ldapsUrl ?? ''], { startTls: true, trust, connectTimeout: 150 })
  const before = slapd.operations().startTls
  t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
  t.equal(slapd.operations().startTls, before)
  t.match(servers.state(), [{ failures: 1 }, { failures: 0 }])
})
