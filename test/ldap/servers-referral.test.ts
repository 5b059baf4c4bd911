import t from 'tap'
import { parseLdapUrl } from '../../src/ldap/ldap-url.ts'
import { reader, suffix } from '../fixture/directory-tree.ts'
import * as wire from '../fixture/ldap-wire.ts'
import { type Script, startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { forAll, serversOn } from './servers-lab.ts'

/** Every search finds one entry right below its base, and these references. */
const finds =
  (...references: readonly (readonly string[])[]): Script =>
  request => {
    if (request.operation !== 'search') return undefined
    const { id, name } = request
    return Buffer.concat([
      wire.searchEntry(id, `cn=x,${name}`, { cn: ['x'] }),
      ...references.map(urls => wire.searchReference(id, ...urls)),
      wire.searchDone(id),
    ])
  }

/** The base is not here. */
const elsewhere =
  (...referral: readonly string[]): Script =>
  ({ id, operation }) =>
    operation === 'search' ? wire.searchDone(id, { code: 10, referral }) : undefined

// As Samba answers a search from the root of its tree.
const samba = 'ldaps://lab.test/CN=Configuration,DC=lab,DC=test'
const request = forAll('group')
const dnsOf = (entries: readonly { dn: string }[]) => entries.map(({ dn }) => dn)

t.test('ignore: what lies elsewhere is missing, and a base that lies elsewhere is a wrong setting', async t => {
  const directory = await startScriptedDirectory(t, finds([samba]))
  const servers = serversOn(t, [directory.url])
  t.same(dnsOf(await servers.search(request)), [`cn=x,${suffix}`])
  t.notMatch(servers.steps.join('; '), /referral ldap/, 'nothing is looked for there')
  directory.script = elsewhere('ldap://evil.test/')
  await t.rejects(servers.search(request), { code: 'directory-misconfigured', message: /lies in another directory/ })
})

t.test('throw: a reference is a fault that names the server', async t => {
  const directory = await startScriptedDirectory(t, finds([samba]))
  const servers = serversOn(t, [directory.url], { referral: 'throw' })
  await t.rejects(servers.search(request), { code: 'directory-misconfigured', message: /lab\.test:636/ })
  directory.script = elsewhere('ldap://dc2.lab.test/')
  await t.rejects(servers.search(request), { code: 'directory-misconfigured', message: /dc2\.lab\.test:389/ })
  directory.script = finds()
  t.equal((await servers.search(request)).length, 1)
})

t.test(
  'follow: at a server of ours base and scope of the URL are looked for, as the reader, with our filter',
  async t => {
    const second = await startScriptedDirectory(t, finds())
    const first = await startScriptedDirectory(
      t,
      finds([`${second.url}/OU=a%20b,DC=x??base?(cn=*)`], [`${second.url}`]),
    )
    const servers = serversOn(t, [first.url, second.url], { referral: 'follow' })
    t.same(dnsOf(await servers.search(request)), [`cn=x,${suffix}`, 'cn=x,OU=a b,DC=x'])
    t.match(second.requests, [
      { operation: 'bind', name: reader.dn, password: reader.password },
      { operation: 'search', name: 'OU=a b,DC=x', scope: 'base', filter: '(objectClass=group)' },
      { operation: 'search', name: suffix, scope: 'sub', filter: '(objectClass=group)' },
    ])
    t.equal(second.requests.length, 3)
    t.match(servers.steps.join('; '), `referral ${second.url} OU=a b,DC=x`)
  },
)

t.test('follow: a base that lies at a server of ours is found there', async t => {
  const second = await startScriptedDirectory(t, finds())
  const first = await startScriptedDirectory(t, elsewhere('ldap://evil.test/', `${second.url}/dc=there`))
  const servers = serversOn(t, [first.url, second.url], { referral: 'follow' })
  t.same(dnsOf(await servers.search(request)), ['cn=x,dc=there'])
})

t.test('follow: at nobody else, which is told, and is a fault if the base itself lies there', async t => {
  const stranger = await startScriptedDirectory(t, finds())
  const directory = await startScriptedDirectory(t, finds([samba], [`${stranger.url}/dc=x`]))
  const servers = serversOn(t, [directory.url], { referral: 'follow' })
  t.same(dnsOf(await servers.search(request)), [`cn=x,${suffix}`])
  t.match(servers.steps.slice(-2), [
    'referral not followed: lab.test:636',
    `referral not followed: ${new URL(stranger.url).host}`,
  ])
  directory.script = elsewhere(`${stranger.url}/dc=x`)
  await t.rejects(servers.search(request), { code: 'directory-misconfigured', message: /none of the urls/ })
  t.equal(stranger.connections, 0)
})

t.test('follow: a circle ends, and a chain without end is a wrong setting', async t => {
  const second = await startScriptedDirectory(t)
  const first = await startScriptedDirectory(t, finds([`${second.url}/dc=a`]))
  second.script = finds([`${first.url}/${suffix}`], [`${second.url}/dc=a`])
  const servers = serversOn(t, [first.url, second.url], { referral: 'follow' })
  t.same(dnsOf(await servers.search(request)), [`cn=x,${suffix}`, 'cn=x,dc=a'])

  let nth = 0
  second.script = (request, line) => finds([`${second.url}/dc=${++nth}`])(request, line)
  await t.rejects(servers.search(request), { code: 'directory-misconfigured', message: /on and on/ })
  t.ok(nth < 20)
})

t.test('follow: when the other server is down the answer is not whole, so there is none', async t => {
  const second = await startScriptedDirectory(t, (_, line) => {
    line.socket.destroy()
    return Buffer.alloc(0)
  })
  const first = await startScriptedDirectory(t, finds([`${second.url}/dc=a`]))
  const servers = serversOn(t, [first.url, second.url], { referral: 'follow' })
  await t.rejects(servers.search(request), { code: 'directory-unavailable' })
  t.match(servers.state(), [{ failures: 0 }, { failures: 1 }], 'it is not the fault of the one that referred')
})

t.test('follow: what is found twice is one entry, and names that differ in case are two', async t => {
  const first = await startScriptedDirectory(t)
  const answer = (id: number, dn: string, ...more: Buffer[]) =>
    Buffer.concat([wire.searchEntry(id, dn, { cn: ['x'] }), ...more, wire.searchDone(id)])
  const second = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search'
      ? answer(id, `cn=x,${suffix}`, wire.searchEntry(id, `cn=X,${suffix}`, { cn: ['x'] }))
      : undefined,
  )
  first.script = ({ id, operation }) =>
    operation === 'search' ? answer(id, `cn=x,${suffix}`, wire.searchReference(id, `${second.url}/dc=a`)) : undefined
  const servers = serversOn(t, [first.url, second.url], { referral: 'follow' })
  t.same(dnsOf(await servers.search(request)), [`cn=x,${suffix}`, `cn=X,${suffix}`])
})

