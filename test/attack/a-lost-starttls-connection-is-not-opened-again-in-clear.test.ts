// D09: ldapts opens a lost ldap:// connection again by itself, without TLS, and sends the next password over it.
import t, { type Test } from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { type DirectoryProxy, startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { extendedResponse } from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { silence, startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { forUid, milliseconds, serversOn } from '../ldap/servers-lab.ts'
import { trustOf } from '../tls/trusted.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const authority = await startAuthority(t)
const pair = await authority.server(['ldap.lab.test'], ['127.0.0.1'])
const tls = { cert: pair.chainPem, key: pair.keyPem }
const slapd = await startSlapd(t, { tls: { ...tls, ca: authority.caPem } })
const alice = slapd.people.alice
const trust = trustOf({ ca: authority.caFile })

/** In clear there is the request for StartTLS and no second message, on every connection. */
function isClearOnlyAtFirst(t: Pick<Test, 'match' | 'notMatch' | 'ok'>, proxy: DirectoryProxy): void {
  for (const line of proxy.passed) {
    const sent = line.request()
    t.match(sent.toString('latin1'), /^0.\x02\x01\x01w.\x80\x161\.3\.6\.1\.4\.1\.1466\.20037/s)
    // A record of a handshake, or nothing any more.
    t.ok([0x16, undefined].includes(sent[2 + (sent[1] ?? 0)]))
    t.notMatch(sent.toString('latin1'), /alice|reader|pass-word/)
  }
}

t.test('D09: after a loss every connection shakes hands again before anything is said', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url)
  const servers = serversOn(t, [proxy.url], { startTls: true, trust })
  for (let nth = 0; nth < 3; nth++) {
    t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
    t.match(await servers.bind(alice.dn, alice.password), { right: true })
    await proxy.switchTo('refuse')
    await proxy.switchTo('pass')
  }
  t.equal(proxy.connections, 6)
  isClearOnlyAtFirst(t, proxy)
})

t.test('D09: a loss in the middle of a bind is a fault, and no second try', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url, { way: { cut: 3_000 } })
  const servers = serversOn(t, [proxy.url], { startTls: true, trust })
  // Wherever the connection breaks, in the handshake or in the bind.
  for (let cut = 1; cut < 4_000; cut += 97) {
    await proxy.switchTo({ cut })
    const answer = await servers.bind(alice.dn, alice.password).catch((cause: unknown) => cause)
    t.match(answer, cut > 3_000 ? {} : { code: 'directory-unavailable' })
  }
  isClearOnlyAtFirst(t, proxy)
})

t.test('D09: a directory that shakes hands once and refuses it the next time gets nothing', async t => {
  let handshakes = 0
  const directory = await startScriptedDirectory(
    t,
    ({ id, operation }, line) => {
      if (operation === 'extended') return ++handshakes > 1 ? extendedResponse(id, { code: 1 }) : undefined
      if (operation !== 'search') return undefined
      line.socket.destroy()
      return silence
    },
    { tls },
  )
  const servers = serversOn(t, [directory.url], { startTls: true, trust })
  await t.rejects(servers.search(forUid('alice')), { code: 'directory-unavailable' })
  await t.rejects(servers.bind(alice.dn, alice.password), { code: 'directory-misconfigured' })
  t.ok(directory.requests.every(({ operation, secure }) => secure === (operation !== 'extended')))
})

t.test('D09: a connection that ends right after the handshake is a fault at once', async t => {
  const directory = await startScriptedDirectory(
    t,
    (_, line) => {
      if (!line.secure) return undefined
      line.socket.destroy()
      return silence
    },
    { tls },
  )
  const servers = serversOn(t, [directory.url], { startTls: true, trust, readTimeout: 20_000 })
  const time = await milliseconds(() =>
    t.rejects(servers.bind(alice.dn, alice.password), { code: 'directory-unavailable' }),
  )
  t.ok(time < 5_000)
})
