import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { hashPassword } from '../../src/identity/password-hash.ts'
import { causeLine, Fault } from '../../src/kernel/fault.ts'
import { movedClock } from './moved-clock.ts'

function accountsOf(t: Test) {
  const file = join(t.testdir({}), 'state', 'users.yaml')
  const open = () => openLocalAccounts({ file, clock: movedClock() })
  return { file, open, accounts: open() }
}

const admin = { name: 'admin', groups: ['pacs-admins'], password: 'correct horse' }

t.test('without a file there are no accounts; the first one makes it, for the owner only', async t => {
  const { accounts, file } = accountsOf(t)
  t.same(accounts.list(), [])
  t.equal(accounts.version('admin'), undefined)
  t.equal(await accounts.add(admin), 'added')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(statSync(join(file, '..')).mode & 0o777, 0o700)
  t.same(accounts.list(), [
    { name: 'admin', groups: ['pacs-admins'], locked: false, createdAt: '2026-11-22T12:00:00.000Z' },
  ])
  t.notOk(existsSync(`${file}.lock`))
  const text = readFileSync(file, 'utf8')
  t.match(text, /password: scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}\n/)
  t.notMatch(text, /correct horse/)
  t.notMatch(JSON.stringify(accounts.list()), /scrypt/)
})

t.test('right, wrong, unknown and locked are told apart, inside', async t => {
  const { accounts } = accountsOf(t)
  await accounts.add(admin)
  t.match(await accounts.verify('admin', 'correct horse'), {
    kind: 'right',
    account: { name: 'admin', groups: ['pacs-admins'] },
  })
  for (const password of ['', 'correct horse ', 'Correct horse', 'correct horsf', 'correct horse\0']) {
    t.same(await accounts.verify('admin', password), { kind: 'wrong' })
  }
  t.same(await accounts.verify('Admin', 'correct horse'), { kind: 'unknown' })
  t.ok(await accounts.setLocked('admin', true))
  t.same(await accounts.verify('admin', 'correct horse'), { kind: 'locked' })
  t.ok(await accounts.setLocked('admin', false))
  t.equal((await accounts.verify('admin', 'correct horse')).kind, 'right')
})

t.test('letters that two keyboards spell in two ways are one password', async t => {
  const { accounts } = accountsOf(t)
  await accounts.add({ ...admin, password: 'Zürich'.normalize('NFD') })
  t.equal((await accounts.verify('admin', 'Zürich'.normalize('NFC'))).kind, 'right')
})

t.test('an unknown name takes about as long as a wrong password', async t => {
  const { accounts } = accountsOf(t)
  await accounts.add(admin)
  const timeOf = async (name: string) => {
    const started = performance.now()
    for (let tries = 0; tries < 3; tries++) await accounts.verify(name, 'wrong')
    return performance.now() - started
  }
  const [unknown, known] = [await timeOf('nobody'), await timeOf('admin')]
  t.ok(unknown > known / 3, `${unknown} ms, ${known} ms`)
})

t.test('what may not be a name or a password is refused, and a taken name too', async t => {
  const { accounts, file } = accountsOf(t)
  for (const name of ['', 'a\nb', 'a\0', 'x'.repeat(257)]) t.equal(await accounts.add({ ...admin, name }), 'bad-name')
  t.equal(await accounts.add({ ...admin, groups: [''] }), 'bad-name')
  for (const password of ['', '  ', 'a\0b', 'x'.repeat(1025)])
    t.equal(await accounts.add({ ...admin, password }), 'bad-password')
  t.notOk(existsSync(file))
  await accounts.add(admin)
  t.equal(await accounts.add({ ...admin, password: 'another' }), 'name-taken')
  t.equal((await accounts.verify('admin', 'correct horse')).kind, 'right')
  t.notOk(await accounts.setPassword('admin', ' '))
  t.notOk(await accounts.setPassword('nobody', 'x'))
  t.notOk(await accounts.setLocked('nobody', true))
  t.notOk(await accounts.remove('nobody'))
})

t.test('names that YAML would read as something else stay names', async t => {
  const { accounts, open } = accountsOf(t)
  const names = [
    '123',
    'true',
    'null',
    '- x',
    '#x',
    'a: b',
    '"q"',
    '李',
    '__proto__',
    '*a',
    '&a',
    '!x',
    '2026-01-01',
    ' ',
    "o'neil",
  ]
  for (const name of names) t.equal(await accounts.add({ name, groups: ['on', '1.0'], password: 'p' }), 'added', name)
  t.same(
    open()
      .list()
      .map(({ name }) => name),
    names,
  )
  t.same(open().find('__proto__')?.groups, ['on', '1.0'])
})

t.test('the version changes with everything about the account, and with nothing else', async t => {
  const { accounts } = accountsOf(t)
  await accounts.add(admin)
  const versions = [accounts.version('admin')]
  await accounts.add({ name: 'other', groups: [], password: 'x' })
  t.equal(accounts.version('admin'), versions[0])
  await accounts.setPassword('admin', 'correct horse')
  versions.push(accounts.version('admin'))
  await accounts.setLocked('admin', true)
  versions.push(accounts.version('admin'))
  await accounts.remove('admin')
  versions.push(accounts.version('admin'))
  await accounts.add(admin)
  versions.push(accounts.version('admin'))
  t.equal(new Set(versions).size, versions.length)
  t.equal(versions[3], undefined)
})

