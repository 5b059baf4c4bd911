// Each specification of groups that the LDAP document of OMERO names, asked of a real slapd.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Fault } from '../../src/kernel/fault.ts'
import type { DirectoryGroup } from '../../src/ldap/person.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { directoryOf } from './settings.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const base = 'dc=lab,dc=test'
const slapd = await startSlapd(t, {
  groups: { radiology: ['alice'], research: ['alice', 'bob'], 'a,b': ['alice'], flagged: ['alice'] },
  ldif: `
dn: ou=TheLab,ou=people,${base}
objectClass: organizationalUnit
ou: TheLab

dn: cn=frank,ou=TheLab,ou=people,${base}
objectClass: inetOrgPerson
uid: frank
cn: frank
sn: Frank
departmentNumber: radiology
departmentNumber: nowhere
departmentNumber: RESEARCH
mail: frank@lab.test
mail: f@lab.test

dn: ou=elsewhere,${base}
objectClass: organizationalUnit
ou: elsewhere

dn: cn=radiology,ou=elsewhere,${base}
objectClass: groupOfNames
cn: radiology
member: uid=bob,ou=people,${base}
owner: uid=bob,ou=people,${base}

dn: cn=flagged,ou=groups,${base}
changetype: modify
add: description
description: omero.flag
-
add: owner
owner: uid=alice,ou=people,${base}
`,
})

async function answerFor(name: string, written: Record<string, unknown>) {
  await using directory = directoryOf(slapd, written)
  await directory.prepare()
  const found = await directory.find(name)
  if (found.kind !== 'found') throw new Error(found.why)
  return directory.groupsOf(found.entry)
}
const namesOf = (groups: readonly DirectoryGroup[]) => groups.map(({ name }) => name)
async function groupsFor(name: string, written: Record<string, unknown>): Promise<readonly string[]> {
  const answer = await answerFor(name, written)
  return answer.kind === 'groups' ? namesOf(answer.groups) : [`none: ${answer.why}`]
}

t.test('004 no prefix: the value is the name of the one group, and nothing is asked', async t => {
  const before = slapd.operations().searches
  t.same(await groupsFor('carol', { newUserGroup: 'default' }), ['default'])
  t.equal(slapd.operations().searches, before + 1, 'the search for the person alone')
})

t.test('004 :ou: the last organizational unit of the person, also one of the base', async t => {
  t.same(await groupsFor('frank', { newUserGroup: ':ou:' }), ['TheLab'])
  t.same(await groupsFor('alice', { newUserGroup: ':ou:', base: `ou=people,${base}` }), ['people'])
})

t.test('004 :attribute: all values are names of groups, whole DNs too', async t => {
  t.same(await groupsFor('frank', { newUserGroup: ':attribute:departmentNumber' }), [
    'radiology',
    'nowhere',
    'RESEARCH',
  ])
  t.same(
    (await groupsFor('alice', { newUserGroup: ':attribute:memberOf' })).map(name => name.split(',').at(-3)),
    ['ou=groups', 'ou=groups', 'ou=groups', 'ou=groups'],
  )
  t.match(await groupsFor('carol', { newUserGroup: ':attribute:departmentNumber' }), [/^none: no group found/])
})

t.test('004 :filtered_attribute: only the values that name a group which the filter finds, to the letter', async t => {
  const before = slapd.operations().searches
  t.same(await groupsFor('frank', { newUserGroup: ':filtered_attribute:departmentNumber' }), ['radiology'])
  t.equal(slapd.operations().searches, before + 2, 'one question for all values')
})

t.test('values that no group can be called are not asked for, and cost nobody else anything', async t => {
  // What slapd takes of nobody in particular; it hangs up on whoever sends more.
  const narrow = await startSlapd(t, { conf: 'sockbuf_max_incoming_auth 262143' })
  for (const half of [0, 1]) {
    const values = Array.from({ length: 50 }, (_, at) => `departmentNumber: ${half}-${at}-${'x'.repeat(4_000)}\n`)
    await narrow.modify(
      `dn: uid=alice,ou=people,${base}\nchangetype: modify\nadd: departmentNumber\n${values.join('')}departmentNumber: ${['radiology', '='][half]}\n`,
    )
  }
  await using directory = directoryOf(narrow, { newUserGroup: ':filtered_attribute:departmentNumber' })
  const found = await directory.find('alice')
  if (found.kind !== 'found') throw new Error(found.why)
  t.match(await directory.groupsOf(found.entry), { kind: 'groups', groups: [{ name: 'radiology' }] })

  await using byName = directoryOf(narrow, { newUserGroup: ':dn_attribute:departmentNumber' })
  const none = await byName.groupsOf(found.entry)
  t.match(none, { kind: 'no-groups', why: /"0-0-x{100,300}…" is no name of an entry/ })
  t.ok(none.kind === 'no-groups' && none.why.length < 2_000, 'and are told in short')
})

