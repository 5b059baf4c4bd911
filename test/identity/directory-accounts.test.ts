// What the gateway remembers of people of the directory, in the real SQLite file that sessions and the ledger use too.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import type { DirectoryAccount } from '../../src/identity/directory-account.ts'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { openSessionStore } from '../../src/identity/session-store.ts'
import { openLedger } from '../../src/issuer/ledger.ts'
import { systemClock } from '../../src/kernel/clock.ts'

const alice: DirectoryAccount = {
  name: 'alice',
  dn: 'uid=alice,ou=people,dc=lab,dc=test',
  entryId: 'entryUUID:52d2a1f4-2a4b-103f-9c3c-d1f1b7a3a1c2',
  particulars: { firstName: 'Alice', lastName: 'Example', email: 'alice@lab.test' },
  groups: [
    { name: 'teachers', source: 'local', owner: false },
    { name: 'radiology', source: 'directory', owner: true },
  ],
  locked: false,
  createdAt: 1_795_000_000_000,
  lastLoginAt: undefined,
}

function start(t: Pick<Test, 'testdir' | 'teardown'>) {
  const file = join(t.testdir({}), 'sallyport.db')
  const open = () => {
    const accounts = openDirectoryAccounts({ file })
    t.teardown(() => accounts[Symbol.dispose]())
    return accounts
  }
  return { file, open, accounts: open() }
}

t.test('an account comes back as it was written, in this process and in another', async t => {
  const { accounts, open } = start(t)
  t.equal(accounts.find('alice'), undefined)
  t.equal(accounts.version('alice'), undefined)
  t.equal(accounts.add(alice), true)
  const bare = { ...alice, name: 'Bob', entryId: undefined, particulars: {}, groups: [], locked: true, lastLoginAt: 5 }
  t.equal(accounts.add(bare), true)
  t.same(accounts.find('alice'), alice)
  t.same(open().list(), [bare, alice], 'by name')
})

t.test('a name is one account, and is compared exactly', async t => {
  const { accounts } = start(t)
  accounts.add(alice)
  t.equal(accounts.add({ ...alice, dn: 'uid=mallory' }), false)
  t.equal(accounts.find('alice')?.dn, alice.dn, 'and the one that is there stays as it was')
  const others = ['Alice', 'alice ', ' alice', '', 'alice\0', 'al%', '\ud800', '__proto__', 'x'.repeat(100_000)]
  for (const other of others) t.equal(accounts.find(other), undefined, JSON.stringify(other.slice(0, 20)))
})

t.test('a name may hold all that a name may: quotes, emoji, 256 characters', async t => {
  const { accounts } = start(t)
  const names = ["'; drop table session; --", 'Zoë "the" <Great> 🦊', 'ﬁ', 'é', 'e\u0301', '\ufffd', 'x'.repeat(256)]
  for (const name of names) t.equal(accounts.add({ ...alice, name }), true, name.slice(0, 30))
  for (const name of names) t.equal(accounts.find(name)?.name, name)
  t.equal(accounts.find('\ud800'), undefined, 'half a character is not the sign that stands for one')
  t.throws(() => accounts.add({ ...alice, name: 'x'.repeat(257) }), TypeError)
  t.throws(() => accounts.add({ ...alice, name: 'a\nb' }), TypeError)
  t.throws(() => accounts.add({ ...alice, name: '\ud800' }), TypeError)
  t.equal(accounts.list().length, names.length)
})

t.test('a change changes what it names, and the version with it; a sign-in changes no version', async t => {
  const { accounts } = start(t)
  accounts.add(alice)
  const before = accounts.version('alice')
  t.type(before, 'string')
  t.equal(accounts.update('alice', { lastLoginAt: 1_795_000_500_000 }), true)
  t.equal(accounts.version('alice'), before)
  const seen = new Set([before])
  for (const change of [
    { locked: true },
    { locked: false, dn: 'uid=alice,ou=elsewhere' },
    { entryId: undefined },
    { particulars: {} },
    { groups: [] },
  ]) {
    t.equal(accounts.update('alice', change), true)
    seen.add(accounts.version('alice'))
  }
  t.equal(seen.size, 6)
  t.same(accounts.find('alice'), {
    ...alice,
    ...{ dn: 'uid=alice,ou=elsewhere', entryId: undefined, particulars: {}, groups: [] },
    lastLoginAt: 1_795_000_500_000,
  })
  t.equal(accounts.update('nobody', { locked: true }), false)
  t.equal(accounts.find('nobody'), undefined, 'and none was made')
})

