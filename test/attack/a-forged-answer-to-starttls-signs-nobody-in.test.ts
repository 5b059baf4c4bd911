// D07, D08; CVE-2011-0411 and its kin (nostarttls.secvuln.info): somebody on the way writes before TLS protects anything.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { type Rewrite, startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { bindResponse, disconnection, extendedResponse, searchDone } from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { forUid, serversOn } from '../ldap/servers-lab.ts'
import { trustOf } from '../tls/trusted.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const authority = await startAuthority(t)
const pair = await authority.server(['ldap.lab.test'], ['127.0.0.1'])
const slapd = await startSlapd(t, { tls: { cert: pair.chainPem, key: pair.keyPem, ca: authority.caPem } })
const alice = slapd.people.alice
const trust = trustOf({ ca: authority.caFile })

/** Changes the nth piece of what the directory answers on each connection: the first is the answer to StartTLS. */
const atPiece = (nth: number, change: (chunk: Buffer) => Buffer) => {
  let pieces = 0
  const rewrite: Rewrite = (chunk, direction) => {
    if (direction === 'request') {
      // A connection begins with the request for StartTLS, in clear.
      if (chunk[0] === 0x30) pieces = 0
      return chunk
    }
    return pieces++ === nth ? change(chunk) : chunk
  }
  return rewrite
}

const success = bindResponse(2)
const forgeries: readonly (readonly [what: string, rewrite: Rewrite])[] = [
  ['a whole success behind the answer', atPiece(0, answer => Buffer.concat([answer, success]))],
  ['the beginning of one', atPiece(0, answer => Buffer.concat([answer, success.subarray(0, -1)]))],
  ['a single byte', atPiece(0, answer => Buffer.concat([answer, Buffer.of(0x30)]))],
  ['the answer twice', atPiece(0, answer => Buffer.concat([answer, answer]))],
  ['a success in the next piece', atPiece(1, hello => Buffer.concat([success, hello]))],
  ['a success in place of the answer', atPiece(0, () => bindResponse(1))],
  ['the end of a search in place of it', atPiece(0, () => searchDone(1))],
  ['the answer to something else', atPiece(0, () => extendedResponse(7))],
  ['a goodbye', atPiece(0, () => disconnection({ code: 0 }))],
  ['a refusal, so that we go on in clear', atPiece(0, () => extendedResponse(1, { code: 2 }))],
  ['half of it', atPiece(0, answer => answer.subarray(0, -1))],
]

for (const [what, rewrite] of forgeries) {
  t.test(`D08: ${what}: nobody is signed in, nothing is bound, and nothing is said in clear`, async t => {
    const proxy = await startDirectoryProxy(t, slapd.url, { rewrite })
    const servers = serversOn(t, [proxy.url], { startTls: true, trust, connectTimeout: 300 })
    const before = slapd.operations().binds
    await t.rejects(servers.bind(alice.dn, 'whatever'), { code: /^directory-/ })
    await t.rejects(servers.search(forUid('alice')), { code: /^directory-/ })
    t.equal(slapd.operations().binds, before)
    t.equal(proxy.connections, 2)
    for (const line of proxy.passed) {
      t.notMatch(line.request().toString('latin1'), /whatever|alice|reader/)
      for (let tries = 0; tries < 50 && !line.closed; tries++) await pause(20)
      t.ok(line.closed, 'the connection is gone')
    }
  })
}

t.test('D08: without a forger the same way leads in', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url)
  const servers = serversOn(t, [proxy.url], { startTls: true, trust })
  t.match(await servers.bind(alice.dn, alice.password), { right: true })
  t.match(await servers.bind(alice.dn, 'whatever'), { right: false })
})

t.test('D08: an answer in single bytes is one answer all the same', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url, { way: { slow: 1, bytes: 1 } })
  const servers = serversOn(t, [proxy.url], { startTls: true, trust, connectTimeout: 20_000, readTimeout: 10_000 })
  t.match(await servers.bind(alice.dn, alice.password), { right: true })
})
