// Each name is asked of one realm: an account belongs to its entry, an old local password opens nothing, and a broken
// directory is no wrong password.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { startSignInHouse } from './sign-in-house.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const alice = { dn: 'uid=alice,ou=people,dc=lab,dc=test', password: 'alice pass-word' }
const localAlice = { alice: { password: 'old local', groups: ['pacs-admins'] } }
const people = 'ou=people,dc=lab,dc=test'

/** Somebody who has signed in by the directory once, and has a local account from before in users.yaml. */
async function startKnown(t: Parameters<typeof startSignInHouse>[0], options: Parameters<typeof startSignInHouse>[1]) {
  const house = await startSignInHouse(t, { accounts: localAlice, ...options })
  // What `accounts create alice` does.
  house.accounts.add({
    ...{ name: 'alice', dn: alice.dn, entryId: undefined, particulars: {}, locked: false, createdAt: 0 },
    ...{ groups: [{ name: 'radiology', source: 'directory', owner: false }], lastLoginAt: undefined },
  })
  return house
}

t.test('one search, one bind and one group query for each sign-in, of the unknown and the known', async t => {
  const house = await startSignInHouse(t)
  const signIn = (name: string, password: string) => house.asked(() => house.signIn(name, password))
  t.same(await signIn('alice', alice.password), { searches: 2, binds: 1 }, 'the first')
  t.same(await signIn('alice', alice.password), { searches: 2, binds: 1 }, 'the next')
  t.same(await signIn('alice', 'wrong'), { searches: 1, binds: 1 })
  t.same(await signIn('nobody', 'wrong'), { searches: 1, binds: 1 })
  house.accounts.update('alice', { locked: true })
  t.same(await signIn('alice', alice.password), { searches: 1, binds: 1 })
})

t.test('an account of the directory is asked of the directory alone; its old local password opens nothing', async t => {
  const house = await startKnown(t, {})
  t.equal((await house.signIn('alice', 'old local')).answer.status, 401)
  t.same((await house.signIn('alice', alice.password)).groups, ['radiology'])
  await house.slapd.modify(`dn: ${alice.dn}\nchangetype: modrdn\nnewrdn: uid=alicia\ndeleteoldrdn: 1\n`)
  const gone = await house.signIn('alice', 'old local')
  t.equal(gone.answer.status, 401)
  t.match(gone.detail, `no entry has this name (the account is that of ${alice.dn})`)

  for (const realms of [{ passwordProvider: 'local' }, { directory: { enabled: false } }]) {
    t.match(await house.gateway.reload({ yaml: house.yaml({ realms }) }), { ok: true })
    const { answer, detail } = await house.signIn('alice', 'old local')
    t.equal(answer.status, 401)
    t.match(detail, /^an account of the directory, /)
  }
  house.accounts.remove('alice')
  t.same((await house.signIn('alice', 'old local')).groups, ['pacs-admins'], 'until it is unlinked')
})

t.test('a local account is never looked up, and where only the directory is asked it proves nobody', async t => {
  const house = await startSignInHouse(t, { accounts: localAlice })
  const asked = await house.asked(async () => {
    t.same((await house.signIn('alice', 'old local')).groups, ['pacs-admins'])
    t.notOk((await house.signIn('alice', alice.password)).isIn)
  })
  t.same(asked, { searches: 0, binds: 0 })
  t.match(await house.gateway.reload({ yaml: house.yaml({ realms: { passwordProvider: 'directory' } }) }), { ok: true })
  for (const password of ['old local', alice.password]) {
    const { answer, detail } = await house.signIn('alice', password)
    t.equal(answer.status, 401)
    t.equal(detail, 'a local account, but only the directory is asked')
  }
  t.ok((await house.signIn('bob', 'bob pass-word')).isIn)
})

t.test('where only local accounts are asked, the directory is not', async t => {
  const house = await startSignInHouse(t, { accounts: localAlice, realms: { passwordProvider: 'local' } })
  const asked = await house.asked(async () => {
    t.ok((await house.signIn('alice', 'old local')).isIn)
    t.notOk((await house.signIn('bob', 'bob pass-word')).isIn)
  })
  t.same(asked, { searches: 0, binds: 0 })
})

t.test('who is locked here is refused, whatever the directory says, and told no more than anybody', async t => {
  const house = await startSignInHouse(t)
  await house.signIn('alice', alice.password)
  house.accounts.update('alice', { locked: true })
  const { answer, detail } = await house.signIn('alice', alice.password)
  t.equal(answer.status, 401)
  t.match(answer.text, 'User name or password is wrong, or the account is locked.')
  t.equal(detail, 'directory: the account is locked here')
  t.equal((await house.gateway.ask('/', { basic: `alice:${alice.password}` })).status, 401)
})

