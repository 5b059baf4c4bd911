// The domain is a real Active Directory: it says no in its own words, nests groups, and can be changed and cut off.
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { labPkiTools, startLabPki } from '../fixture/lab-pki.ts'
import { requireReal } from '../fixture/real.ts'
import { requireSamba, startSamba } from '../fixture/samba.ts'

const run = promisify(execFile)
if (!requireSamba(t)) process.exit(0)
const samba = await startSamba(t)
const ca = join(t.testdir({ 'ca.pem': samba.ca }), 'ca.pem')
const { people, groups, reader, base } = samba

async function search(url: string, dn: string, password: string, ...query: readonly string[]): Promise<string> {
  const env = { ...process.env, LDAPTLS_CACERT: ca, LDAPTLS_REQCERT: 'demand' }
  const asked = run('ldapsearch', ['-LLL', '-x', '-o', 'ldif-wrap=no', '-H', url, '-D', dn, '-w', password, ...query], {
    env,
    maxBuffer: 2 ** 24,
  })
  const { stdout, stderr } = await asked.catch((failure: { stdout: string; stderr: string }) => failure)
  return stdout + stderr
}
const bind = async (name: string, password: string, url = samba.ldapsUrl, ...how: readonly string[]) => {
  const said = await search(url, name, password, ...how, '-s', 'base', '-b', '', 'defaultNamingContext')
  return /data (\w+)/.exec(said)?.[1] ?? (said.includes('defaultNamingContext') ? 'in' : said)
}
const find = (filter: string, ...attributes: readonly string[]) =>
  search(samba.ldapsUrl, reader.upn, reader.password, '-b', base, filter, ...attributes)

t.test('each of the cast is let in, or kept out for the reason meant', async t => {
  const before = samba.operations()
  t.match(before, { binds: 0, searches: 0 }, "the fixture's own questions do not count")
  const said = new Map<string, string>()
  for (const [name, { upn, password }] of Object.entries(people)) said.set(name, await bind(upn, password))
  t.same(Object.fromEntries(said), {
    ...{ alice: 'in', bob: '533', carol: '773', dave: '701', erin: '775', frank: 'in', grace: 'in', heidi: '532' },
    ...{ ivan: '530', judy: '531', pia: 'in', special: 'in' },
  })
  t.equal(await bind(people.erin.upn, 'wrong'), '775', 'locked is locked')
  t.equal(await bind(people.bob.upn, 'wrong'), '52e', 'the reason is for those who know the password')
  t.equal(await bind('nobody@lab.test', 'wrong'), '52e')
  t.equal(await bind(people.special.dn, people.special.password), 'in')
  t.equal(await bind(`${samba.domain}\\alice`, people.alice.password), 'in')
  t.match(await bind(people.alice.upn, people.alice.password, samba.url), /Transport encryption required/)
  t.equal(await bind(people.alice.upn, people.alice.password, samba.url, '-ZZ'), 'in')
  const { binds, bindNames, statuses } = samba.operations()
  t.equal(binds, 18, 'the one in clear was refused before it was looked at')
  t.match([bindNames[1], statuses[1]], [people.bob.upn, 'NT_STATUS_ACCOUNT_DISABLED'])
  t.match(bindNames, [people.alice.upn])
})

t.test('groups are nested in a circle, primary, large, and of names that need an escape', async t => {
  const names = async (filter: string) => ((await find(filter, 'cn')).match(/(?<=^cn: ).*/gm) ?? []).toSorted()
  const within = (dn: string) =>
    names(`(member:1.2.840.113556.1.4.1941:=${dn.replace(/[\\()*]/g, c => `\\${c.charCodeAt(0).toString(16)}`)})`)
  t.same(await within(people.alice.dn), ['all-staff', 'imaging', 'radiology'])
  t.same(await within(people.frank.dn), [])
  t.same(await within(people.special.dn), ['CT+MR, (north)'])
  t.notMatch(await find('(sAMAccountName=pia)', 'memberOf'), groups.readingRoom)
  const [, rid] = /primaryGroupID: (\d+)/.exec(await find('(sAMAccountName=pia)', 'primaryGroupID')) ?? []
  t.not(rid, '513')
  t.equal((await find('(cn=crowd)', 'member')).match(/^member: /gm)?.length, 1_600)
  t.equal((await find('(cn=crowd)', 'member;range=1500-*')).match(/^member;range=1500-\*: /gm)?.length, 100)
  t.match(await find('(sAMAccountName=jmueller)', 'cn'), `dn:: ${Buffer.from(people.special.dn).toString('base64')}`)
  t.match(await find('(sAMAccountName=alice)', 'cn'), '# refldaps://lab.test/CN=Configuration,DC=lab,DC=test')
  t.match(samba.operations().filters.at(-1), '(sAMAccountName=alice)')
  const catalogue = [reader.upn, reader.password, '-b', '', '(cn=Alice Example)', 'mail'] as const
  t.match(await search(samba.gcsUrl, ...catalogue), 'mail: alice@lab.test')
  t.match(await search(samba.gcUrl, catalogue[0], catalogue[1], '-ZZ', ...catalogue.slice(2)), 'mail: alice@lab.test')
})

t.test('it is changed while it runs, and keeps the change through an outage', async t => {
  const before = samba.operations()
  await samba.modify(`dn: ${people.frank.dn}\nchangetype: modify\nreplace: mail\nmail: new@lab.test\n`)
  await samba.tool(['user', 'unlock', 'erin'])
  t.same(samba.operations(), before)
  t.equal(await bind(people.erin.upn, people.erin.password), 'in')
  await t.rejects(samba.tool(['user', 'unlock', 'nobody']), /Unable to find user/)
  await samba.stop()
  t.match(await bind(people.alice.upn, people.alice.password), /Can't contact LDAP server/)
  await samba.start()
  t.match(await find('(mail=new@lab.test)', 'cn'), 'cn: frank')
  t.match(samba.operations().binds, before.binds + 2, 'the count runs on')
})

t.test('another one has its own address and the certificate it is given, and is gone afterwards', async t => {
  if (!requireReal(t, labPkiTools)) return
  const pki = startLabPki(t)
  const listens = (host: string) =>
    new Promise<boolean>(resolve => {
      const socket = connect({ port: 636, host }, () => resolve(socket.destroy().destroyed))
      socket.on('error', () => resolve(false))
    })
  let address = ''
  await t.test('while it runs', async t => {
    const other = await startSamba(t, { tls: async () => ({ ...pki.server, ca: pki.ca }) })
    address = other.address
    t.not(address, samba.address)
    t.ok(await listens(address))
    t.match(
      await bind(people.alice.upn, people.alice.password, other.ldapsUrl),
      /Can't contact LDAP server/,
      'not ours',
    )
  })
  t.notOk(await listens(address))
})
