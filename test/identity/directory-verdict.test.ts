/**
 * What the directory says of somebody whose password is not asked. The directory is a literal; slapd is behind the
 * whole gateways in test/behaviour.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { createVerdictOf, type VerdictParts } from '../../src/identity/directory-verdict.ts'
import { Fault } from '../../src/kernel/fault.ts'
import { brand, type Finding, type PersonEntry } from '../../src/ldap/person.ts'

const entryOf = (name: string, more: Partial<PersonEntry> = {}): PersonEntry => ({
  ...{ dn: `uid=${name},ou=people`, attributes: new Map(), bytes: new Map() },
  ...{ [brand]: true, name, id: `entryUUID:${name}`, particulars: {}, closed: undefined, locked: undefined },
  ...more,
})

interface Said {
  readonly entry?: Partial<PersonEntry>
  readonly groups?: readonly string[]
}

function houseOf(t: Test, options: Partial<VerdictParts> = {}) {
  const accounts = openDirectoryAccounts({ file: join(t.testdir({}), 'state.db') })
  t.teardown(() => accounts[Symbol.dispose]())
  const people = new Map<string, Said>()
  const asked: string[] = []
  const finding = (name: string): Finding => {
    const said = people.get(name)
    return said === undefined
      ? { kind: 'not-found', why: 'no entry has this name' }
      : { kind: 'found', entry: entryOf(name, said.entry) }
  }
  const verdictOf = createVerdictOf({
    directory: {
      async find(name) {
        asked.push(`find ${name}`)
        return finding(name)
      },
      async read(dn) {
        asked.push(`read ${dn}`)
        return finding(/^uid=(\w+),/.exec(dn)?.[1] ?? '')
      },
      async groupsOf({ name }) {
        asked.push(`groups ${name}`)
        const groups = people.get(name)?.groups ?? []
        return groups.length === 0
          ? { kind: 'no-groups', why: 'no group found' }
          : { kind: 'groups', groups: groups.map(group => ({ name: group, owner: false })) }
      },
    },
    accounts,
    local: { find: name => (name === 'admin' ? { name, groups: [], locked: false, createdAt: '' } : undefined) },
    provider: 'chained',
    syncOnLogin: true,
    reserved: { administrators: ['pacs-admins'], allowed: [] },
    now: () => 1_000,
    ...options,
  })
  return { accounts, people, asked, verdictOf }
}

t.test('somebody in a group is in, and has an account from then on', async t => {
  const { verdictOf, people, accounts } = houseOf(t)
  people.set('alice', { groups: ['radiology'] })
  t.match(await verdictOf('alice'), { kind: 'in', account: { name: 'alice', lastLoginAt: 1_000 } })
  people.set('alice', { groups: ['cardiology'] })
  t.match(await verdictOf('alice'), { kind: 'in', account: { groups: [{ name: 'cardiology' }] } })
  t.match(accounts.find('alice'), { groups: [{ name: 'cardiology' }] })
})

t.test('nobody is let in by an entry that is closed or locked, and no group is asked for', async t => {
  const { verdictOf, people, accounts, asked } = houseOf(t)
  people.set('closed', { groups: ['radiology'], entry: { closed: 'disabled since 2026' } })
  people.set('locked', { groups: ['radiology'], entry: { locked: 'locked since noon' } })
  t.match(await verdictOf('closed'), { kind: 'out', reason: 'closed', why: /disabled since 2026/ })
  t.match(await verdictOf('locked'), { kind: 'out', reason: 'locked-there', why: /locked since noon/ })
  t.same(asked, ['find closed', 'find locked'])
  t.same(accounts.list(), [])
})

t.test('groups that the directory may not confer let nobody in', async t => {
  const { verdictOf, people, accounts } = houseOf(t)
  people.set('eve', { groups: ['PACS-Admins', 'system'] })
  t.match(await verdictOf('eve'), { kind: 'out', reason: 'no-groups', why: /not PACS-Admins, system/ })
  people.set('eve', { groups: ['pacs-admins', 'radiology'] })
  t.match(await verdictOf('eve'), { kind: 'in', account: { groups: [{ name: 'radiology' }] } })
  t.equal(accounts.find('eve')?.groups.length, 1)
})

t.test('a local account, a locked one, or no possible name is asked of nobody', async t => {
  const { verdictOf, people, accounts, asked } = houseOf(t)
  for (const name of ['', 'a\0b', 'x'.repeat(257), '\ud800']) t.match(await verdictOf(name), { reason: 'not-found' })
  t.match(await verdictOf('admin'), { kind: 'out', reason: 'local-account' })
  t.same(asked, [])
  people.set('alice', { groups: ['radiology'] })
  await verdictOf('alice')
  accounts.update('alice', { locked: true })
  asked.length = 0
  t.match(await verdictOf('alice'), { kind: 'out', reason: 'locked' })
  t.same(asked, [])
})

t.test('an account of the directory is asked there, also over a local one of its name', async t => {
  const { verdictOf, people, accounts } = houseOf(t)
  people.set('admin', { groups: ['radiology'] })
  accounts.add({
    ...{ name: 'admin', dn: 'uid=admin,ou=people', entryId: undefined, particulars: {}, locked: false, createdAt: 1 },
    ...{ groups: [], lastLoginAt: undefined },
  })
  t.match(await verdictOf('admin'), { kind: 'in', account: { groups: [{ name: 'radiology' }] } })
})

t.test('without syncOnLogin, and with chained431, who is known keeps what they have', async t => {
  for (const options of [{ syncOnLogin: false }, { provider: 'chained431' }] as const) {
    const { verdictOf, people, asked } = houseOf(t, options)
    people.set('alice', { groups: ['radiology'] })
    await verdictOf('alice')
    people.set('alice', { groups: [] })
    asked.length = 0
    t.match(await verdictOf('alice'), { kind: 'in', account: { groups: [{ name: 'radiology' }] } })
    t.same(asked, ['provider' in options ? 'read uid=alice,ou=people' : 'find alice'])
    people.set('alice', { entry: { id: 'entryUUID:other' } })
    t.match(await verdictOf('alice'), { kind: 'out', reason: 'moved' })
    people.set('alice', { entry: { closed: 'disabled' } })
    t.match(await verdictOf('alice'), { kind: 'out', reason: 'closed' })
  }
})

t.test('a directory that cannot answer is a fault', async t => {
  const broken = async () => {
    throw new Fault('directory-unavailable')
  }
  const { verdictOf } = houseOf(t, { directory: { find: broken, read: broken, groupsOf: broken } })
  await t.rejects(verdictOf('alice'), { code: 'directory-unavailable' })
})