t.test('a name that moved to another entry is refused, and the audit trail names both and the cure', async t => {
  const house = await startSignInHouse(t)
  await house.signIn('alice', alice.password)
  const before = house.accounts.find('alice')
  const again = `objectClass: inetOrgPerson\nsn: New\ncn: New\nuid: alice\nuserPassword: new pass-word\n`
  await house.slapd.modify(
    `dn: ${alice.dn}\nchangetype: delete\n\ndn: uid=alice,dc=lab,dc=test\nchangetype: add\n${again}`,
  )
  const bound = await house.asked(async () => {
    const { answer, detail } = await house.signIn('alice', 'new pass-word')
    t.equal(answer.status, 401)
    t.match(detail, alice.dn)
    t.match(detail, 'uid=alice,dc=lab,dc=test')
    t.match(detail, 'sallyport accounts link alice')
  })
  t.same(bound, { searches: 1, binds: 1 })
  t.same(house.accounts.find('alice'), before)
  t.notOk(
    house.slapd.operations().bindDns.includes('uid=alice,dc=lab,dc=test'),
    'a stranger’s entry is not tried either',
  )
})

t.test('an entry that moves within the tree keeps its account, and the account its new place', async t => {
  for (const syncOnLogin of [true, false]) {
    const house = await startSignInHouse(t, { directory: { syncOnLogin, newUserGroup: 'everybody' } })
    await house.signIn('alice', alice.password)
    await house.slapd.modify(
      `dn: ${alice.dn}\nchangetype: modrdn\nnewrdn: uid=alice\ndeleteoldrdn: 1\nnewsuperior: dc=lab,dc=test\n`,
    )
    t.ok((await house.signIn('alice', alice.password)).isIn)
    t.equal(house.accounts.find('alice')?.dn, 'uid=alice,dc=lab,dc=test')
  }
})

t.test(
  'chained431 binds the remembered entry as it is: no filter, no synchronization, and not another entry',
  async t => {
    const house = await startSignInHouse(t, {
      realms: { passwordProvider: 'chained431' },
      directory: { userFilter: '(mail=alice@lab.test)' },
    })
    t.same((await house.signIn('alice', alice.password)).groups, ['radiology'])
    await house.slapd.modify(
      `dn: ${alice.dn}\nchangetype: modify\nreplace: mail\nmail: new@lab.test\n\ndn: cn=radiology,ou=groups,dc=lab,dc=test\nchangetype: modify\nreplace: member\nmember: uid=bob,${people}\n`,
    )
    const asked = await house.asked(async () => {
      t.same((await house.signIn('alice', alice.password)).groups, ['radiology'])
    })
    t.same(asked, { searches: 1, binds: 1 })
    t.equal(house.accounts.find('alice')?.particulars.email, 'alice@lab.test')
    t.notOk((await house.signIn('bob', 'bob pass-word')).isIn, 'at the first visit the filter counts')
    await house.slapd.modify(
      `dn: ${alice.dn}\nchangetype: delete\n\ndn: ${alice.dn}\nchangetype: add\nobjectClass: inetOrgPerson\nsn: New\ncn: New\nuid: alice\nuserPassword: new pass-word\n`,
    )
    t.match((await house.signIn('alice', 'new pass-word')).detail, 'sallyport accounts link alice')
  },
)

t.test('two first sign-ins at the same time make one account', async t => {
  const house = await startSignInHouse(t)
  const both = await Promise.all([
    house.signIn('alice', alice.password),
    house.gateway.ask('/', { basic: `alice:${alice.password}` }),
  ])
  t.ok(both[0].isIn)
  t.equal(both[1].status, 200)
  t.equal(house.accounts.list().length, 1)
})

t.test('groups with reserved names are dropped, which the log says; who has no other is refused', async t => {
  const house = await startSignInHouse(t, {
    slapd: { groups: { system: ['alice', 'bob'], user: ['alice'], 'pacs-admins': ['alice'] } },
    more: { administrators: ['PACS-admins'] },
  })
  t.same((await house.signIn('alice', alice.password)).groups, ['radiology'])
  const warning = house.gateway.log().find(({ message }) => /may not confer/.test(String(message)))
  t.match(warning, { level: 'warn', person: 'alice' })
  t.same(new Set(warning?.['groups'] as string[]), new Set(['system', 'pacs-admins', 'user']))
  const { answer, detail } = await house.signIn('bob', 'bob pass-word')
  t.equal(answer.status, 401)
  t.match(detail, 'only groups that the directory may not confer: system')
})

t.test(
  'while the directory is down its people get 503, locked or not, right or wrong, and local ones get in',
  async t => {
    const slapd = await startSlapd(t)
    const house = await startSignInHouse(t, { slapd, accounts: { root: { password: 'root pass-word' } } })
    await house.signIn('alice', alice.password)
    await slapd.stop()
    for (const [name, password] of [
      ['alice', alice.password],
      ['alice', 'wrong'],
      ['nobody', 'x'],
    ] as const)
      t.equal((await house.signIn(name, password)).answer.status, 503, `${name} ${password}`)
    house.accounts.update('alice', { locked: true })
    t.equal((await house.signIn('alice', alice.password)).answer.status, 503)
    const before = performance.now()
    t.ok((await house.signIn('root', 'root pass-word')).isIn)
    t.ok(performance.now() - before < 5_000, 'at once')
    house.accounts.update('alice', { locked: false })
    await slapd.start()
    const isBack = async () => (await house.signIn('alice', alice.password)).isIn
    let back = await isBack()
    for (const deadline = Date.now() + 40_000; !back && Date.now() < deadline; back = await isBack()) await sleep(500)
    t.ok(back)
  },
)
