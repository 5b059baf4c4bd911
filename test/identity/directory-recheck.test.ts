/**
 * Who is due to be asked for in the directory, and what becomes of open sessions.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import type { DirectoryAccount } from '../../src/identity/directory-account.ts'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { createRecheck, followVerdict } from '../../src/identity/directory-recheck.ts'
import { out, type Verdict } from '../../src/identity/directory-verdict.ts'
import { openSessionStore } from '../../src/identity/session-store.ts'
import { movedClock } from './moved-clock.ts'

const minute = 60_000
const recheck = 15 * minute

function houseOf(t: Test, people: readonly string[], isMine?: (name: string) => boolean) {
  const file = join(t.testdir({}), 'state.db')
  const clock = movedClock()
  const sessions = openSessionStore({ file, idle: 12 * 60 * minute, absolute: 12 * 60 * minute, clock })
  const accounts = openDirectoryAccounts({ file })
  t.teardown(() => sessions[Symbol.dispose]())
  t.teardown(() => accounts[Symbol.dispose]())
  const accountOf = (name: string): DirectoryAccount => ({
    ...{ name, dn: `uid=${name}`, entryId: undefined, particulars: {}, locked: false, createdAt: 0 },
    ...{ groups: [{ name: 'radiology', source: 'directory', owner: false }], lastLoginAt: undefined },
  })
  const signIn = (name: string, realm = 'directory') =>
    sessions.open({ name, realm, groups: new Set(['radiology']) }, 'password', '10.0.0.1').cookie
  for (const name of people) {
    accounts.add(accountOf(name))
    signIn(name)
  }
  const askedAt = new Map<string, number>()
  const failedAt = new Map<string, number>()
  const asked: string[] = []
  const ended: unknown[] = []
  const downloads: string[] = []
  const running = {
    byPassword: () => new Set(downloads),
    endByPassword: (name: string) => (downloads.includes(name) ? downloads.splice(0).length : 0),
  }
  const answered = (name: string, verdict: Verdict) =>
    followVerdict(name, verdict, {
      sessions,
      running,
      ended: (who, held, { reason }) => ended.push([who, held, reason]),
    })
  const look = createRecheck({
    ...{ sessions, running, accounts, recheck, now: clock.now, answered, lookEvery: 4_000, isMine },
    verdicts: {
      askedAt: name => askedAt.get(name),
      failedAt: name => failedAt.get(name),
      again(name) {
        asked.push(name)
        const answers = name.startsWith('broken') ? failedAt : askedAt
        answers.set(name, clock.now())
      },
    },
  })
  return { file, clock, sessions, accounts, accountOf, signIn, asked, askedAt, downloads, ended, look, answered }
}

t.test('of several processes each asks for its own people, and for whoever runs something in it', async t => {
  const { clock, downloads, asked, look } = houseOf(t, ['alice', 'bob', 'carol'], name => name === 'bob')
  downloads.push('carol')
  clock.move(20 * minute)
  look()
  t.same(asked.toSorted(), ['bob', 'carol'])
})

t.test('a login counts as a check, and so does every other answer', async t => {
  const { clock, signIn, asked, askedAt, look } = houseOf(t, ['alice', 'bob', 'carol'])
  clock.move(10 * minute)
  signIn('bob')
  askedAt.set('carol', clock.now())
  clock.move(5 * minute)
  look()
  t.same(asked, ['alice'])
  look()
  t.same(asked, ['alice'], 'and is asked for once')
  clock.move(10 * minute)
  look()
  t.same(asked.slice(1).toSorted(), ['bob', 'carol'], 'alice is not due yet')
})

t.test('after a restart all are due one after another, and all within one span', async t => {
  const people = Array.from({ length: 300 }, (_, at) => `person-${at}`)
  const { clock, asked, look } = houseOf(t, people)
  clock.move(60 * minute)
  look()
  t.equal(asked.length, 4, 'never at one stroke')
  for (let looks = 1; looks < recheck / 4_000; looks++) {
    clock.move(4_000)
    look()
  }
  t.same(new Set(asked), new Set(people))
})

t.test('who has something running under a password is asked for like who has a session', async t => {
  const { clock, accounts, accountOf, asked, downloads, ended, look, answered } = houseOf(t, [])
  accounts.add(accountOf('alice'))
  downloads.push('alice')
  look()
  look()
  t.same(asked, ['alice'])
  clock.move(recheck)
  look()
  t.same(asked, ['alice', 'alice'])
  answered('alice', out('locked-there', 'by failed tries'))
  t.same(ended, [])
  answered('alice', out('closed', 'disabled'))
  t.same(ended, [['alice', 'password', 'closed']])
  t.same(downloads, [])
})

t.test('those of whom the directory gives no answer keep nobody else from being asked for', async t => {
  const broken = [1, 2, 3, 4].map(nth => `broken-${nth}`)
  const { clock, accounts, accountOf, signIn, asked, look } = houseOf(t, broken)
  clock.move(minute)
  accounts.add(accountOf('mallory'))
  signIn('mallory')
  clock.move(60 * minute)
  for (let looks = 0; looks < 2; looks++) {
    look()
    clock.move(15_000)
  }
  t.ok(asked.includes('mallory'), asked.join(' '))
  const behind = asked.slice(asked.indexOf('mallory') + 1)
  t.ok(
    behind.some(name => broken.includes(name)),
    'and are asked for again',
  )
})

t.test('local accounts are nobody of the directory', async t => {
  const { clock, signIn, sessions, asked, look } = houseOf(t, [])
  const cookie = signIn('admin', 'local')
  clock.move(60 * minute)
  look()
  t.same(asked, [])
  t.ok(sessions.find(cookie))
})

t.test('who was locked or removed here is out at the next look, and asked of nobody', async t => {
  const { clock, accounts, sessions, asked, ended, look } = houseOf(t, ['alice', 'bob', 'carol'])
  accounts.update('alice', { locked: true })
  accounts.remove('bob')
  clock.move(60 * minute)
  look()
  t.same(
    sessions.list().map(({ name }) => name),
    ['carol'],
  )
  t.same(ended.toSorted(), [
    ['alice', 'session', 'locked'],
    ['bob', 'session', 'removed'],
  ])
  t.same(asked, ['carol'])
})

t.test('a lock by failed tries ends no session: anybody can bring it about', async t => {
  const { sessions, ended, answered } = houseOf(t, ['alice'])
  answered('alice', out('locked-there', 'locked since noon'))
  t.equal(sessions.list().length, 1)
  t.same(ended, [])
})

t.test('what was said is followed in every session of theirs, and in nobody else’s', async t => {
  const { accountOf, signIn, sessions, ended, answered } = houseOf(t, ['alice', 'bob'])
  const [more, local] = [signIn('alice'), signIn('alice', 'local')]
  const groups = [{ name: 'cardiology', source: 'directory', owner: false }] as const
  answered('alice', { kind: 'in', account: { ...accountOf('alice'), groups } })
  const seen = sessions.list().map(({ name, realm, groups }) => [name, realm, ...groups].join(' '))
  t.same(seen.toSorted(), [
    'alice directory cardiology',
    'alice directory cardiology',
    'alice local radiology',
    'bob directory radiology',
  ])
  answered('alice', out('moved', 'another entry'))
  t.equal(sessions.find(more), undefined)
  t.ok(sessions.find(local))
  t.same(ended, [['alice', 'session', 'moved']])
  answered('alice', out('moved', 'another entry'))
  t.equal(ended.length, 1, 'told once')
})

t.test('a record that is damaged keeps nobody behind it from being looked after', async t => {
  const { clock, file, accounts, asked, ended, look } = houseOf(t, ['adam', 'bob', 'carol'])
  using database = new DatabaseSync(file)
  database.exec("update directory_account set groups = 'no list' where name = 'adam'")
  accounts.update('bob', { locked: true })
  clock.move(recheck)
  look()
  t.same(ended, [['bob', 'session', 'locked']])
  t.same(asked, ['carol'])
})