t.test('what another process writes is seen at once', async t => {
  const { accounts, open } = accountsOf(t)
  await accounts.add(admin)
  t.equal(accounts.find('admin')?.locked, false)
  await open().setLocked('admin', true)
  t.equal(accounts.find('admin')?.locked, true)
})

t.test('three processes that write at once lose nothing', async t => {
  const { accounts, file } = accountsOf(t)
  await accounts.add(admin)
  const writer = `
    import { changeAccountFile } from ${JSON.stringify(new URL('../../src/identity/account-file.ts', import.meta.url).href)}
    const [file, mark] = process.argv.slice(1)
    for (let at = 0; at < 30; at++) {
      await changeAccountFile(file, accounts => [...accounts, { ...accounts[0], name: mark + at }])
    }`
  const run = (mark: string) => promisify(execFile)(process.execPath, ['--input-type=module', '-e', writer, file, mark])
  await Promise.all(['a', 'b', 'c'].map(run))
  t.equal(accounts.list().length, 1 + 3 * 30)
})

t.test('a lock that a dead writer left is taken over, a fresh one is waited for', async t => {
  const { accounts, file } = accountsOf(t)
  await accounts.add(admin)
  const old = Date.now() / 1000 - 60
  writeFileSync(`${file}.lock`, '')
  utimesSync(`${file}.lock`, old, old)
  t.ok(await accounts.setLocked('admin', true))
  writeFileSync(`${file}.lock`, '')
  await t.rejects(accounts.setLocked('admin', false), {
    code: 'state-unavailable',
    message: /users\.yaml\.lock is held/,
  })
  t.equal(accounts.find('admin')?.locked, true)
})

t.test('a file that an editor empties, or moves away, to write it anew signs nobody out', async t => {
  const { accounts, file } = accountsOf(t)
  await accounts.add(admin)
  const good = readFileSync(file, 'utf8')
  const dir = dirname(file)
  for (const takeAway of [() => writeFileSync(file, ''), () => rmSync(file)]) {
    t.ok(accounts.find('admin'))
    takeAway()
    t.throws(() => accounts.find('admin'), { code: 'state-unavailable' })
    writeFileSync(file, good)
    t.ok(accounts.find('admin'))
    takeAway()
    const old = Date.now() / 1000 - 3
    for (const one of [file, dir]) if (existsSync(one)) utimesSync(one, old, old)
    t.equal(accounts.find('admin'), undefined, 'what stays so is meant')
    writeFileSync(file, good)
  }
})

t.test('a broken file is a fault that names the line, and nobody is signed in or out by it', async t => {
  const { accounts, file } = accountsOf(t)
  await accounts.add(admin)
  const good = readFileSync(file, 'utf8')
  const hash = await hashPassword('x')
  const entry = (more: string) =>
    `accounts:\n  - name: a\n    password: ${hash}\n    createdAt: 2026-01-01T00:00:00Z\n${more}`
  const cases: Record<string, RegExp> = {
    'accounts: [': /users\.yaml:1: not valid YAML/,
    'acounts: []': /users\.yaml:1: unknown key "acounts"/,
    [entry('    lock: true\n')]: /users\.yaml:5: unknown key "lock"/,
    [entry('    locked: yes\n')]: /users\.yaml:5: accounts\.0\.locked/,
    [entry('    groups: [1]\n')]: /users\.yaml:5: accounts\.0\.groups/,
    [entry(`  - name: a\n    password: ${hash}\n    createdAt: 2026-01-01T00:00:00Z\n`)]:
      /users\.yaml:5: the name "a" stands here a second time/,
    [entry('').replace(/scrypt.*/, 'plain')]: /users\.yaml:3: accounts\.0\.password: this is no scrypt hash/,
    [entry('').replace('32768', '16777216')]: /users\.yaml:3.*no scrypt hash/,
    'accounts: &a [*a]': /users\.yaml:1: aliases/,
    '- a': /users\.yaml/,
  }
  for (const [text, message] of Object.entries(cases)) {
    writeFileSync(file, text)
    try {
      accounts.find('admin')
      t.fail(`not refused: ${text}`)
    } catch (fault) {
      t.ok(fault instanceof Fault && fault.code === 'state-unavailable')
      t.match(causeLine(fault), message)
      t.notMatch(causeLine(fault), /\$8\$1\$/, 'no hash in it')
    }
    await t.rejects(accounts.verify('admin', 'correct horse'), { code: 'state-unavailable' })
    await t.rejects(accounts.setLocked('admin', true), { code: 'state-unavailable' })
    t.equal(readFileSync(file, 'utf8'), text, 'a broken file is not overwritten')
  }
  writeFileSync(file, good)
  t.ok(accounts.find('admin'))
})

t.test('what cannot be read is a fault, not an empty list', async t => {
  const file = t.testdir({ 'users.yaml': {} })
  const accounts = openLocalAccounts({ file: join(file, 'users.yaml'), clock: movedClock() })
  t.throws(() => accounts.find('admin'), { code: 'state-unavailable' })
  await t.rejects(accounts.verify('admin', 'x'), { code: 'state-unavailable' })
})

t.test('a hundred checks at once are too many, and those taken on are answered', async t => {
  const { accounts } = accountsOf(t)
  await accounts.add(admin)
  const outcomes = await Promise.allSettled(Array.from({ length: 70 }, () => accounts.verify('admin', 'wrong')))
  const refused = outcomes.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 70 - 2 - 64)
  t.match(refused[0], { reason: { code: 'overloaded' } })
})