t.test('somebody in more groups than anybody is comes in with none of them', async t => {
  const values = Array.from({ length: 5_001 }, (_, at) => `departmentNumber: group ${at}\n`)
  await slapd.modify(`dn: uid=twin2,ou=people,${base}\nchangetype: modify\nadd: departmentNumber\n${values.join('')}`)
  t.match(await groupsFor('twin2', { newUserGroup: ':attribute:departmentNumber' }), [/^none: more than 5000 groups/])
})

t.test('004 :dn_attribute: the part of the DN that the group mapping names', async t => {
  t.same((await groupsFor('alice', { newUserGroup: ':dn_attribute:memberOf' })).toSorted(), [
    ...['a,b', 'flagged', 'radiology', 'research'],
  ])
  t.same(
    (await groupsFor('alice', { newUserGroup: ':dn_attribute:memberOf', groupMapping: 'name=CN' })).length,
    4,
    'whatever the case of the mapping',
  )
  t.same((await groupsFor('alice', { newUserGroup: ':dn_attribute:memberOf', groupMapping: 'name=ou' })).length, 1)
})

t.test('004 :dn_attribute: a value outside of the base, or without the attribute, is passed over and told', async t => {
  const outside = await answerFor('bob', {
    newUserGroup: ':dn_attribute:memberOf',
    base: `ou=people,${base}`,
  })
  t.match(outside, { kind: 'no-groups', why: /cn=research,ou=groups,dc=lab,dc=test lies outside of the base/ })
  const without = await answerFor('bob', { newUserGroup: ':dn_attribute:memberOf', groupMapping: 'name=mail' })
  t.match(without, { kind: 'no-groups', why: /has no mail/ })
})

t.test('004 :filtered_dn_attribute: only groups that the filter finds, told apart by their whole name', async t => {
  const settings = { newUserGroup: ':filtered_dn_attribute:memberOf' }
  t.same(
    await groupsFor('alice', { ...settings, groupFilter: '(&(objectClass=groupOfNames)(description=omero.flag))' }),
    ['flagged'],
  )
  const before = slapd.operations().searches
  // Bob is in the other radiology only; a comparison of names alone would take the filtered one for it.
  t.match(
    await groupsFor('bob', { ...settings, groupFilter: `(&(objectClass=groupOfNames)(!(owner=*))(cn=radiology))` }),
    [/^none/],
  )
  t.equal(slapd.operations().searches, before + 2)
})

t.test('004 :query: is joined with the group filter; the person stands in placeholders, in both spellings', async t => {
  t.same(await groupsFor('alice', { newUserGroup: ':query:(member=@{dn})' }), [
    'radiology',
    'research',
    'a,b',
    'flagged',
  ])
  t.same((await groupsFor('alice', { newUserGroup: [':query:(member=$', '{dn})'].join('') })).length, 4)
  t.same(await groupsFor('alice', { newUserGroup: ':query:(member=@{dn})', groupFilter: '(description=omero.flag)' }), [
    'flagged',
  ])
  t.match(await groupsFor('frank', { newUserGroup: ':query:(cn=@{email})' }), [/several values for @\{email\}/])
})

t.test('newUserGroupOwner says whose groups they are, with one more question', async t => {
  const before = slapd.operations().searches
  const answer = await answerFor('alice', { newUserGroup: ':query:(member=@{dn})', newUserGroupOwner: '(owner=@{dn})' })
  t.same(answer.kind === 'groups' && answer.groups.filter(({ owner }) => owner), [{ name: 'flagged', owner: true }])
  t.equal(answer.kind === 'groups' && answer.groups.length, 4)
  t.equal(slapd.operations().searches, before + 3)
})

t.test('D13: levels are walked, each group once, however they hold each other', async t => {
  await slapd.modify(`
dn: cn=top,ou=groups,${base}
changetype: add
objectClass: groupOfNames
cn: top
member: cn=middle,ou=groups,${base}

dn: cn=middle,ou=groups,${base}
changetype: add
objectClass: groupOfNames
cn: middle
member: cn=research,ou=groups,${base}
member: cn=top,ou=groups,${base}
`)
  const query = { newUserGroup: ':query:(member=@{dn})', nestedGroups: 'walk' }
  t.same((await groupsFor('bob', query)).toSorted(), ['middle', 'pacs-admins', 'radiology', 'research', 'top'])
  const attribute = { newUserGroup: ':dn_attribute:memberOf', nestedGroups: 'walk' }
  t.same((await groupsFor('bob', attribute)).toSorted(), ['middle', 'pacs-admins', 'radiology', 'research', 'top'])
  t.same((await groupsFor('bob', { ...query, nestedGroups: false })).toSorted(), [
    'pacs-admins',
    'radiology',
    'research',
  ])
})

