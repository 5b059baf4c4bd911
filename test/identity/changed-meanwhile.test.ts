// What a command changes while a password is being checked, or waits to be, counts: nobody comes in by what was.
import t, { type Test } from 'tap'
import { createBasicCheck } from '../../src/identity/basic-credentials.ts'
import type { PasswordDirectory } from '../../src/identity/directory-login.ts'
import type { LocalAccounts } from '../../src/identity/local-accounts.ts'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { brand, type PersonEntry } from '../../src/ldap/person.ts'
import { movedClock } from './moved-clock.ts'
import { from, realmsOf } from './realms-of.ts'

const linked = {
  ...{ name: 'admin', dn: 'uid=admin,dc=lab,dc=test', entryId: undefined, particulars: {}, locked: false },
  ...{ groups: [], createdAt: 1, lastLoginAt: undefined },
}

/** The realms, whose local accounts are changed once a password has been found right, before that is told. */
async function changedAfter(t: Test, change: (local: LocalAccounts) => Promise<unknown>) {
  const dir = t.testdir({})
  const users = openLocalAccounts({ file: `${dir}/users.yaml`, clock: movedClock() })
  const local = {
    find: users.find,
    async verify(name: string, password: string) {
      const answer = await users.verify(name, password)
      await change(users)
      return answer
    },
  }
  return await realmsOf(t, { at: undefined, dir, local })
}

const changes: Readonly<Record<string, (local: LocalAccounts) => Promise<unknown>>> = {
  'another password': local => local.setPassword('admin', 'another pass-word'),
  'a lock': local => local.setLocked('admin', true),
  'its removal': local => local.remove('admin'),
}
for (const [what, change] of Object.entries(changes)) {
  t.test(`${what} during the check counts`, async t => {
    const { verify } = await changedAfter(t, change)
    t.match(await verify('admin', 'local admin'), { kind: 'refused', reason: 'wrong-credentials', detail: /changed/ })
  })
}

t.test('so does handing the account over to the directory', async t => {
  const { verify, accounts } = await changedAfter(t, async () => accounts.add(linked))
  t.match(await verify('admin', 'local admin'), { kind: 'refused', reason: 'wrong-credentials' })
})

t.test('an account that is unlinked during the check stays local, and its person is refused', async t => {
  const entry: PersonEntry = {
    ...{ dn: linked.dn, attributes: new Map(), bytes: new Map(), [brand]: true as const },
    ...{ name: 'admin', id: undefined, particulars: {}, closed: undefined, locked: undefined },
  }
  let unlink = () => {}
  const at: PasswordDirectory = {
    find: async () => ({ kind: 'found', entry }),
    read: async () => ({ kind: 'found', entry }),
    async checkPassword() {
      unlink()
      return { right: true }
    },
    groupsOf: async () => ({ kind: 'groups', groups: [{ name: 'radiology', owner: false }] }),
    async pretendToCheck() {},
  }
  const { verify, accounts } = await realmsOf(t, { at })
  accounts.add(linked)
  unlink = () => void accounts.remove('admin')
  t.match(await verify('admin', 'of the directory'), { kind: 'refused', reason: 'wrong-credentials' })
  t.equal(accounts.find('admin'), undefined)
  t.match(await verify('admin', 'local admin'), { kind: 'proven', principal: { realm: 'local' } })
})

t.test('the old local password opens nothing when its account is linked while it stands in the queue', async t => {
  const { passwords, verify, accounts, standing } = await realmsOf(t, { at: undefined })
  const byBasic = createBasicCheck({ passwords, standing, clock: movedClock() })
  const basic = () => byBasic([['authorization', `Basic ${Buffer.from('admin:local admin').toString('base64')}`]], from)
  const before = Array.from({ length: 4 }, (_, nth) => verify(`name${nth}`, 'x', `10.0.1.${nth}`))
  const late = basic()
  accounts.add(linked)
  t.match(await late, { kind: 'refused', reason: 'wrong-credentials' })
  t.match(await basic(), { kind: 'refused' }, 'nor is it remembered')
  await Promise.all(before)
})
