// The scenarios of OMERO's own LDAP tests, through the whole gateway and against a real slapd.
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { type SignInHouseOptions, startSignInHouse } from './sign-in-house.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const alice = { name: 'alice', password: 'alice pass-word' }
const people = 'ou=people,dc=lab,dc=test'
const groups = 'ou=groups,dc=lab,dc=test'
const ofAlice = (...changes: string[]) => `dn: uid=alice,${people}\nchangetype: modify\n${changes.join('\n-\n')}\n`

interface Scenario extends SignInHouseOptions {
  readonly title: string
  readonly person?: { readonly name: string; readonly password: string }
  readonly has: readonly string[]
}

const inTwo = { groups: { radiology: ['alice'], cardiology: ['alice', 'bob'], surgery: ['bob'] } }

const scenarios: readonly Scenario[] = [
  { title: 'a literal group', directory: { newUserGroup: 'everybody' }, has: ['everybody'] },
  {
    title: ':ou:, the unit nearest to the person',
    slapd: {
      ldif: `dn: ou=TheLab,${people}\nobjectClass: organizationalUnit\nou: TheLab\n\ndn: uid=frank,ou=TheLab,${people}\nobjectClass: inetOrgPerson\nuid: frank\ncn: Frank\nsn: Frank\nuserPassword: frank pass-word\n`,
    },
    directory: { newUserGroup: ':ou:' },
    person: { name: 'frank', password: 'frank pass-word' },
    has: ['TheLab'],
  },
  {
    title: ':ou:, a unit of the base itself',
    directory: { newUserGroup: ':ou:', base: people },
    has: ['people'],
  },
  {
    title: ':attribute:, each value a group',
    slapd: { ldif: ofAlice('add: departmentNumber\ndepartmentNumber: A1\ndepartmentNumber: B2') },
    directory: { newUserGroup: ':attribute:departmentNumber' },
    has: ['A1', 'B2'],
  },
  {
    title: ':filtered_attribute:, those that are groups',
    slapd: {
      ...inTwo,
      ldif: ofAlice('add: departmentNumber\ndepartmentNumber: cardiology\ndepartmentNumber: no group'),
    },
    directory: { newUserGroup: ':filtered_attribute:departmentNumber' },
    has: ['cardiology'],
  },
  {
    title: ':dn_attribute:, the names in names of entries',
    slapd: inTwo,
    directory: { newUserGroup: ':dn_attribute:memberOf' },
    has: ['cardiology', 'radiology'],
  },
  {
    title: ':filtered_dn_attribute:, those that are groups by the filter',
    slapd: inTwo,
    directory: { newUserGroup: ':filtered_dn_attribute:memberOf', groupFilter: '(cn=card*)' },
    has: ['cardiology'],
  },
  { title: ':query:, somebody in several groups', slapd: inTwo, has: ['cardiology', 'radiology'] },
  {
    title: ':query: with a name of the mapping',
    slapd: { groups: { 'mail alice@lab.test': ['alice'] } },
    directory: { newUserGroup: ':query:(cn=mail @{email})' },
    has: ['mail alice@lab.test'],
  },
  {
    title: 'omeName is cn',
    directory: { userMapping: 'omeName=cn' },
    person: { name: 'Alice Example', password: alice.password },
    has: ['radiology'],
  },
  {
    title: 'omeName is givenName',
    slapd: { ldif: ofAlice('add: givenName\ngivenName: Alicia') },
    directory: { userMapping: 'omeName=givenName' },
    person: { name: 'Alicia', password: alice.password },
    has: ['radiology'],
  },
  {
    title: 'people are posixAccounts, groups posixGroups',
    slapd: {
      schemas: ['nis'],
      ldif: [
        `dn: uid=pax,${people}\nobjectClass: account\nobjectClass: posixAccount\nobjectClass: simpleSecurityObject\nuid: pax\ncn: Pax\nuidNumber: 7\ngidNumber: 7\nhomeDirectory: /\nuserPassword: pax pass-word\n`,
        `dn: cn=posix,${groups}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 7\nmemberUid: pax\n`,
      ].join('\n'),
    },
    directory: {
      userFilter: '(objectClass=posixAccount)',
      groupFilter: '(objectClass=posixGroup)',
      newUserGroup: ':query:(memberUid=@{uid})',
    },
    person: { name: 'pax', password: 'pax pass-word' },
    has: ['posix'],
  },
  {
    title: 'a user filter that admits one entry admits that one',
    directory: { userFilter: '(mail=alice@lab.test)' },
    has: ['radiology'],
  },
  {
    title: 'with ignoreCase a name in capitals is that person',
    realms: { ignoreCase: true },
    person: { name: 'ALICE', password: alice.password },
    has: ['radiology'],
  },
]

for (const { title, person = alice, has, ...options } of scenarios) {
  t.test(title, async t => {
    const house = await startSignInHouse(t, options)
    const first = await house.signIn(person.name, person.password)
    t.equal(first.answer.status, 303)
    t.equal(first.detail, undefined)
    t.equal(first.answer.headers['location'], '/where')
    t.same(first.groups, [...has].toSorted())
    t.same((await house.signIn(person.name, person.password)).groups, [...has].toSorted(), 'and again')
    t.equal((await house.signIn(person.name, 'wrong')).answer.status, 401)
    t.equal(house.accounts.list().length, 1)
  })
}

