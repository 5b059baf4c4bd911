// Accounts of people of the directory on the command line, against a real directory.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { record } from '../fixture/directory-tree.ts'
import { requireReal } from '../fixture/real.ts'
import { type SlapdOptions, slapdTools, startSlapd } from '../fixture/slapd.ts'
import { hasTerminal, onTerminal } from './command.ts'
import { accountOf, type PeopleOptions, peoplePlace } from './people-place.ts'

const secret = 'correct horse battery'

const groups = { radiology: ['alice', 'bob'], system: ['bob', 'carol'], 'pacs-admins': ['bob'] }

async function start(t: Test, options: Omit<PeopleOptions, 'slapd'> & { slapd?: SlapdOptions } = {}) {
  const slapd = await startSlapd(t, { groups, ...options.slapd })
  const place = peoplePlace(t, { ...options, slapd })
  return { slapd, ...place }
}

t.test('accounts of the directory', { skip: requireReal(t, slapdTools) ? false : 'there is no slapd' }, async t => {
  t.test('create makes the account that a sign-in would make, or none', async t => {
    const { accounts, local, directory: openDirectory, slapd } = await start(t)
    await local.add({ name: 'bob', groups: [], password: secret })

    const made = await accounts(['create', 'alice'])
    t.match(made, {
      code: 0,
      stdout: `account alice made for ${slapd.people.alice.dn}; groups: radiology\n`,
      stderr: '',
    })
    const directory = openDirectory()
    t.match(directory.find('alice'), {
      dn: slapd.people.alice.dn,
      entryId: /^entryUUID:/,
      particulars: { lastName: 'Alice Example', email: 'alice@lab.test' },
      groups: [{ name: 'radiology', source: 'directory', owner: false }],
      locked: false,
      lastLoginAt: undefined,
    })
    t.match(await accounts(['create', 'alice']), { code: 1, stdout: '', stderr: /has an account already/ })
    t.match(await accounts(['create', 'bob']), {
      code: 1,
      stderr: /local account, in state\/users\.yaml\nhint: sallyport accounts link bob /,
    })
    t.match(await accounts(['create', 'carol']), {
      code: 1,
      stderr: /warning: .*confers system, which is reserved[\s\S]*confers no group on uid=carol,.* no account was made/,
    })
    t.match(await accounts(['create', 'ALICE']), { code: 1, stderr: /spells this name otherwise/ })
    t.match(await accounts(['create', 'nobody']), { code: 1, stderr: /has no person "nobody"/ })
    t.match(await accounts(['create', 'a\tb']), { code: 2, stderr: /the name "a\\tb" .*control characters/ })
    t.equal(directory.list().length, 1)
  })

  t.test('who is locked while it is asked whether to link them stays locked', { skip: !hasTerminal }, async t => {
    const { cwd, local, directory, state } = await start(t)
    await local.add({ name: 'alice', groups: ['pacs-admins'], password: secret })
    const type = () => {
      const file = join(state, 'users.yaml')
      writeFileSync(file, readFileSync(file, 'utf8').replace('locked: false', 'locked: true'))
      return 'y\r'
    }
    const asked = await onTerminal(['accounts', 'link', 'alice'], cwd, [{ after: '[y/N]', type }])
    t.match(local.find('alice'), { locked: true })
    t.match(asked, { code: 1, screen: /was changed just now: not linked/ })
    t.equal(directory().find('alice'), undefined)
  })

  t.test('list and show tell what is remembered, and nothing of it controls a terminal', async t => {
    const place = peoplePlace(t)
    const directory = place.directory()
    directory.add(accountOf('alice', { lastLoginAt: Date.UTC(2026, 10, 22, 12) }))
    directory.add(
      accountOf('bob', {
        dn: 'cn=\x1b[2Jbob,o=lab',
        entryId: undefined,
        locked: true,
        groups: [
          { name: 'teachers', source: 'local', owner: false },
          { name: 'radiology', source: 'directory', owner: true },
        ],
        particulars: { firstName: 'Bob', lastName: '\u202eelpmaxE', institution: 'Lab' },
      }),
    )
    await place.local.add({ name: 'bob', groups: [], password: secret })
    const listed = await place.accounts(['list'])
    t.match(listed.stdout.split('\n'), [
      /^NAME +STATE +LAST SIGN-IN +GROUPS +DN$/,
      /^alice +open +2026-11-22 12:00 UTC +radiology +uid=alice,ou=people,dc=lab,dc=test$/,
      /^bob +locked +never +teachers \(local\), radiology \(owner\) +cn=\\u\{1b\}\[2Jbob,o=lab$/,
    ])
    const shown = (await place.accounts(['show', 'bob'])).stdout
    t.match(shown, /account bob, of the directory, locked\n.*entry .*\n.*no id: known again by its DN only\n/)
    t.match(shown, /name +Bob \\u\{202e\}elpmaxE\n/)
    t.match(shown, /dormant +a local account lies in state\/users\.yaml; accounts unlink wakes it up/)
    t.match(JSON.parse((await place.accounts(['list', '--json'])).stdout), [
      { name: 'alice', kind: 'directory', lastLoginAt: '2026-11-22T12:00:00.000Z', dormantLocalAccount: false },
      { name: 'bob', entryId: null, lastLoginAt: null, dormantLocalAccount: true },
    ])
    t.match(await place.accounts(['show', 'nobody']), {
      code: 1,
      stdout: '',
      stderr: /sallyport accounts create nobody/,
    })
  })

  t.test('a local account that is linked lies dormant, and wakes up with its old password', async t => {
    const place = await start(t)
    const { accounts, local, slapd } = place
    const [directory, sessions] = [place.directory(), place.sessions()]
    await local.add({ name: 'alice', groups: ['teachers', 'pacs-admins'], password: secret })
    const version = local.version('alice')
    const session = (realm: string) =>
      sessions.open({ name: 'alice', realm, groups: new Set<string>() }, 'password', '10.0.0.1')

    session('local')
    const linked = await accounts(['link', 'alice'])
    t.match(linked, {
      code: 0,
      stdout:
        'account alice is of the directory now; one session ended; its local account lies dormant in state/users.yaml\n',
      stderr: /entryUUID:[\s\S]*teachers \(local\), pacs-admins \(local\)[\s\S]*warning: it keeps pacs-admins: whoever/,
    })
    t.match(directory.find('alice'), {
      dn: slapd.people.alice.dn,
      particulars: { email: 'alice@lab.test' },
      groups: [
        { name: 'teachers', source: 'local', owner: false },
        { name: 'pacs-admins', source: 'local', owner: false },
      ],
    })
    t.equal(local.version('alice'), version, 'users.yaml is as it was')
    t.match(await accounts(['link', 'alice']), {
      code: 0,
      stdout: `account alice belongs to ${slapd.people.alice.dn} already\n`,
    })

    session('directory')
    const unlinked = await accounts(['unlink', 'alice'])
    t.match(unlinked, {
      code: 0,
      stdout: 'account alice is a local account again, in state/users.yaml, with its old password; one session ended\n',
      stderr: 'it has the groups teachers, pacs-admins\n',
    })
    t.equal(directory.find('alice'), undefined)
    t.match(await local.verify('alice', secret), { kind: 'right' })
    t.match(await accounts(['unlink', 'alice']), {
      code: 1,
      stderr: /is a local account, .*\nhint: sallyport accounts link/,
    })
  })

  t.test('who is locked stays locked, linked and unlinked', async t => {
    const { accounts, local, directory: openDirectory } = await start(t)
    await local.add({ name: 'alice', groups: ['teachers'], password: secret })
    await local.setLocked('alice', true)
    t.match(await accounts(['link', 'alice']), { code: 0, stdout: /now, and locked as before; / })
    const directory = openDirectory()
    t.equal(directory.find('alice')?.locked, true)
    await local.setLocked('alice', false)
    t.match(await accounts(['unlink', 'alice']), { code: 0, stderr: /it is locked: sallyport users unlock alice/ })
    t.equal(local.find('alice')?.locked, true)
  })

  t.test('one that never was local is unlinked into one with a password that nobody knows', async t => {
    const place = peoplePlace(t)
    place.directory().add(accountOf('alice', { locked: true }))
    const unlinked = await place.accounts(['unlink', 'alice'])
    t.match(
      unlinked.stdout,
      'account alice is a local account now, made in state/users.yaml, with a password that nobody knows\n',
    )
    t.match(
      unlinked.stderr,
      /it has the groups radiology\nit is locked: .*\nsallyport users passwd alice gives it a password\n/,
    )
    t.match(place.local.find('alice'), { groups: ['radiology'], locked: true })
    t.equal(place.directory().find('alice'), undefined)
  })

  t.test('a name that has moved to another entry is followed, when a person says that it is the same one', async t => {
    const place = await start(t)
    const { accounts, slapd, cwd } = place
    await accounts(['create', 'alice'])
    const [directory, sessions] = [place.directory(), place.sessions()]
    const before = directory.find('alice')

    // The entry itself moves: it keeps its id, and is the same one.
    await slapd.modify(
      `dn: ${slapd.people.alice.dn}\nchangetype: modrdn\nnewrdn: uid=alice\ndeleteoldrdn: 1\nnewsuperior: ${slapd.groupsDn}\n`,
    )
    sessions.open({ name: 'alice', realm: 'directory', groups: new Set() }, 'password', '10.0.0.1')
    const moved = `uid=alice,${slapd.groupsDn}`
    t.match(await accounts(['link', 'alice']), {
      code: 0,
      stdout: `account alice belongs to ${moved} now\n`,
      stderr: '',
    })
    t.match(directory.find('alice'), { dn: moved, entryId: before?.entryId })

    // Another entry takes the name over.
    await slapd.modify(`dn: ${moved}\nchangetype: delete\n`)
    const successor = { ...slapd.people.alice, dn: slapd.people.alice.dn }
    await slapd.modify(
      record({
        ...{ dn: successor.dn, objectClass: ['inetOrgPerson'], uid: 'alice', cn: 'Alice', sn: 'Married' },
        ...{ mail: 'alice@married.test', userPassword: 'x' },
      }),
    )
    if (hasTerminal) {
      const asked = await onTerminal(['accounts', 'link', 'alice'], cwd, [{ after: '[y/N]', type: 'n\r' }])
      t.match(asked, { code: 1, screen: /from +uid=alice,ou=groups[\s\S]*to +uid=alice,ou=people[\s\S]*not linked/ })
      t.match(asked.screen, /hint: if it is somebody else: sallyport users remove alice/)
      t.equal(directory.find('alice')?.dn, moved, 'and nothing was changed')
    }
    const linked = await accounts(['link', 'alice', '--yes'])
    t.match(linked, { code: 0, stdout: `account alice belongs to ${successor.dn} now; one session ended\n` })
    t.match(directory.find('alice'), {
      dn: successor.dn,
      particulars: { lastName: 'Married', email: 'alice@married.test' },
      groups: before?.groups,
    })
    t.not(directory.find('alice')?.entryId, before?.entryId)
  })

  t.test('an entry of another name, of another account, or that is none, is not linked', async t => {
    const { accounts, local, directory: openDirectory, slapd } = await start(t)
    const directory = openDirectory()
    await local.add({ name: 'guest-account', groups: [], password: secret })
    await local.add({ name: 'alice', groups: [], password: secret })
    directory.add(accountOf('other', { dn: slapd.people.alice.dn, entryId: undefined }))
    for (const [args, code, said] of [
      [['guest-account'], 1, /has no person "guest-account"/],
      [['guest-account', '--dn', slapd.people.bob.dn], 1, /not called "guest-account" but "bob"[\s\S]*chained431 only/],
      [['guest-account', '--dn', `uid=none,${slapd.peopleDn}`], 1, /the directory has no entry/],
      [['guest-account', '--dn', 'nonsense'], 2, /"nonsense" is no name of an entry/],
      [['alice'], 1, /is the entry of the account other already\nhint: sallyport accounts unlink other or/],
      [['nobody'], 1, /no account "nobody"/],
    ] as const)
      t.match(await accounts(['link', ...args]), { code, stdout: '', stderr: said }, args.join(' '))
    t.same(
      directory.list().map(({ name }) => name),
      ['other'],
    )
  })

  t.test('chained431 remembers the entry, so it may be called otherwise', async t => {
    const {
      accounts,
      local,
      directory: openDirectory,
      slapd,
    } = await start(t, {
      realms: 'passwordProvider: chained431',
      syncOnLogin: false,
    })
    await local.add({ name: 'boss', groups: [], password: secret })
    const linked = await accounts(['link', 'boss', '--dn', slapd.people.bob.dn])
    t.match(linked, { code: 0, stderr: /it has no group, and gets none without realms\.directory\.syncOnLogin/ })
    t.match(openDirectory().find('boss'), { dn: slapd.people.bob.dn, groups: [] })
  })

  t.test('a directory that is down, or not configured, changes nothing, and is said', async t => {
    const place = peoplePlace(t)
    await place.local.add({ name: 'alice', groups: [], password: secret })
    const down = /error: the directory cannot be asked: .*ECONNREFUSED.*\nhint: sallyport check --online/
    t.match(await place.accounts(['link', 'alice']), { code: 1, stdout: '', stderr: down })
    t.match(await place.accounts(['create', 'bob']), { code: 1, stdout: '', stderr: down })
    t.same(place.directory().list(), [])
    rmSync(join(place.cwd, 'reader'))
    t.match(await place.accounts(['create', 'bob']), {
      code: 2,
      stderr: /sallyport\.yaml:\d+:\d+: realms\.directory\.password: .*reader[\s\S]*nothing was done/,
    })
    rmSync(join(place.cwd, 'config'), { recursive: true })
    t.match(await place.accounts(['create', 'bob']), { code: 2, stderr: /no configuration, and so no directory/ })
    t.match(await place.accounts(['list']), { code: 0 }, 'what is remembered is shown all the same')
  })
})

t.test('every command has a help with an example', async t => {
  const { accounts } = peoplePlace(t)
  for (const action of [[], ['list'], ['show'], ['link'], ['unlink'], ['create']]) {
    const { code, stdout, stderr } = await accounts([...action, '--help'])
    t.match(
      { code, stderr, stdout },
      { code: 0, stderr: '', stdout: /Examples:\n {2}sallyport accounts / },
      action.join(''),
    )
  }
  t.match(await accounts([]), { code: 2, stdout: '', stderr: /say which: sallyport accounts list/ })
})
