// Who is put out by a command: sessions end, certificates are taken back, and it is said; for people of the directory too.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { IssuedRecord } from '../../src/issuer/issued-entry.ts'
import type { FileLedger } from '../../src/issuer/ledger.ts'
import { hasTerminal, onTerminal } from './command.ts'
import { accountOf, peoplePlace } from './people-place.ts'

const secret = 'correct horse battery'

function issue(ledger: FileLedger, serial: string, name: string, more: Partial<IssuedRecord> = {}) {
  const dates = { notAfter: new Date(Date.now() + 86_400_000).toISOString(), when: new Date().toISOString() }
  const record = { serial, subject: `CN=${name}`, name, kind: 'client' as const, sha256: `${serial}:FF`, ...dates }
  ledger.record({ ...record, ...more, authority: 'AA' })
}

const reasonsIn = (ledger: FileLedger) =>
  Object.fromEntries(ledger.list().map(({ serial, reason }) => [serial, reason]))

const person = (name: string) => ({ name, realm: 'local', groups: new Set<string>() }) as const

t.test('lock, passwd and remove end sessions and take certificates back, and say so', async t => {
  const { users, local, sessions: openSessions, ledger: openLedger } = peoplePlace(t)
  const [sessions, ledger] = [openSessions(), openLedger()]
  for (const name of ['alice', 'bob', 'carol']) await local.add({ name, groups: [], password: secret })
  for (const name of ['alice', 'alice', 'bob', 'carol', 'dave']) sessions.open(person(name), 'password', '10.0.0.1')
  issue(ledger, 'A1', 'alice')
  issue(ledger, 'A2', 'alice')
  issue(ledger, 'A3', 'alice', { kind: 'server' })
  issue(ledger, 'B1', 'bob')
  issue(ledger, 'D1', 'dave')

  const locked = await users(['lock', 'alice'])
  t.equal(
    locked.stdout,
    'account alice is locked; 2 sessions ended; 2 client certificates taken back:\n  serial A1\n  serial A2\n',
  )
  t.match(locked.stderr, /certs crl\nfor a new one, once alice is let in again: sallyport certs client alice\n/)
  t.match(await users(['lock', 'alice']), { code: 0, stdout: 'account alice was locked already\n', stderr: '' })

  const changed = await users(['passwd', 'bob', '--json'], { input: secret })
  t.match(JSON.parse(changed.stdout), { name: 'bob', sessionsEnded: 1, certificatesRevoked: ['B1'] })
  const removed = await users(['remove', 'carol', '--yes'])
  t.match(removed, { stdout: 'account carol removed from state/users.yaml; one session ended\n', stderr: '' })

  t.same(reasonsIn(ledger), {
    ...{ A1: 'cessationOfOperation', A2: 'cessationOfOperation', A3: undefined },
    ...{ B1: 'superseded', D1: undefined },
  })
  t.same(
    sessions.list().map(({ name }) => name),
    ['dave'],
  )
})

