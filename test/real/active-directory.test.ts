// The questions of a sign-in, asked of a real Active Directory (Samba as a domain controller).
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { realmsSection } from '../../src/config/realm.ts'
import { fileScalars } from '../../src/config/scalars.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { type Directory, openDirectory } from '../../src/ldap/directory.ts'
import { readPeerTrust } from '../../src/tls/peer-trust.ts'
import { requireSamba, startSamba } from '../fixture/samba.ts'

if (!requireSamba(t)) process.exit(0)
const samba = await startSamba(t)
const caFile = join(t.testdir(), 'ca.pem')
writeFileSync(caFile, samba.ca)

function directoryAt(url: string, written: Record<string, unknown> = {}): Directory {
  const { directory } = realmsSection(fileScalars(path => path)).parse({
    directory: {
      urls: url,
      tls: { ca: caFile },
      username: samba.reader.upn,
      base: samba.base,
      userFilter: '(&(objectCategory=person)(objectClass=user))',
      userMapping: 'omeName=sAMAccountName,firstName=givenName,lastName=sn,email=mail',
      groupFilter: '(objectClass=group)',
      groupMapping: 'name=cn',
      newUserGroup: ':query:(member=@{dn})',
      ...written,
    },
  })
  const problems: string[] = []
  const trust =
    directory.tls &&
    readPeerTrust(directory.tls, undefined, Date.now(), (key, message) => void problems.push(`${key}: ${message}`))
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return openDirectory(directory, { trust, password: new Secret(samba.reader.password) })
}

async function find(directory: Directory, name: string) {
  const found = await directory.find(name)
  if (found.kind !== 'found') throw new Error(`${name}: ${found.why}`)
  return found.entry
}
async function groupsFor(name: string, written: Record<string, unknown> = {}, url = samba.ldapsUrl) {
  await using directory = directoryAt(url, written)
  const answer = await directory.groupsOf(await find(directory, name))
  return answer.kind === 'groups' ? answer.groups.map(group => group.name).toSorted() : [`none: ${answer.why}`]
}
async function check(name: keyof typeof samba.people, password: string = samba.people[name].password) {
  await using directory = directoryAt(samba.ldapsUrl)
  return directory.checkPassword(await find(directory, samba.people[name].sam), password)
}

t.test('somebody is found by sAMAccountName or by UPN, and known again by objectGUID', async t => {
  await using directory = directoryAt(samba.ldapsUrl)
  const alice = await find(directory, 'alice')
  t.match(alice, {
    name: 'alice',
    dn: samba.people.alice.dn,
    id: /^objectGUID:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    particulars: { firstName: 'Alice', lastName: 'Example', email: 'alice@lab.test' },
    closed: undefined,
    locked: undefined,
  })
  t.same(await directory.checkPassword(alice, samba.people.alice.password), { right: true })
  await using byUpn = directoryAt(samba.ldapsUrl, { userMapping: 'omeName=userPrincipalName' })
  const again = await find(byUpn, 'alice@lab.test')
  t.equal(again.id, alice.id)
  t.equal((await directory.read(alice.dn)).kind, 'found')
})

t.test('a name of commas, parentheses and umlauts signs in and has its groups', async t => {
  t.same(await check('special'), { right: true })
  t.same(await groupsFor(samba.people.special.sam), ['CT+MR, (north)', 'Domain Users'])
  t.same(await groupsFor(samba.people.special.sam, { newUserGroup: ':dn_attribute:memberOf' }), [
    ...['CT+MR, (north)', 'Domain Users'],
  ])
})

t.test('nested groups: by the matching rule in chain, and by a walk, past a circle', async t => {
  const direct = ['Domain Users', 'radiology']
  const nested = ['Domain Users', 'Users', 'all-staff', 'imaging', 'radiology']
  for (const newUserGroup of [':query:(member=@{dn})', ':dn_attribute:memberOf', ':filtered_dn_attribute:memberOf']) {
    t.same(await groupsFor('alice', { newUserGroup }), direct, newUserGroup)
    t.same(await groupsFor('alice', { newUserGroup, nestedGroups: true }), nested, `${newUserGroup} in chain`)
    t.same(await groupsFor('alice', { newUserGroup, nestedGroups: 'walk' }), nested, `${newUserGroup} by a walk`)
  }
})

t.test('the primary group, whichever it is', async t => {
  t.same(await groupsFor('frank'), ['Domain Users'])
  t.ok((await groupsFor('pia')).includes('reading-room'))
  t.ok((await groupsFor('pia', { newUserGroup: ':dn_attribute:memberOf' })).includes('reading-room'))
})

t.test('what a :query: compares beside membership is true of the primary group and of those above it, too', async t => {
  const query = (beside: string) => ({ newUserGroup: `:query:(&(member=@{dn})${beside})` })
  for (const nestedGroups of [false, true, 'walk'])
    t.same(await groupsFor('alice', { ...query('(cn=rad*)'), nestedGroups }), ['radiology'], String(nestedGroups))
  t.same(await groupsFor('pia', query('(cn=reading-*)')), ['reading-room'])
  // She is in Users by Domain Users, which is her primary group and counts for neither of them.
  t.same(await groupsFor('alice', { ...query('(cn=Users)'), nestedGroups: true }), ['Users'])
  const groupFilter = '(&(objectClass=group)(cn=Users))'
  t.same(await groupsFor('alice', { ...query(''), groupFilter, nestedGroups: true }), ['Users'])
  t.match(await groupsFor('alice', { newUserGroup: ':query:(cn=@{sAMAccountName})' }), [/^none/], 'nobody is asked for')
})

