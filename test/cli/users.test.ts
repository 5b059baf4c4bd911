// Local accounts on the command line: what is printed, what is kept, and what is never shown.
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import { hasTerminal, modeOf, onTerminal, type Surroundings, sallyport } from './command.ts'

const secret = 'correct horse battery'

/** A folder outside of the checkout, with `users` bound to it. */
function place(t: Test) {
  const cwd = mkdtempSync(join(tmpdir(), 'sallyport-users-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  const file = join(cwd, 'state/users.yaml')
  const users = (args: readonly string[], more: Partial<Surroundings> = {}) =>
    sallyport(['users', ...args], { cwd, ...more })
  return { cwd, file, users, accounts: openLocalAccounts({ file, clock: systemClock }) }
}

t.test('an account is added with a password from the pipe, and signs in with it', async t => {
  const { file, users, accounts, cwd } = place(t)
  const added = await users(['add', 'alice', '--group', 'radiology', 'pacs-admins'], { input: `${secret}\n` })
  t.same(added, {
    code: 0,
    stdout: 'account alice added to state/users.yaml; groups: radiology, pacs-admins\n',
    stderr: '',
  })
  t.match(await accounts.verify('alice', secret), {
    kind: 'right',
    account: { groups: ['radiology', 'pacs-admins'], locked: false },
  })
  t.equal(modeOf(file), '0600')
  t.equal(modeOf(join(cwd, 'state')), '0700')
  t.notMatch(readFileSync(file, 'utf8'), secret)

  const again = await users(['add', 'alice'], { input: `${secret}\n` })
  t.equal(again.code, 1)
  t.equal(again.stdout, '')
  t.match(again.stderr, /already[\s\S]*hint: sallyport users passwd alice/)
})

t.test('a password file is taken without its line end, and its password is never printed', async t => {
  const { users, accounts, cwd } = place(t)
  writeFileSync(join(cwd, 'password'), `${secret}\r\n`, { mode: 0o600 })
  const added = await users(['add', 'robot', '--password-file', 'password', '--json'])
  t.equal(added.code, 0)
  t.match(JSON.parse(added.stdout), { name: 'robot', groups: [], locked: false })
  t.notMatch(added.stdout + added.stderr, secret)
  t.equal((await accounts.verify('robot', secret)).kind, 'right')
})

t.test('a password that protects nothing is refused, whichever way it comes', async t => {
  const { users, file, cwd } = place(t)
  writeFileSync(join(cwd, 'empty'), '', { mode: 0o600 })
  writeFileSync(join(cwd, 'open'), `${secret}\n`, { mode: 0o644 })
  writeFileSync(join(cwd, 'key'), '-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n', { mode: 0o600 })
  for (const [args, input, said] of [
    [['alice'], 'seven 7\n', /at least 8 characters/],
    [['alice'], '          \n', /blanks only/],
    [['alice'], '', /no password came.*\nhint: give it with --password-file/],
    [['alice', '--password-file', 'empty'], '', /empty is empty/],
    [['alice', '--password-file', 'missing'], '', /there is no such file/],
    [['alice', '--password-file', 'key'], '', /more than one line/],
    [[''], `${secret}\n`, /the name "" is empty/],
    [[' alice'], `${secret}\n`, /begins or ends with a blank/],
  ] as const) {
    const { code, stdout, stderr } = await users(['add', ...args], { input })
    t.match(
      { code, stdout, stderr },
      { code: 2, stdout: '', stderr: said },
      `${args.join(' ')} ${JSON.stringify(input)}`,
    )
  }
  t.notOk(existsSync(file), 'nothing was written')
  t.match(
    (await users(['add', 'bob', '--password-file', 'open'])).stderr,
    /others may read it \(mode 0644\); chmod 600 open/,
  )
})

t.test('passwd, lock, unlock and remove change the account, and list shows it', async t => {
  const { users, accounts } = place(t)
  await users(['add', 'alice', '--group', 'radiology'], { input: secret })

  t.match(await users(['passwd', 'alice'], { input: 'another password\n' }), { code: 0, stdout: /has a new password/ })
  t.equal((await accounts.verify('alice', secret)).kind, 'wrong')
  t.equal((await accounts.verify('alice', 'another password')).kind, 'right')

  t.match(await users(['lock', 'alice']), { code: 0, stdout: 'account alice is locked\n' })
  t.equal((await accounts.verify('alice', 'another password')).kind, 'locked')
  t.match(await users(['lock', 'alice']), { code: 0, stdout: 'account alice was locked already\n' })
  t.match((await users(['list'])).stdout, /^NAME +STATE +SINCE +GROUPS\nalice +locked +\d{4}-\d\d-\d\d +radiology\n$/)
  t.match(await users(['unlock', 'alice']), { code: 0, stdout: 'account alice is unlocked\n' })
  t.equal((await accounts.verify('alice', 'another password')).kind, 'right')

  const listed = await users(['list', '--json'])
  t.match(JSON.parse(listed.stdout), [{ name: 'alice', groups: ['radiology'], locked: false }])
  t.notMatch(listed.stdout, /scrypt/, 'not even the hash')

  t.match(await users(['remove', 'alice']), { code: 0, stdout: 'account alice removed from state/users.yaml\n' })
  t.same(accounts.list(), [])
  t.match(await users(['list', '--json']), { code: 0, stdout: '[]\n' })
})

t.test('an account that is not there is named, with where to look', async t => {
  const { users } = place(t)
  for (const action of ['passwd', 'lock', 'unlock', 'remove']) {
    const ended = await users([action, 'nobody'], { input: `${secret}\n` })
    t.match(
      ended,
      { code: 1, stdout: '', stderr: /no account "nobody" in state\/users\.yaml\nhint: sallyport users list/ },
      action,
    )
  }
})

t.test('the configuration says where the accounts are', async t => {
  const { users, cwd } = place(t)
  mkdirSync(join(cwd, 'config'))
  const keystore = 'keystore: { certificate: server.pem }'
  const text = `state: ../var\nlisteners: { web: { bind: "127.0.0.1:8443", ${keystore} } }\n`
  writeFileSync(join(cwd, 'config/sallyport.yaml'), text)
  writeFileSync(
    join(cwd, 'other.yaml'),
    `${text}realms: { local: { file: here/people.yaml }, passwordProvider: directory, directory: { enabled: true } }\n`,
  )

  t.match(await users(['add', 'alice'], { input: secret }), { code: 0, stdout: / var\/users\.yaml; in no group/ })
  const elsewhere = await users(['add', 'bob', '--config', 'other.yaml'], { input: secret })
  t.match(elsewhere, { code: 0, stdout: / here\/people\.yaml/, stderr: /warning: .*no local account can sign in/ })
  t.match(await users(['list', '--config', 'missing.yaml']), {
    code: 2,
    stdout: '',
    stderr: /missing\.yaml: there is no such file/,
  })
})

t.test('an account file that is broken is told with its line, and left as it is', async t => {
  const { users, cwd, file } = place(t)
  mkdirSync(join(cwd, 'state'), { mode: 0o700 })
  writeFileSync(file, 'accounts:\n  - name: alice\n    colour: red\n')
  const ended = await users(['add', 'bob'], { input: secret })
  t.match(ended, { code: 1, stdout: '', stderr: /^error: state\/users\.yaml:\d: .*\nhint: mend that line/ })
  t.equal(readFileSync(file, 'utf8'), 'accounts:\n  - name: alice\n    colour: red\n')
})

t.test('an account that does not own the state is refused, and the owner is named', async t => {
  const { users, cwd } = place(t)
  const isRoot = process.geteuid?.() === 0
  const state = isRoot ? join(cwd, 'theirs') : '/'
  if (isRoot) {
    mkdirSync(state)
    chownSync(state, 65534, 65534)
  }
  const keystore = 'keystore: { certificate: server.pem }'
  writeFileSync(
    join(cwd, 'a.yaml'),
    `state: ${state}\nlisteners: { web: { bind: "127.0.0.1:8443", ${keystore} } }\nrealms: { local: { file: here/users.yaml } }\n`,
  )
  const owner = isRoot ? 'nobody' : 'root'
  for (const args of [
    ['add', 'alice'],
    ['passwd', 'alice'],
    ['lock', 'alice'],
    ['unlock', 'alice'],
    ['remove', 'alice'],
  ]) {
    const ended = await users([...args, '--config', 'a.yaml'], { input: secret })
    t.match(ended, { code: 2, stdout: '' }, args.join(' '))
    t.match(ended.stderr, new RegExp(`belongs to ${owner}, and this is .*\\nhint: `), args.join(' '))
  }
  t.notOk(existsSync(join(cwd, 'here')), 'nothing was made')
  t.match(await users(['list', '--config', 'a.yaml']), { code: 0 }, 'reading leaves nothing behind')
})

t.test('on a terminal', { skip: hasTerminal ? false : 'there is no script(1) to give a terminal' }, async t => {
  const { cwd, accounts } = place(t)

  t.test('the password is asked for twice, without echo', async t => {
    const { code, screen } = await onTerminal(['users', 'add', 'alice'], cwd, [
      { after: 'password for alice: ', type: 'short\r' },
      { after: 'password for alice: ', type: `${secret}x\x7f\r` },
      { after: 'again: ', type: 'something else\r' },
      { after: 'password for alice: ', type: `nonsense\x15${secret}\r` },
      { after: 'again: ', type: `${secret}\r` },
    ])
    t.equal(code, 0, screen)
    t.match(screen, /at least 8 characters; once more/)
    t.match(screen, /the two are not the same; once more/)
    t.match(screen, /account alice added/)
    for (const typed of ['short', secret, 'something', 'nonsense']) t.notMatch(screen, typed)
    t.equal((await accounts.verify('alice', secret)).kind, 'right')
  })

  t.test('Ctrl-C at the prompt ends it, and nothing was changed', async t => {
    const { code, screen } = await onTerminal(['users', 'passwd', 'alice'], cwd, [
      { after: 'new password', type: 'abc\x03' },
    ])
    t.equal(code, 1, screen)
    t.match(screen, /interrupted; nothing was changed/)
    t.equal((await accounts.verify('alice', secret)).kind, 'right')
  })

  t.test('remove asks first, and --yes answers', async t => {
    const asked = await onTerminal(['users', 'remove', 'alice'], cwd, [{ after: '[y/N]', type: '\r' }])
    t.match(asked, { code: 1, screen: /not removed/ })
    t.equal(accounts.list().length, 1)
    t.match(await onTerminal(['users', 'remove', 'alice', '--yes'], cwd, []), { code: 0 })
    t.equal(accounts.list().length, 0)
  })
})

t.test('every command has a help with an example', async t => {
  const { users } = place(t)
  for (const action of [[], ['add'], ['passwd'], ['lock'], ['unlock'], ['remove'], ['list']]) {
    const { code, stdout, stderr } = await users([...action, '--help'])
    t.match(
      { code, stderr, stdout },
      { code: 0, stderr: '', stdout: /Examples:\n {2}sallyport users / },
      action.join(''),
    )
  }
  t.match(await users([]), { code: 2, stdout: '', stderr: /say which: sallyport users add/ })
})