t.test('people of the directory are locked, let in again and forgotten', async t => {
  const { users, directory: openDirectory, sessions: openSessions, ledger: openLedger } = peoplePlace(t)
  const [directory, sessions, ledger] = [openDirectory(), openSessions(), openLedger()]
  directory.add(accountOf('alice'))
  sessions.open({ ...person('alice'), realm: 'directory' }, 'password', '10.0.0.1')
  issue(ledger, 'A1', 'alice')

  const locked = await users(['lock', 'alice', '--json'])
  t.match(JSON.parse(locked.stdout), {
    ...{ name: 'alice', kind: 'directory', locked: true, dormantLocalAccount: false },
    ...{ sessionsEnded: 1, certificatesRevoked: ['A1'], createdAt: '2026-11-01T00:00:00.000Z', lastLoginAt: null },
  })
  t.equal(directory.find('alice')?.locked, true)
  t.match(await users(['unlock', 'alice']), { code: 0, stdout: 'account alice is unlocked\n', stderr: '' })
  t.equal(directory.find('alice')?.locked, false)

  for (const action of ['passwd', 'add']) {
    const refused = await users([action, 'alice'], { input: secret })
    t.match(refused, {
      code: 1,
      stdout: '',
      stderr: /directory \(uid=alice,.*\nhint: sallyport accounts unlink alice /,
    })
  }
  const removed = await users(['remove', 'alice'])
  t.match(removed, { code: 0, stdout: 'account alice forgotten\n' })
  t.match(removed.stderr, /made again at the next sign-in\nto keep somebody out.*: sallyport users lock alice\n/)
  t.equal(directory.find('alice'), undefined)
  t.match(await users(['lock', 'alice']), {
    code: 1,
    stderr: /neither in state\/users\.yaml nor of the directory\nhint: .*sallyport accounts create alice/,
  })
})

t.test('a dormant account is shown as such, and goes with the person: its old password must not wake up', async t => {
  const { users, local, directory: openDirectory } = peoplePlace(t)
  const directory = openDirectory()
  directory.add(accountOf('alice'))
  for (const name of ['alice', 'bob']) await local.add({ name, groups: [], password: secret })
  const listed = await users(['list'])
  t.match(listed.stdout, /^alice +dormant .*\nbob +open /m)
  t.match(listed.stderr, /^dormant: the directory vouches/)
  await users(['lock', 'alice'])
  t.match(
    [directory.find('alice')?.locked, local.find('alice')?.locked],
    [true, false],
    'the one that counts is locked',
  )
  t.match(await users(['remove', 'alice']), {
    code: 0,
    stdout: 'account alice removed from state/users.yaml, where it lay dormant, and forgotten\n',
  })
  t.same([directory.find('alice'), local.find('alice')], [undefined, undefined])
})

t.test('where names differ only by case, the small letters are meant', async t => {
  const { users, local, directory: openDirectory } = peoplePlace(t, { realms: 'ignoreCase: true' })
  const directory = openDirectory()
  directory.add(accountOf('alice'))
  t.match(await users(['lock', 'ALICE']), { code: 0, stdout: 'account alice is locked\n' })
  t.match(await users(['add', 'Bob'], { input: secret }), { code: 0, stdout: /^account bob added/ })
  t.same(
    local.list().map(({ name }) => name),
    ['bob'],
  )
})

t.test('where there is no state, looking makes none', async t => {
  const { users, accounts, state } = peoplePlace(t)
  t.match(await users(['list']), { code: 0, stdout: '' })
  t.match(await accounts(['list']), { code: 0, stdout: '', stderr: /first sign-in makes one/ })
  t.notOk(existsSync(state))
  await users(['add', 'alice'], { input: secret })
  t.notOk(existsSync(join(state, 'sallyport.db')), 'nor does a local account make a database')
})

t.test('on a terminal', { skip: hasTerminal ? false : 'there is no script(1) to give a terminal' }, async t => {
  const { cwd, directory: openDirectory } = peoplePlace(t)
  const directory = openDirectory()
  directory.add(accountOf('alice'))
  const asked = await onTerminal(['users', 'remove', 'alice'], cwd, [{ after: '[y/N]', type: '\r' }])
  t.match(asked, {
    code: 1,
    screen: /do not remove the account but lock it[\s\S]*Forget the account alice\?.*not removed/s,
  })
  t.equal(directory.find('alice')?.locked, false, 'and nothing was changed')
})

t.test('an account that is handed over while its removal is asked for', { skip: !hasTerminal }, async t => {
  const { cwd, local, directory: openDirectory } = peoplePlace(t)
  const directory = openDirectory()
  await local.add({ name: 'alice', groups: [], password: secret })
  const type = () => {
    directory.add(accountOf('alice'))
    return 'y\r'
  }
  const asked = await onTerminal(['users', 'remove', 'alice'], cwd, [{ after: '[y/N]', type }])
  t.match(asked, { code: 1, screen: /handed over just now: not removed/ })
  t.match(local.find('alice'), { locked: false })
})

t.test('the name of an entry controls no terminal', async t => {
  const { users, directory } = peoplePlace(t)
  directory().add(accountOf('alice', { dn: 'uid=alice\u001b]0;owned\u0007,dc=lab' }))
  for (const command of ['add', 'passwd']) {
    const { code, stderr } = await users([command, 'alice'], { input: secret })
    t.equal(code, 1)
    t.match(stderr, /is a person of the directory/)
    t.notMatch(stderr, /[\u001b\u0007]/)
  }
})