t.test('the whole answer costs one question for the groups, once the primary group was seen', async t => {
  await using directory = directoryAt(samba.ldapsUrl, { nestedGroups: true })
  const alice = await find(directory, 'alice')
  await directory.groupsOf(alice)
  const before = samba.operations()
  const answer = await directory.groupsOf(alice)
  t.equal(answer.kind === 'groups' && answer.groups.length, 5)
  t.equal(samba.operations().searches - before.searches, 1)
})

t.test('a group of 1,600: its member is in it, and its values are read to the last', async t => {
  t.same(await groupsFor('grace'), ['Domain Users', 'crowd'])
  t.same(await groupsFor('grace', { nestedGroups: true }), ['Domain Users', 'Users', 'crowd'])
  // The group taken for a person. Samba gives all values at once; test/ldap/ranged-values.test.ts has them in pieces.
  const members = await groupsFor('crowd', {
    userFilter: '(objectClass=group)',
    userMapping: 'omeName=cn',
    newUserGroup: ':attribute:member',
  })
  t.equal(members.length, 1_600)
})

t.test('Global Catalogue on 3268 with StartTLS and on 3269, from the root of the forest', async t => {
  const settings = { base: '', nestedGroups: true }
  const nested = ['Domain Users', 'Users', 'all-staff', 'imaging', 'radiology']
  t.same(await groupsFor('alice', settings, samba.gcsUrl), nested)
  t.same(await groupsFor('alice', { ...settings, startTls: true }, samba.gcUrl), nested)
})

t.test(
  'StartTLS on 389; without it the directory wants more, which is a wrong setting and no wrong password',
  async t => {
    t.ok((await groupsFor('alice', { startTls: true }, samba.url)).includes('radiology'))
    await using plain = directoryAt(samba.url, { tls: undefined })
    await t.rejects(plain.find('alice'), { code: 'directory-misconfigured' })
  },
)

t.test('a search from the root of the domain: references to elsewhere are left, or refused', async t => {
  await using ignoring = directoryAt(samba.ldapsUrl, { referral: 'ignore' })
  t.equal((await ignoring.find('alice')).kind, 'found')
  await using throwing = directoryAt(samba.ldapsUrl, { referral: 'throw' })
  await t.rejects(throwing.find('alice'), { code: 'directory-misconfigured' })
  // The host of the references is nobody that is configured, so nothing is sent there.
  await using following = directoryAt(samba.ldapsUrl, { referral: 'follow' })
  t.equal((await following.find('alice')).kind, 'found')
})

t.test(
  'D12: what stands against a sign-in is told in full to the audit trail, and to the person where it helps',
  async t => {
    t.match(await check('alice', 'wrong'), { right: false, reason: 'wrong', why: /data 52e: wrong password/ })
    t.match(await check('bob'), { right: false, reason: 'wrong', why: /data 533: account disabled/ })
    t.match(await check('carol'), { right: false, reason: 'must-change', why: /data 773: password must be changed/ })
    t.match(await check('dave'), { right: false, reason: 'wrong', why: /data 701: account expired/ })
    t.match(await check('erin'), { right: false, reason: 'wrong', why: /data 775: account locked/ })
    t.match(await check('heidi'), { right: false, reason: 'expired', why: /data 532: password expired/ })
    t.match(await check('ivan'), { right: false, reason: 'wrong', why: /data 530/ })
    t.match(await check('judy'), { right: false, reason: 'wrong', why: /data 531/ })
  },
)

t.test('where no bind tells, the entry says who is disabled, expired or locked', async t => {
  await using directory = directoryAt(samba.ldapsUrl)
  t.match((await find(directory, 'bob')).closed, /disabled/)
  t.match((await find(directory, 'dave')).closed, /expired on 2020/)
  t.match((await find(directory, 'erin')).locked, /locked/)
  for (const name of ['alice', 'carol', 'frank', 'heidi']) {
    const entry = await find(directory, name)
    t.same([entry.closed, entry.locked], [undefined, undefined], name)
  }
})

t.test('an anonymous search is refused, which is a wrong setting', async t => {
  await using directory = directoryAt(samba.ldapsUrl, { username: undefined })
  await t.rejects(directory.find('alice'), { code: 'directory-misconfigured' })
})

t.test('a renamed entry is known again', async t => {
  await using directory = directoryAt(samba.ldapsUrl)
  const before = await find(directory, 'frank')
  await samba.modify(`dn: ${before.dn}\nchangetype: modrdn\nnewrdn: CN=Frank New\ndeleteoldrdn: 1\n`)
  const after = await find(directory, 'frank')
  t.not(after.dn, before.dn)
  t.equal(after.id, before.id)
})
