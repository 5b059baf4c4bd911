import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { Secret } from '../../src/kernel/secret.ts'
import { startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { reader } from '../fixture/directory-tree.ts'
import { bindResponse } from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { forAll, forUid, milliseconds, serversOn } from './servers-lab.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

// Enough of them that an answer takes many packets.
const names = Array.from({ length: 1_200 }, (_, nth) => `group-${nth}`)
const groups = Object.fromEntries(names.map(name => [name, ['alice']]))
const slapd = await startSlapd(t, { groups, databaseConf: 'sizelimit size.prtotal=unlimited' })
const other = await startSlapd(t, { groups, databaseConf: 'sizelimit size.prtotal=unlimited' })
const alice = slapd.people.alice

for (const way of ['refuse', 'silent', 'half-open'] as const) {
  t.test(`with a first server that is ${way} the second finds and checks, and the first is left aside`, async t => {
    const proxy = await startDirectoryProxy(t, slapd.url, { way })
    const servers = serversOn(t, [proxy.url, other.url])
    t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
    t.match(servers.state(), [
      { url: proxy.url, failures: 1, last: { code: 'directory-unavailable' } },
      { url: other.url, failures: 0, asideFor: 0, last: undefined },
    ])
    t.ok((servers.state()[0]?.asideFor ?? 0) > 0)
    const connections = proxy.connections
    t.match(await servers.bind(alice.dn, alice.password), { right: true })
    t.equal(proxy.connections, connections, 'nobody waits for it a second time')
  })
}

t.test('the first server is used again by itself when it is back', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url, { way: 'refuse' })
  const servers = serversOn(t, [proxy.url, other.url])
  await servers.search(forUid('alice'))
  await proxy.switchTo('pass')
  await servers.search(forUid('alice'))
  t.equal(proxy.connections, 0, 'not yet: its pause is not over')
  await pause(1_050)
  await servers.search(forUid('alice'))
  t.equal(proxy.connections, 1)
  t.match(servers.state(), [{ failures: 0, last: undefined }, {}])
})

t.test('an answer that is cut in the middle is thrown away, and the next server gives a whole one', async t => {
  for (const reset of [true, undefined] as const) {
    // Past the bind, in the middle of the second page.
    const proxy = await startDirectoryProxy(t, slapd.url, { way: { cut: 60_000, ...(reset && { reset }) } })
    const servers = serversOn(t, [proxy.url, other.url], { readTimeout: 5_000 })
    const found = await servers.search(forAll('groupOfNames'))
    t.equal(found.length, names.length + 2)
    t.equal(new Set(found.map(({ dn }) => dn)).size, found.length, 'no entry of the cut answer is among them')
    t.match(servers.state(), [{ failures: 1 }, { failures: 0 }])
  }
})

t.test('a cut answer of the only server is a fault, not fewer groups', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url, { way: { cut: 60_000 } })
  const servers = serversOn(t, [proxy.url], { readTimeout: 5_000 })
  await t.rejects(servers.search(forAll('groupOfNames')), { code: 'directory-unavailable' })
})

t.test("a person's password goes to the next server only while nothing of it was sent", async t => {
  const proxy = await startDirectoryProxy(t, slapd.url, { way: 'half-open' })
  const servers = serversOn(t, [proxy.url, other.url])
  const before = other.operations().binds
  await t.rejects(servers.bind(alice.dn, alice.password), { code: 'directory-unavailable' })
  t.equal(other.operations().binds, before)
  t.match(
    proxy.passed[0]?.request().toString('latin1'),
    alice.password,
    'it was sent, and nobody knows what became of it',
  )
})

t.test('wrong settings of one server do not stop the others, and are told if none answers', async t => {
  const wrong = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'bind' ? bindResponse(id, { code: 49 }) : undefined,
  )
  const proxy = await startDirectoryProxy(t, slapd.url)
  for (const urls of [
    [wrong.url, proxy.url],
    [proxy.url, wrong.url],
  ])
    t.match(await serversOn(t, urls).search(forUid('alice')), [{ dn: alice.dn }])
  await proxy.switchTo('refuse')
  for (const urls of [
    [wrong.url, proxy.url],
    [proxy.url, wrong.url],
  ]) {
    await t.rejects(serversOn(t, urls).search(forUid('alice')), {
      code: 'directory-misconfigured',
      message: new RegExp(urls.map(url => `${url}: .*`).join('; ')),
    })
  }
})

t.test("a wrong password of the reader is not tried until the reader's account is locked", async t => {
  const before = slapd.operations().bindDns.filter(dn => dn === reader.dn).length
  const servers = serversOn(t, [slapd.url], { reader: { dn: reader.dn, password: new Secret('wrong') } })
  for (let nth = 0; nth < 10; nth++)
    await t.rejects(servers.search(forUid('alice')), { code: 'directory-misconfigured' })
  t.equal(slapd.operations().bindDns.filter(dn => dn === reader.dn).length - before, 3)
})

t.test('with all servers down the third failure is the last that anybody waits for', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url, { way: 'silent' })
  const servers = serversOn(t, [proxy.url], { readTimeout: 150 })
  const ask = () => t.rejects(servers.search(forUid('alice')), { code: 'directory-unavailable' })
  for (let nth = 0; nth < 3; nth++) t.ok((await milliseconds(ask)) > 100, 'tried all the same')
  t.ok((await milliseconds(ask)) < 50, 'at once')
  t.equal(proxy.connections, 3)
  await t.rejects(servers.probe(), { message: /left aside for [34]\.\d s/ })
})

t.test('a server that is slow and sure is no outage', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url, { way: { slow: 20, bytes: 40 } })
  const servers = serversOn(t, [proxy.url, other.url], { readTimeout: 5_000 })
  t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
  t.match(servers.state(), [{ failures: 0 }, { failures: 0 }])
})

t.test('what a server answers to a search is an answer: no other is asked', async t => {
  const servers = serversOn(t, [slapd.url, other.url])
  const before = other.operations().connections
  await t.rejects(servers.search({ ...forUid('alice'), base: 'dc=nowhere' }), { code: 'directory-misconfigured' })
  t.equal(other.operations().connections, before)
  t.match(servers.state(), [{ failures: 0 }, { failures: 0 }])
  t.same(await servers.search({ ...forUid('alice'), base: `uid=gone,${slapd.peopleDn}`, scope: 'base' }), [])
})
