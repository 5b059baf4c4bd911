// The text that says whether a password that was right once still counts: when it is another, and when it is not.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DirectoryAccount } from '../../src/identity/directory-account.ts'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { createStanding } from '../../src/identity/standing.ts'
import { movedClock } from './moved-clock.ts'

const alice: DirectoryAccount = {
  ...{ name: 'alice', dn: 'uid=alice,o=lab', entryId: 'entryUUID:1', particulars: {} },
  groups: [
    { name: 'a', source: 'directory', owner: false },
    { name: 'b', source: 'local', owner: false },
  ],
  ...{ locked: false, createdAt: 1, lastLoginAt: undefined },
}

function start(t: Pick<Test, 'testdir' | 'teardown'>) {
  const dir = t.testdir({})
  const local = openLocalAccounts({ file: join(dir, 'users.yaml'), clock: movedClock() })
  const accounts = openDirectoryAccounts({ file: join(dir, 'sallyport.db') })
  t.teardown(() => accounts[Symbol.dispose]())
  return { local, accounts, standing: createStanding({ local, accounts }) }
}

t.test('a local account: any change of it is another text, and a lock is none', async t => {
  const { local, standing } = start(t)
  const texts = [standing('alice')]
  await local.add({ name: 'alice', groups: [], password: 'correct horse' })
  texts.push(standing('alice'))
  await local.setPassword('alice', 'battery staple')
  texts.push(standing('alice'))
  t.equal(new Set(texts).size, 3)
  t.notOk(texts.includes(undefined), 'a name without account is not locked')
  await local.setLocked('alice', true)
  t.equal(standing('alice'), undefined)
})

t.test('a person of the directory: rights and entry count, particulars and sign-ins do not', async t => {
  const { accounts, standing } = start(t)
  accounts.add(alice)
  const first = standing('alice')
  for (const idle of [
    { particulars: { email: 'a@lab.test' } },
    { lastLoginAt: 5 },
    { dn: 'uid=alice,ou=moved,o=lab' },
    { groups: alice.groups.toReversed() },
  ]) {
    accounts.update('alice', idle)
    t.equal(standing('alice'), first, JSON.stringify(idle))
  }
  accounts.update('alice', { groups: [] })
  t.not(standing('alice'), first)
  accounts.update('alice', { groups: alice.groups, entryId: 'entryUUID:2' })
  t.not(standing('alice'), first)
  accounts.update('alice', { entryId: 'entryUUID:1' })
  t.equal(standing('alice'), first)
  accounts.update('alice', { locked: true })
  t.equal(standing('alice'), undefined)
  accounts.remove('alice')
  accounts.add({ ...alice, createdAt: 2 })
  t.not(standing('alice'), first, 'removed and made again is not the same one')
})

t.test('a dormant account opens and locks nothing, and its change is noticed all the same', async t => {
  const { local, accounts, standing } = start(t)
  await local.add({ name: 'alice', groups: [], password: 'correct horse' })
  const before = standing('alice')
  accounts.add(alice)
  const linked = standing('alice')
  t.not(linked, before)
  await local.setLocked('alice', true)
  t.type(standing('alice'), 'string', 'the directory is asked, and the dormant one is not')
  t.not(standing('alice'), linked)
})
