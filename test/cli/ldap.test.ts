// `sallyport ldap test`, `find` and `groups`: what an administrator reads, what a program reads, and that nothing is changed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { hasTerminal, onTerminal, sallyport } from './command.ts'
import { peoplePlace } from './people-place.ts'

if (!requireReal(t, slapdTools)) process.exit(0)
const slapd = await startSlapd(t, { groups: { system: ['alice'] } })

/** A folder of its own, with the password of `alice` beside it. */
function place(t: Pick<Test, 'teardown' | 'notMatch'>, options: Parameters<typeof peoplePlace>[1] = {}) {
  const made = peoplePlace(t, { slapd, ...options })
  const file = (name: string, text: string) => writeFileSync(join(made.cwd, name), text, { mode: 0o600 })
  file('right', 'alice pass-word\n')
  file('wrong', 'not the pass-word\n')
  const config = join(made.cwd, 'config/sallyport.yaml')
  const change = (from: string | RegExp, to: string) =>
    writeFileSync(config, readFileSync(config, 'utf8').replace(from, to))
  const ldap = async (...args: string[]) => {
    const done = await sallyport(['ldap', ...args], { cwd: made.cwd })
    t.notMatch(done.stdout + done.stderr, /pass-word/, 'no password is ever shown')
    return done
  }
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await ldap(...args, '--json')
    return { code, stderr, said: JSON.parse(stdout || '{}') }
  }
  return { ...made, change, ldap, json }
}

t.test('a sign-in that works is shown step by step, with the decision, and changes nothing', async t => {
  const { cwd, ldap, json } = place(t)
  const { code, stdout, stderr } = await ldap('test', 'alice', '--password-file', 'right')
  t.equal(code, 0, stderr)
  const rows = stdout.split('\n')
  t.equal(rows[0], slapd.url)
  for (const step of ['connect', 'reader', 'search', 'entry', 'password', 'groups'])
    t.match(stdout, new RegExp(`^  ok {6}${step} `, 'm'))
  t.match(
    stdout,
    /search +\d+ ms {2}\(&\(objectClass=groupOfNames\)\(member=uid=alice,ou=people,dc=lab,dc=test\)\) below dc=lab,dc=test$/m,
  )
  t.match(stdout, /^ {2}email {7}alice@lab\.test$/m)
  t.match(stdout, /^ {2}system \(reserved: .*allowReserved\)$/m)
  t.match(stdout, /^ {2}account {5}none yet: the first sign-in makes it$/m)
  t.match(stdout, /^let in as alice with groups: radiology\n$/m)
  t.notOk(existsSync(join(cwd, 'state')), 'no account was made, and no state')

  const { said } = await json('groups', 'alice')
  t.match(said, {
    name: 'alice',
    ok: true,
    servers: [{ url: slapd.url, ok: true }],
    entry: { dn: slapd.people.alice.dn, id: /^entryUUID:/, particulars: { email: 'alice@lab.test' }, closed: null },
    groups: { dropped: ['system'], skipped: [] },
    account: null,
    localAccount: null,
    decision: { outcome: 'let-in', name: 'alice', groups: ['radiology'], assumesPassword: true },
  })
  t.same(said.groups.found.map(({ name }: { name: string }) => name).toSorted(), ['radiology', 'system'])
})

t.test('who would be refused is told why, and what the person reads', async t => {
  const { ldap, json } = place(t)
  const wrong = await ldap('test', 'alice', '--password-file', 'wrong')
  t.equal(wrong.code, 1)
  t.match(wrong.stdout, /^ {2}FAILED {2}password .*\n {10}cause: the password is not that of uid=alice.*\n {10}cure: /m)
  t.match(
    wrong.stdout,
    /^refused: uid=alice,.*49 invalidCredentials\nthe person reads: User name or password is wrong, or the account is locked\.$/m,
  )
  t.match(wrong.stderr, 'alice would not get in')
  const nobody = await ldap('find', 'Alice')
  t.equal(nobody.code, 1)
  t.match(nobody.stdout, /FAILED {2}entry +Alice\n {10}cause: the directory spells it alice/)
  const groupless = await json('groups', 'carol')
  t.equal(groupless.code, 1)
  t.match(groupless.said, {
    ok: false,
    decision: { outcome: 'refused', reason: 'wrong-credentials', why: /confers no group/ },
    servers: [{ steps: [{}, {}, {}, {}, {}, { step: 'groups', ok: false, diagnosis: { code: 'in-no-group' } }] }],
  })
})

