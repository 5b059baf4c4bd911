import { setTimeout as pause } from 'node:timers/promises'
import { Attribute, Change, Client } from 'ldapts'
import t from 'tap'
import { Fault } from '../../src/kernel/fault.ts'
import { Secret } from '../../src/kernel/secret.ts'
import type { Directory } from '../../src/ldap/directory.ts'
import type { PersonEntry } from '../../src/ldap/person.ts'
import * as tree from '../fixture/directory-tree.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { directoryOf } from './settings.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const slapd = await startSlapd(t, {
  people: { spaced: { uid: 'dora', cn: 'Dora, née (O)', password: 'dora pass-word' } },
  groups: { research: ['alice', 'special', 'spaced'] },
})

async function entryOf(directory: Directory, name: string): Promise<PersonEntry> {
  const found = await directory.find(name)
  if (found.kind !== 'found') throw new Error(`${name}: ${found.why}`)
  return found.entry
}

const faultOf = async (work: Promise<unknown>): Promise<string> => {
  const thrown = await work.then(
    () => 'nothing was thrown',
    (cause: unknown) => cause,
  )
  return thrown instanceof Fault ? thrown.code : String(thrown)
}

/** Nobody owns a group unless the settings say how that is found. */
const named = (names: readonly string[]) => ({ kind: 'groups', groups: names.map(name => ({ name, owner: false })) })

t.test('the right password is right, and a wrong one is a value', async t => {
  const directory = directoryOf(slapd)
  const alice = await entryOf(directory, 'alice')
  t.match(alice, { dn: slapd.people.alice.dn, name: 'alice' })
  t.same(await directory.checkPassword(alice, slapd.people.alice.password), { right: true })
  t.same(await directory.checkPassword(alice, 'wrong'), { right: false, reason: 'wrong', why: '49 invalidCredentials' })
})

t.test('an empty, blank or NUL password sends no bind', async t => {
  const directory = directoryOf(slapd)
  const alice = await entryOf(directory, 'alice')
  const before = slapd.operations().binds
  for (const password of ['', ' ', '\t\n', '\0', `${slapd.people.alice.password}\0`]) {
    t.match(await directory.checkPassword(alice, password), { right: false, why: /not sent/ })
  }
  t.equal(slapd.operations().binds, before)
})

t.test('a name finds exactly the entry that bears it, and filters in a name find nobody', async t => {
  const directory = directoryOf(slapd)
  t.match(await directory.find('Bob (Ext) *'), { kind: 'found', entry: { dn: slapd.people.special.dn } })
  for (const name of [
    'nobody',
    '*',
    'a*',
    ')(uid=*',
    '*)(objectClass=*',
    '\\2a',
    'alice)(|(uid=*',
    'alice\0',
    'x'.repeat(10_000),
    '李',
  ]) {
    t.equal((await directory.find(name)).kind, 'not-found', JSON.stringify(name.slice(0, 20)))
  }
})

t.test('a name in other letters or with blanks around it is not that name', async t => {
  const directory = directoryOf(slapd)
  for (const name of ['ALICE', 'Alice', ' alice', 'alice ', 'alice\u00a0'])
    t.equal((await directory.find(name)).kind, 'not-found', JSON.stringify(name))
  t.match(await directory.find('Alice'), { why: /spells this name otherwise/ })
})

t.test('an attribute that is shown under another name, or to nobody, is told as that', async t => {
  // slapd finds by any name of an attribute, and shows the first.
  const directory = directoryOf(slapd, { userMapping: 'omeName=userid' })
  t.match(await directory.find('alice'), { kind: 'not-found', why: /found by userid, which it does not show/ })
})

t.test('a name that two entries bear is nobody', async t => {
  const directory = directoryOf(slapd, { userMapping: 'omeName=cn' })
  t.match(await directory.find('Sam Twin'), { kind: 'not-found', why: /several/ })
  t.equal((await directory.find('Alice Example')).kind, 'found')
})

t.test('any value of the attribute may be the name, and it becomes the name', async t => {
  const keeper = new Client({ url: slapd.url })
  await keeper.bind(tree.keeper.dn, tree.keeper.password)
  const another = new Attribute({ type: 'cn', values: ['carol2'] })
  await keeper.modify(slapd.people.carol.dn, new Change({ operation: 'add', modification: another }))
  await keeper.unbind()

  const directory = directoryOf(slapd, { userMapping: 'omeName=cn' })
  t.match(await directory.find('carol2'), { kind: 'found', entry: { name: 'carol2', dn: slapd.people.carol.dn } })
  t.match(await directory.find('Carol Groupless'), { kind: 'found', entry: { name: 'Carol Groupless' } })
  t.equal((await directory.find('Carol2')).kind, 'not-found')
})

t.test('who does not fit the user filter does not exist', async t => {
  const directory = directoryOf(slapd, { userFilter: '(&(objectClass=inetOrgPerson)(!(uid=bob)))' })
  t.equal((await directory.find('alice')).kind, 'found')
  t.equal((await directory.find('bob')).kind, 'not-found')
})