t.test('without ignoreCase a name in other letters is nobody', async t => {
  const house = await startSignInHouse(t)
  for (const name of ['ALICE', 'Alice', 'alice\u0301']) {
    const { answer, detail } = await house.signIn(name, alice.password)
    t.equal(answer.status, 401)
    t.match(detail, /spells this name otherwise|no entry has this name/)
  }
  t.same(house.accounts.list(), [])
})

t.test('a user filter that admits one entry admits no other', async t => {
  const house = await startSignInHouse(t, { directory: { userFilter: '(mail=alice@lab.test)' } })
  t.notOk((await house.signIn('bob', 'bob pass-word')).isIn)
  t.ok((await house.signIn('alice', alice.password)).isIn)
})

t.test('who has no group is refused, and nothing is created', async t => {
  const house = await startSignInHouse(t)
  const { answer, detail } = await house.signIn('carol', 'carol pass-word')
  t.equal(answer.status, 401)
  t.match(answer.text, 'User name or password is wrong, or the account is locked.')
  t.match(detail, /no group/)
  t.same(house.accounts.list(), [])
})

t.test('sync_on_login: the value of an attribute is removed, and so is the group', async t => {
  const house = await startSignInHouse(t, {
    slapd: { ldif: ofAlice('add: departmentNumber\ndepartmentNumber: A1\ndepartmentNumber: B2') },
    directory: { newUserGroup: ':attribute:departmentNumber' },
  })
  t.same((await house.signIn('alice', alice.password)).groups, ['A1', 'B2'])
  await house.slapd.modify(ofAlice('delete: departmentNumber\ndepartmentNumber: A1'))
  t.same((await house.signIn('alice', alice.password)).groups, ['B2'])
  await house.slapd.modify(ofAlice('delete: departmentNumber'))
  t.notOk((await house.signIn('alice', alice.password)).isIn, 'with the last one everything is gone')
})

t.test('sync_on_login: mail and givenName change, and one that is gone is forgotten', async t => {
  for (const syncOnLogin of [true, false]) {
    const house = await startSignInHouse(t, {
      slapd: { ldif: ofAlice('add: givenName\ngivenName: Alicia') },
      directory: { syncOnLogin },
    })
    await house.signIn('alice', alice.password)
    const first = { firstName: 'Alicia', lastName: 'Alice Example', email: 'alice@lab.test' }
    t.same(house.accounts.find('alice')?.particulars, first)
    await house.slapd.modify(ofAlice('replace: mail\nmail: new@lab.test', 'delete: givenName'))
    t.ok((await house.signIn('alice', alice.password)).isIn)
    t.same(
      house.accounts.find('alice')?.particulars,
      syncOnLogin ? { lastName: 'Alice Example', email: 'new@lab.test' } : first,
    )
  }
})

t.test('sync_on_login: a membership is removed and restored; one of our own giving stays', async t => {
  const house = await startSignInHouse(t, { slapd: inTwo })
  const regroup = (change: 'add' | 'delete') =>
    house.slapd.modify(
      `dn: cn=cardiology,${groups}\nchangetype: modify\n${change}: member\nmember: uid=alice,${people}\n`,
    )
  await house.signIn('alice', alice.password)
  const account = house.accounts.find('alice')
  house.accounts.update('alice', {
    groups: [...(account?.groups ?? []), { name: 'ours', source: 'local', owner: false }],
  })
  await regroup('delete')
  t.same((await house.signIn('alice', alice.password)).groups, ['ours', 'radiology'])
  await regroup('add')
  t.same((await house.signIn('alice', alice.password)).groups, ['cardiology', 'ours', 'radiology'])
})

t.test('without sync_on_login the groups of the first visit count, and no group is asked for', async t => {
  const house = await startSignInHouse(t, { slapd: inTwo, directory: { syncOnLogin: false } })
  t.same((await house.signIn('alice', alice.password)).groups, ['cardiology', 'radiology'])
  await house.slapd.modify(
    `dn: cn=cardiology,${groups}\nchangetype: modify\ndelete: member\nmember: uid=alice,${people}\n`,
  )
  const asked = await house.asked(async () => {
    t.same((await house.signIn('alice', alice.password)).groups, ['cardiology', 'radiology'])
  })
  t.same(asked, { searches: 1, binds: 1 })
})

t.test('a filter that matches no longer refuses, also without sync_on_login', async t => {
  for (const syncOnLogin of [true, false]) {
    const house = await startSignInHouse(t, {
      directory: { syncOnLogin, userFilter: '(mail=alice@lab.test)' },
    })
    t.ok((await house.signIn('alice', alice.password)).isIn)
    await house.slapd.modify(ofAlice('replace: mail\nmail: new@lab.test'))
    const { answer, detail } = await house.signIn('alice', alice.password)
    t.equal(answer.status, 401)
    t.match(detail, /no entry has this name \(the account is that of uid=alice/)
    await house.slapd.modify(ofAlice('replace: mail\nmail: alice@lab.test'))
    t.ok((await house.signIn('alice', alice.password)).isIn, 'and does no harm')
  }
})