t.test(
  'each server has rows of its own; the password goes to one, and the reader is tried once when refused',
  async t => {
    const { cwd, ldap, json, change } = place(t)
    change(slapd.url, `[ldap://127.0.0.1:1, "${slapd.url}", "${slapd.url.replace('127.0.0.1', 'localhost')}"]`)
    const before = slapd.operations().binds
    const { code, said, stderr } = await json('test', 'alice', '--password-file', 'right')
    t.equal(code, 1, 'one of three is down')
    t.match(stderr, 'one server of 3 failed')
    t.match(said.servers, [
      { ok: false, steps: [{ step: 'connect', ok: false, diagnosis: { code: 'refused' } }] },
      { ok: true },
      { ok: true },
    ])
    t.match(said.decision, { outcome: 'let-in', groups: ['radiology'] })
    const steps = said.servers.flatMap((server: { steps: { step: string }[] }) => server.steps)
    t.equal(steps.filter(({ step }: { step: string }) => step === 'password').length, 1)

    writeFileSync(join(cwd, 'reader'), 'another', { mode: 0o600 })
    const counted = slapd.operations().binds
    const refused = await ldap('find', 'alice')
    t.match(
      refused.stdout,
      /the directory does not know the reader account[\s\S]*not tried: the reader account was refused at ldap/,
    )
    t.match(refused.stdout, /^not decided: the directory has the word, and cannot answer/m)
    t.equal(slapd.operations().binds - counted, 1, 'wrong passwords lock accounts')
    t.ok(counted > before)
  },
)