t.test('what was removed is gone, and may be made again', async t => {
  const { accounts } = start(t)
  accounts.add(alice)
  t.equal(accounts.remove('alice'), true)
  t.equal(accounts.remove('alice'), false)
  t.equal(accounts.find('alice'), undefined)
  t.equal(accounts.version('alice'), undefined)
  t.equal(accounts.add(alice), true)
})

t.test('a lock by another process counts at once, and survives what is written here', async t => {
  const { accounts, file } = start(t)
  accounts.add(alice)
  const program = `
    import { openDirectoryAccounts } from ${JSON.stringify(join(process.cwd(), 'src/identity/directory-accounts.ts'))}
    using accounts = openDirectoryAccounts({ file: ${JSON.stringify(file)} })
    accounts.update('alice', { locked: true })`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  t.equal(status, 0, stderr)
  t.equal(accounts.find('alice')?.locked, true)
  accounts.update('alice', { lastLoginAt: 1 })
  t.equal(accounts.find('alice')?.locked, true)
})

t.test('it lives beside sessions and ledger, in a file for the account of the gateway only', async t => {
  const { file, accounts } = start(t)
  using sessions = openSessionStore({ file, idle: 1_000, absolute: 1_000, clock: systemClock })
  using ledger = openLedger(file)
  accounts.add(alice)
  t.same([sessions.list(), ledger.list()], [[], []])
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(statSync(`${file}-wal`).mode & 0o777, 0o600)
})

const damages: Readonly<Record<string, string>> = {
  'groups that are no JSON': "groups = 'radiology'",
  'groups of another shape': `groups = '["radiology"]'`,
  'a source that nobody knows': `groups = '[{"name":"a","source":"chance","owner":false}]'`,
  'particulars of another shape': `particulars = '{"shoe":"42"}'`,
  'a name that nobody can have': 'name = char(7)',
}
for (const [what, damage] of Object.entries(damages)) {
  t.test(`a record that is damaged is a fault, never "no account": ${what}`, async t => {
    const { accounts, file } = start(t)
    accounts.add(alice)
    using other = new DatabaseSync(file)
    other.exec(`update directory_account set ${damage}`)
    t.throws(() => accounts.list(), { code: 'state-unavailable' })
    if (damage.startsWith('name')) return
    for (const look of [() => accounts.find('alice'), () => accounts.version('alice'), () => accounts.add(alice)])
      t.throws(look, { code: 'state-unavailable' })
    t.throws(() => accounts.update('alice', { locked: false }), { code: 'state-unavailable' })
    accounts.add({ ...alice, name: 'bob' })
    t.equal(accounts.find('bob')?.name, 'bob', 'and the others are still there')
  })
}

t.test('a lock that is written oddly is a lock', async t => {
  const { accounts, file } = start(t)
  accounts.add(alice)
  using other = new DatabaseSync(file)
  other.exec('update directory_account set locked = 7')
  t.equal(accounts.find('alice')?.locked, true)
})

t.test('a file that cannot be used is a fault', async t => {
  const { accounts, file } = start(t)
  t.throws(() => openDirectoryAccounts({ file: join(file, 'below-a-file') }), { code: 'state-unavailable' })
  using other = new DatabaseSync(file)
  other.exec('drop table directory_account')
  t.throws(() => accounts.find('alice'), { code: 'state-unavailable' })
  t.throws(() => accounts.add(alice), { code: 'state-unavailable' })
})

t.test('while another process writes, a change waits for it', async t => {
  const { accounts, file } = start(t)
  accounts.add(alice)
  using other = new DatabaseSync(file)
  other.exec("begin immediate; update directory_account set dn = 'uid=other'")
  t.equal(accounts.find('alice')?.dn, alice.dn, 'reading goes on')
  t.throws(() => accounts.update('alice', { locked: true }), { code: 'state-unavailable' }, 'and is given up, not lost')
  other.exec('commit')
  t.equal(accounts.update('alice', { locked: true }), true)
  t.match(accounts.find('alice'), { dn: 'uid=other', locked: true })
})