t.test('follow: a referral behind entries is no answer, whole or half', async t => {
  const second = await startScriptedDirectory(t, finds())
  const first = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search'
      ? Buffer.concat([
          wire.searchEntry(id, `cn=first,${suffix}`, { cn: ['first'] }),
          wire.searchDone(id, { code: 10, referral: [`${second.url}/dc=a`] }),
        ])
      : undefined,
  )
  const servers = serversOn(t, [first.url, second.url], { referral: 'follow' })
  await t.rejects(servers.search(request), { code: 'directory-misconfigured' })
})

t.test('a URL that is not wholly understood leads nowhere', async t => {
  t.same(parseLdapUrl('LDAP://DC1.Lab.Test/ou=a%2Cb??ONE'), {
    ...{ host: 'dc1.lab.test', port: 389, base: 'ou=a,b', scope: 'one' },
  })
  t.same(parseLdapUrl('ldaps://[::1]:1636'), { host: '::1', port: 1636, base: undefined, scope: undefined })
  for (const text of [
    'http://dc1/',
    'ldap://',
    'ldap:///dc=x',
    'ldap://user@dc1/',
    'ldap://dc1:99999999/',
    'ldap://dc1/dc=x??everything',
    'ldap://dc1/dc=x????!1.2.3=4',
    'ldap://dc1/dc=x????x,!bindname=cn=a',
    'dc1',
    '',
  ])
    t.equal(parseLdapUrl(text), undefined, text)
})