t.test('what is known here is told: an account, its lock, another entry, a local account', async t => {
  const { cwd, ldap, directory, local, change } = place(t)
  const at = Date.parse('2026-03-04T05:06:07Z')
  const known = {
    ...{ name: 'alice', dn: slapd.people.alice.dn, entryId: undefined, particulars: {}, locked: false },
    ...{ createdAt: at, lastLoginAt: undefined },
    groups: [{ name: 'night-shift', source: 'local', owner: false }],
  } as const
  const accounts = directory()
  accounts.add(known)
  const version = accounts.version('alice')
  t.match(
    (await ldap('find', 'alice')).stdout,
    /known since 2026-03-04 05:06 UTC, last sign-in never\n {2}entry {7}linked to this entry[\s\S]*night-shift \(local\), as they stand here now[\s\S]*let in with the right password as alice with groups: night-shift, radiology/,
  )
  t.equal(accounts.version('alice'), version, 'brought up to date by nobody')
  change('syncOnLogin: true', 'syncOnLogin: false')
  t.match(
    (await ldap('groups', 'alice')).stdout,
    /syncOnLogin: false: groups and particulars stay[\s\S]*let in .* with groups: night-shift\n/,
  )
  accounts.update('alice', { locked: true })
  const locked = await ldap('find', 'alice')
  t.equal(locked.code, 1)
  t.match(
    locked.stdout,
    /locked here: nobody comes in with it \(sallyport users unlock alice\)[\s\S]*refused, even with the right password: the account is locked here/,
  )
  accounts.update('alice', { locked: false, dn: slapd.people.bob.dn })
  t.match((await ldap('find', 'alice')).stdout, /linked to ANOTHER entry, uid=bob.*sallyport accounts link alice/)

  await local.add({ name: 'bob', groups: ['porters'], password: 'b0b here-alone' })
  const before = slapd.log().length
  writeFileSync(join(cwd, 'local'), 'b0b here-alone', { mode: 0o600 })
  const bob = await ldap('test', 'bob', '--password-file', 'local')
  t.equal(bob.code, 0, bob.stderr)
  t.match(
    bob.stdout,
    /a local account of this name: the directory is never asked for it[\s\S]*let in as bob, a local account, with groups: porters/,
  )
  t.notMatch(bob.stdout, /FAILED|search/, 'and its name is looked up nowhere')
  t.notMatch(slapd.log().slice(before), /BIND dn="uid=bob/, 'the password of a local account goes nowhere')
})

t.test(
  'holders of certificates are told of where they are looked up, and a remembered entry where it counts',
  async t => {
    const { ldap, json, directory, change } = place(t)
    change('realms:', 'realms:\n  certificate: { directory: true }\n  passwordProvider: chained431')
    change(
      'keystore: { certificate: server.pem }',
      'keystore: { certificate: server.pem }, clients: { certificate: optional, truststore: ca.pem }',
    )
    const holder = await ldap('find', 'alice')
    t.match(holder.stdout, /^ {2}certificate who holds a certificate of this name is let in with groups: radiology$/m)
    t.match((await json('find', 'carol')).said, { certificate: { outcome: 'refused', why: /confers no group/ } })
    directory().add({
      ...{ name: 'alice', dn: slapd.people.alice.dn, entryId: undefined, particulars: {}, locked: false },
      ...{ createdAt: 1, lastLoginAt: undefined, groups: [{ name: 'night-shift', source: 'local', owner: false }] },
    })
    change('base:', 'userFilter: (objectClass=account)\n    base:')
    const remembered = await json('test', 'alice', '--password-file', 'right')
    t.equal(remembered.code, 0, remembered.stderr)
    t.match(
      remembered.said.decision,
      { outcome: 'let-in', groups: ['night-shift'] },
      'the filter is asked of strangers only',
    )
    t.equal((await ldap('test', 'alice', '--password-file', 'wrong')).code, 1)
  },
)

t.test('a directory that is not asked yet can be tried all the same', async t => {
  const { ldap, change } = place(t)
  change('enabled: true', 'enabled: false')
  const { code, stdout, stderr } = await ldap('find', 'alice')
  t.equal(code, 1)
  t.match(stderr, 'realms.directory.enabled is not true')
  t.match(stdout, /ok {6}entry[\s\S]*refused/)
})

t.test('a slip of the command line, or of the configuration, is exit code 2', async t => {
  const { ldap, change, cwd } = place(t)
  for (const args of [
    ['test'],
    ['look', 'alice'],
    ['find', 'alice', '--password-file', 'right'],
    ['find', ' \n'],
    ['test', 'alice', '--password-file', 'nowhere'],
  ]) {
    const { code, stderr } = await ldap(...args)
    t.equal(code, 2, `${args.join(' ')}: ${stderr}`)
  }
  t.equal((await sallyport(['ldap', 'find', 'alice'], { cwd: '/tmp' })).code, 2)
  change('base: "', 'base: "nothing ')
  const { code, stderr } = await ldap('find', 'alice')
  t.equal(code, 2)
  t.match(stderr, /sallyport\.yaml:\d+:\d+: realms\.directory\.base: .* is no name of an entry/)
  t.ok(existsSync(cwd))
})

t.test('on a terminal the password is asked for without echo, or comes by a pipe', async t => {
  const { cwd } = place(t)
  t.equal((await sallyport(['ldap', 'test', 'alice'], { cwd, input: 'alice pass-word\n' })).code, 0)
  if (!hasTerminal) return
  const { code, screen } = await onTerminal(['ldap', 'test', 'alice'], cwd, [
    { after: 'password of alice: ', type: 'alice pass-word\r' },
  ])
  t.equal(code, 0, screen)
  t.notMatch(screen, 'alice pass-word')
})