t.test('groups are found by the DN, with escapes in it, in the order of the directory', async t => {
  const directory = directoryOf(slapd)
  const groupsOf = async (name: string) => directory.groupsOf(await entryOf(directory, name))
  t.same(await groupsOf('alice'), named(['radiology', 'research']))
  t.same(await groupsOf('Bob (Ext) *'), named(['research']))
  t.match(await groupsOf('carol'), { kind: 'no-groups', why: /no group found/ })
})

t.test('a placeholder is an attribute first, a key of the mapping next', async t => {
  const groups = async (newUserGroup: string) => {
    const directory = directoryOf(slapd, {
      newUserGroup,
      groupFilter: '(objectClass=inetOrgPerson)',
      groupMapping: 'name=cn',
    })
    return directory.groupsOf(await entryOf(directory, 'bob'))
  }
  t.same(await groups(':query:(mail=@{email})'), named(['Bob Example']))
  t.same(await groups(':query:(mail=@{MAIL})'), named(['Bob Example']))
  // biome-ignore lint/suspicious/noTemplateCurlyInString: OMERO's older spelling of a placeholder
  t.same(await groups(':query:(sn=${lastName})'), named(['Bob Example']))
  t.match(await groups(':query:(sn=@{telephoneNumber})'), { kind: 'no-groups', why: /nothing for/ })
})

t.test('a placeholder with several values matches nobody', async t => {
  const directory = directoryOf(slapd, { newUserGroup: ':query:(cn=@{memberOf})' })
  t.match(await directory.groupsOf(await entryOf(directory, 'alice')), { kind: 'no-groups', why: /several values/ })
})

t.test("a literal group is everybody's, and the directory is not asked", async t => {
  const directory = directoryOf(slapd, { newUserGroup: 'imaging' })
  const carol = await entryOf(directory, 'carol')
  const before = slapd.operations().searches
  t.same(await directory.groupsOf(carol), named(['imaging']))
  t.equal(slapd.operations().searches, before)
})

t.test('a reader that is refused, and a base that is not there, are wrong settings', async t => {
  const wrong = { password: new Secret('wrong') }
  t.equal(await faultOf(directoryOf(slapd, {}, wrong).find('alice')), 'directory-misconfigured')
  t.equal(await faultOf(directoryOf(slapd, {}, wrong).probe()), 'directory-misconfigured')
  t.equal(
    await faultOf(directoryOf(slapd, { username: 'cn=nobody,dc=lab,dc=test' }).find('alice')),
    'directory-misconfigured',
  )
  t.equal(await faultOf(directoryOf(slapd, { username: 'no DN' }).find('alice')), 'directory-misconfigured')
  t.equal(
    await faultOf(directoryOf(slapd, { base: 'ou=nowhere,dc=lab,dc=test' }).find('alice')),
    'directory-misconfigured',
  )
  t.throws(() => directoryOf(slapd, { base: 'no DN' }), { code: 'directory-misconfigured' })
  t.throws(() => directoryOf(slapd, {}, { password: new Secret('') }), { code: 'directory-misconfigured' })
  t.throws(() => directoryOf(slapd, { userFilter: '(a=b' }), { code: 'directory-misconfigured' })
})

t.test('pretending to check a password binds a name that nobody bears', async t => {
  const before = slapd.operations().bindDns
  await directoryOf(slapd).pretendToCheck()
  const [bound = '', ...more] = slapd.operations().bindDns.filter(dn => !before.includes(dn))
  t.match(bound, /^cn=[0-9a-f]{18},dc=lab,dc=test$/)
  t.same(more, [])
})

t.test('each step is told with what it asked, and no password is in it', async t => {
  const steps: string[] = []
  const directory = directoryOf(
    slapd,
    {},
    {
      password: new Secret(slapd.reader.password),
      onStep: (step, ms, what) => steps.push(`${step} ${ms >= 0} ${what}`),
    },
  )
  await directory.checkPassword(await entryOf(directory, 'alice'), slapd.people.alice.password)
  t.match(steps, [
    /^connect true 127/,
    /^reader true cn=reader/,
    'search true (&(objectClass=person)(uid=alice))',
    /^connect/,
    /^bind true uid=alice/,
  ])
  t.notMatch(steps.join(), /pass-word/)
})

t.test('a directory that is down is a fault at every question, and comes back by itself', async t => {
  const directory = directoryOf(slapd)
  const alice = await entryOf(directory, 'alice')
  await directory.probe()
  await slapd.stop()
  t.equal(await faultOf(directory.find('alice')), 'directory-unavailable')
  t.equal(await faultOf(directory.checkPassword(alice, slapd.people.alice.password)), 'directory-unavailable')
  t.equal(await faultOf(directory.groupsOf(alice)), 'directory-unavailable')
  t.equal(await faultOf(directory.probe()), 'directory-unavailable')
  await slapd.start()
  // It failed three times in a row, so it is left alone for a while.
  await t.rejects(directory.probe(), { code: 'directory-unavailable', message: /left aside for [34]\.\d s/ })
  await pause(4_000)
  t.same(await directory.checkPassword(alice, slapd.people.alice.password), { right: true })
  await directory.probe()
})