t.test('what a :query: compares beside membership is true of every group that is walked to', async t => {
  const newUserGroup = ':query:(&(member=@{dn})(!(cn=top)))'
  t.same((await groupsFor('bob', { newUserGroup, nestedGroups: 'walk' })).toSorted(), [
    ...['middle', 'pacs-admins', 'radiology', 'research'],
  ])
})

t.test('D13: a tower of fifty levels is climbed, one of more is a fault', async t => {
  const level = (at: number) => `
dn: cn=level${at},ou=groups,${base}
changetype: add
objectClass: groupOfNames
cn: level${at}
member: ${at === 0 ? `uid=carol,ou=people,${base}` : `cn=level${at - 1},ou=groups,${base}`}
`
  await slapd.modify(Array.from({ length: 51 }, (_, at) => level(at)).join(''))
  const walk = { newUserGroup: ':query:(member=@{dn})', nestedGroups: 'walk' }
  t.equal((await groupsFor('carol', walk)).length, 51)
  await slapd.modify(level(51))
  await t.rejects(groupsFor('carol', walk), { code: 'directory-misconfigured' })
})

t.test(':bean: is a function of a module, which may search', async t => {
  const dir = t.testdir({
    'groups.mjs': `
export async function byTitle({ name, dn, attributes }, { search }) {
  const found = await search('(member=' + dn + ')', ['cn'])
  return [name, attributes.sn[0], ...found.map(group => group.attributes.cn[0])]
}
export const slow = () => new Promise(() => {})
export const wrong = () => 'radiology'
export const thrown = () => { throw new Error('no') }
export const notOne = 1
`,
  })
  const file = join(dir, 'groups.mjs')
  t.same(await groupsFor('bob', { newUserGroup: `:bean:${file}#byTitle` }), [
    ...['bob', 'Bob Example', 'pacs-admins', 'research', 'radiology'],
  ])
  const faultOf = async (newUserGroup: string) => {
    try {
      await groupsFor('bob', { newUserGroup, readTimeout: '300 ms' })
    } catch (cause) {
      if (cause instanceof Fault) return cause.code
      throw cause
    }
    return undefined
  }
  t.equal(await faultOf(`:bean:${file}#slow`), 'directory-unavailable')
  t.equal(await faultOf(`:bean:${file}#thrown`), 'directory-unavailable')
  t.equal(await faultOf(`:bean:${file}#wrong`), 'directory-misconfigured')
  t.equal(await faultOf(`:bean:${file}#notOne`), 'directory-misconfigured')
  t.equal(await faultOf(`:bean:${file}#nothing`), 'directory-misconfigured')
  t.equal(await faultOf(`:bean:${join(dir, 'missing.mjs')}`), 'directory-misconfigured')
  writeFileSync(file, 'export default () => ["changed"]\n')
  t.same(await groupsFor('bob', { newUserGroup: `:bean:${file}` }), ['changed'], 'a changed file is read anew')
})

t.test('an entry brings what is remembered of it', async t => {
  await using directory = directoryOf(slapd, {
    userMapping: 'omeName=uid,firstName=givenName,lastName=sn,email=mail,institution=departmentNumber',
  })
  const found = await directory.find('frank')
  t.match(found, {
    kind: 'found',
    entry: {
      name: 'frank',
      id: /^entryUUID:[0-9a-f-]{36}$/,
      particulars: { lastName: 'Frank', email: 'frank@lab.test', institution: 'radiology' },
      closed: undefined,
      locked: undefined,
    },
  })
  t.notOk(found.kind === 'found' && 'firstName' in found.entry.particulars)
  const read = await directory.read(`CN=frank, ou=TheLab,ou=people,${base}`)
  t.same(read.kind === 'found' && read.entry.id, found.kind === 'found' && found.entry.id)
})

t.test('the name is the value that matched; with ignoreCase in small letters, by any spelling', async t => {
  await slapd.modify(`dn: cn=frank,ou=TheLab,ou=people,${base}\nchangetype: modify\nadd: uid\nuid: Frank.Müller\n`)
  const nameOf = async (typed: string, ignoreCase: boolean) => {
    await using directory = directoryOf(slapd, {}, { ignoreCase })
    const found = await directory.find(typed)
    return found.kind === 'found' ? found.entry.name : found.why
  }
  t.equal(await nameOf('Frank.Müller', false), 'Frank.Müller', 'a second value is as good as the first')
  t.match(await nameOf('frank.müller', false), /spells this name otherwise/)
  t.match(await nameOf('FRANK', false), /spells this name otherwise/)
  t.equal(await nameOf('frank', false), 'frank')
  t.equal(await nameOf('FRANK', true), 'frank')
  t.equal(await nameOf('FRANK.MU\u0308LLER', true), 'frank.müller')
})
