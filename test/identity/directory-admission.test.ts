/**
 * What becomes of somebody whom the directory has found: an account is made, brought up to date, or refused.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { admit, groupNames, isSameEntry, type Visit } from '../../src/identity/directory-admission.ts'

const dn = 'uid=alice,ou=people,dc=lab,dc=test'
const entry = { name: 'alice', dn, id: 'entryUUID:1', particulars: { email: 'alice@lab.test' } }
const groupsOf = (...names: readonly string[]) => names.map(name => ({ name, owner: false }))
const visit = (more: Partial<Visit> = {}): Visit => ({
  ...{ entry, groups: groupsOf('radiology'), at: 1_000, signsIn: true },
  ...more,
})

function houseOf(t: Test, syncOnLogin = true) {
  const accounts = openDirectoryAccounts({ file: join(t.testdir({}), 'state.db') })
  t.teardown(() => accounts[Symbol.dispose]())
  const names = new Set<string>()
  const local = {
    find: (name: string) => (names.has(name) ? { name, groups: [], locked: false, createdAt: '' } : undefined),
  }
  return { accounts, names, admit: (one: Visit) => admit(one, { accounts, local, syncOnLogin }) }
}

t.test('the first visit makes the account, with what the directory says', async t => {
  const { accounts, admit } = houseOf(t)
  const admission = await admit(visit())
  t.match(admission, { kind: 'admitted', account: { name: 'alice', dn, entryId: 'entryUUID:1', lastLoginAt: 1_000 } })
  t.same(admission.kind === 'admitted' && groupNames(admission.account), new Set(['radiology']))
  t.same(accounts.find('alice'), admission.kind === 'admitted' && admission.account)
})

t.test('a name that has a local account by now gets none, and who has one keeps it', async t => {
  const { accounts, names, admit } = houseOf(t)
  names.add('alice')
  t.match(await admit(visit()), { kind: 'refused', reason: 'local-account' })
  t.equal(accounts.find('alice'), undefined)
  names.clear()
  await admit(visit())
  names.add('alice')
  t.match(await admit(visit({ at: 2_000 })), { kind: 'admitted' }, 'the local one lies dormant')
})

t.test('somebody without a group gets no account, and who has one is refused', async t => {
  const { accounts, admit } = houseOf(t)
  t.match(await admit(visit({ groups: [] })), { kind: 'refused', reason: 'no-groups' })
  t.equal(accounts.find('alice'), undefined)
  await admit(visit())
  t.match(await admit(visit({ groups: [] })), { kind: 'refused', reason: 'no-groups' })
})

t.test('who has lost all groups keeps none of them; one of our own giving is enough', async t => {
  const { accounts, admit } = houseOf(t)
  await admit(visit())
  t.match(await admit(visit({ groups: [], at: 2_000 })), { kind: 'refused', reason: 'no-groups' })
  t.match(accounts.find('alice'), { groups: [], lastLoginAt: 1_000 })
  const local = { name: 'guests', source: 'local', owner: false } as const
  accounts.update('alice', { groups: [local] })
  t.match(await admit(visit({ groups: [], at: 3_000 })), { kind: 'admitted', account: { groups: [local] } })
  t.match(accounts.find('alice'), { groups: [local], lastLoginAt: 3_000 })
})

t.test('where nothing is brought up to date, the groups of the first visit count', async t => {
  const { accounts, admit } = houseOf(t, false)
  await admit(visit())
  const admission = await admit(visit({ groups: [], at: 2_000 }))
  t.match(admission, { kind: 'admitted', account: { groups: [{ name: 'radiology' }] } })
  accounts.update('alice', { groups: [] })
  t.match(await admit(visit({ at: 3_000 })), { kind: 'refused', reason: 'no-groups' })
})

t.test('groups and particulars follow the directory only where they shall', async t => {
  const later = { entry: { ...entry, particulars: { email: 'a@lab.test' } }, groups: groupsOf('cardiology'), at: 2_000 }
  for (const syncOnLogin of [true, false]) {
    const { accounts, admit } = houseOf(t, syncOnLogin)
    await admit(visit())
    const local = { name: 'guests', source: 'local', owner: true } as const
    accounts.update('alice', { groups: [local, ...(accounts.find('alice')?.groups ?? [])] })
    const admission = await admit(visit(later))
    const [group, email] = syncOnLogin ? ['cardiology', 'a@lab.test'] : ['radiology', 'alice@lab.test']
    t.match(admission, {
      account: { groups: [local, { name: group, source: 'directory' }], particulars: { email }, lastLoginAt: 2_000 },
    })
    t.same(accounts.find('alice'), admission.kind === 'admitted' && admission.account)
  }
})

t.test('another entry of the same name is somebody else', async t => {
  const { accounts, admit } = houseOf(t)
  await admit(visit())
  const before = accounts.find('alice')
  t.match(await admit(visit({ entry: { ...entry, id: 'entryUUID:2' }, at: 2_000 })), {
    kind: 'refused',
    reason: 'moved',
  })
  t.same(accounts.find('alice'), before)
  const renamed = { ...entry, dn: 'uid=alice,ou=staff,dc=lab,dc=test' }
  t.match(
    await admit(visit({ entry: renamed })),
    { kind: 'admitted', account: { dn: renamed.dn } },
    'its id outlives a move',
  )
})

t.test('where there is no id, its place in the tree tells the entry, however it is spelt', async t => {
  const at = (dn: string, id?: string) => ({ dn, id })
  t.ok(isSameEntry({ dn, entryId: undefined }, at('UID=Alice, OU=people,dc=lab,dc=test')))
  t.ok(isSameEntry({ dn, entryId: undefined }, at(dn, 'entryUUID:1')), 'linked by an administrator')
  t.notOk(isSameEntry({ dn, entryId: undefined }, at(`uid=alice,ou=more,${dn}`)))
  t.notOk(isSameEntry({ dn: 'no name', entryId: undefined }, at('no name')))
})

t.test('who is locked is refused, and stays as they were', async t => {
  const { accounts, admit } = houseOf(t)
  await admit(visit())
  accounts.update('alice', { locked: true })
  const before = accounts.find('alice')
  t.match(await admit(visit({ groups: groupsOf('other'), at: 2_000 })), { kind: 'refused', reason: 'locked' })
  t.same(accounts.find('alice'), before)
})

t.test('who is only looked after has not signed in', async t => {
  const { accounts, admit } = houseOf(t)
  await admit(visit())
  const version = accounts.version('alice')
  t.match(await admit(visit({ signsIn: false, at: 9_000 })), { account: { lastLoginAt: 1_000 } })
  t.equal(accounts.version('alice'), version)
  t.match(await admit(visit({ signsIn: false, at: 9_000, groups: groupsOf('other') })), {
    account: { lastLoginAt: 1_000 },
  })
  t.same(groupNames(accounts.find('alice') ?? { groups: [] }), new Set(['other']))
})
