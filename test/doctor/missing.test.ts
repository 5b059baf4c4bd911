// Why a name finds nobody, a person has no group, or a password is not taken; and what should be known of a directory that answers.
import t from 'tap'
import { lockoutAdvice } from '../../src/doctor/lockout.ts'
import { remarksOn } from '../../src/doctor/remarks.ts'
import { startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { record, suffix } from '../fixture/directory-tree.ts'
import { searchDone, searchEntry, searchReference } from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { examinationOf, firstFailure, tried } from './examined.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const posix = record({
  dn: `cn=scanners,ou=groups,${suffix}`,
  objectClass: ['posixGroup'],
  ...{ cn: 'scanners', gidNumber: '500', memberUid: ['carol'] },
})
const slapd = await startSlapd(t, {
  schemas: ['nis'],
  ldif: posix,
  overlays: { ppolicy: { pwdLockout: true, pwdMaxFailure: 5, pwdFailureCountInterval: 600 } },
})
const failing = async (name: string, written: Record<string, unknown> = {}, password?: string) =>
  firstFailure(await tried(examinationOf(t, slapd.url, written), name, password))

t.test('why a name finds nobody', async t => {
  const { dn } = slapd.people.alice
  const rows = [
    ['Alice', {}, 'other-spelling', [`spells it alice (${dn})`, 'realms.ignoreCase: true']],
    [
      'alice@lab.test',
      {},
      'other-attribute',
      [`but ${dn} has mail=alice@lab.test`, 'sign in as alice, or write omeName=mail'],
    ],
    [
      'alice',
      { userFilter: '(&(objectClass=person)(mail=*@other.test))' },
      'user-filter',
      [dn, ': (mail=*@other.test) does not match'],
    ],
    ['alice', { userFilter: '(objectClass=account)' }, 'user-filter', [dn, 'does not admit it =>']],
    ['Sam Twin', { userMapping: 'omeName=cn' }, 'several', [/uid=twin1,.*; uid=twin2,/]],
    ['nobody', {}, 'nobody', ['no entry below dc=lab,dc=test has uid=nobody; others are found']],
    [
      'nobody',
      { base: `ou=groups,${suffix}` },
      'user-filter-empty',
      ['finds nobody at all below ou=groups,dc=lab,dc=test'],
    ],
    ['*)(uid=*', {}, 'nobody', ['others are found']],
    [
      'bob',
      { base: `ou=groups,${suffix}` },
      'outside-base',
      [`(${slapd.people.bob.dn}), and does not lie below ou=groups,dc=lab,dc=test`],
    ],
  ] as const
  for (const [name, written, code, said] of rows) {
    const failure = await failing(name, written)
    t.equal(failure.at, `entry ${code}`, failure.said)
    for (const words of said) t.match(failure.said, words)
  }
  t.match(await failing('alice', { base: `ou=people,dc=hospital,${suffix}` }), {
    at: 'search no-such-base',
    said: /the server holds dc=lab,dc=test, so look at what stands before that/,
  })
  t.match(await failing('alice', { base: 'dc=lab,dc=local' }), { said: /did you mean dc=lab,dc=test\?/ })
  t.match(firstFailure(await tried(examinationOf(t, slapd.url, { username: undefined }, { password: undefined }))), {
    at: 'search base-hidden',
    said: /holds dc=lab,dc=test, and does not show it to who has not signed in => .*realms\.directory\.username/,
  })
})

t.test('parts of the tree that were left unread are named where nothing was found', async t => {
  const directory = await startScriptedDirectory(t, request =>
    request.operation === 'search' && request.name === suffix
      ? Buffer.concat([
          searchReference(request.id, 'ldap://dc1.other.lab.test/dc=other,dc=lab,dc=test'),
          searchDone(request.id),
        ])
      : undefined,
  )
  t.match(firstFailure(await tried(examinationOf(t, directory.url))), {
    at: 'entry referral-unread',
    said: /left unread: dc1\.other\.lab\.test:389 => .*referral: follow.*Global Catalogue/,
  })
})

t.test('why a person has no group', async t => {
  const rows = [
    ['twin1', {}, 'in-no-group', /no group that groupFilter finds holds uid=twin1/],
    [
      'alice',
      { groupFilter: '(objectClass=group)' },
      'group-filter',
      /groups of this person \(cn=radiology,.*groupFilter \(objectClass=group\) does not admit/,
    ],
    [
      'bob',
      { base: `ou=people,${suffix}` },
      'group-filter-empty',
      /finds no group at all below ou=people.* => .*below realms\.directory\.base/,
    ],
    [
      'carol',
      { groupFilter: '(objectClass=posixGroup)' },
      'other-membership',
      /names the person in memberUid.* => write newUserGroup: ":query:\(memberUid=@\{uid\}\)"/,
    ],
    ['alice', { newUserGroup: ':dn_attribute:seeAlso' }, 'attribute-unused', /nobody below the base has seeAlso/],
    [
      'carol',
      { newUserGroup: ':dn_attribute:memberOf' },
      'attribute-empty',
      /uid=carol.* has no memberOf, and others have/,
    ],
    [
      'alice',
      { newUserGroup: ':filtered_dn_attribute:memberOf', groupFilter: '(objectClass=group)' },
      'group-filter-empty',
      /objectClass=group\)/,
    ],
    [
      'alice',
      { newUserGroup: ':filtered_dn_attribute:memberOf', groupFilter: '(cn=pacs-admins)' },
      'group-filter',
      /does not admit them/,
    ],
    [
      'alice',
      { newUserGroup: ':query:(cn=@{departmentNumber})' },
      'no-groups',
      /the entry holds nothing for @\{departmentNumber\}/,
    ],
    [
      'alice',
      { groupMapping: 'name=description' },
      'group-without-name',
      /cn=radiology,.* holds the person, and has no description/,
    ],
  ] as const
  for (const [name, written, code, said] of rows)
    t.match(await failing(name, written), { at: `groups ${code}`, said }, `${name} ${JSON.stringify(written)}`)

  const bare = await startSlapd(t, {
    databaseConf: `access to attrs=member,memberOf by dn.exact="cn=fixture keeper,${suffix}" write by * none`,
  })
  t.match(firstFailure(await tried(examinationOf(t, bare.url))), {
    at: 'groups members-hidden',
    said: /let the reader account read and search member/,
  })
  t.match(firstFailure(await tried(examinationOf(t, bare.url, { newUserGroup: ':dn_attribute:memberOf' }))), {
    at: 'groups attribute-unused',
    said: /OpenLDAP has memberOf by its overlay.*:query:\(member=@\{dn\}\)/,
  })
})

t.test('why a password is not taken', async t => {
  t.match(await failing('bob', {}, 'not it'), { at: 'password account-wrong-password', said: /not that of uid=bob/ })
  t.match(await failing('bob', {}, ''), { at: 'password not-sent' })
  await slapd.modify(
    `dn: ${slapd.people.bob.dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 20260101000000Z\n`,
  )
  t.match(await failing('bob', {}, 'bob pass-word'), { at: 'password account-locked', said: /locked since 20260101/ })
  await slapd.modify(
    `dn: ${slapd.people.bob.dn}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n`,
  )
  t.match(await failing('bob'), { at: 'entry closed', said: /locked for good .* => .*open the account/ })
})

const remarks = async (examination: ReturnType<typeof examinationOf>, failures = 4, within = 1_800_000) =>
  (await remarksOn(await tried(examination), { failures, within })).map(
    ({ code, cause, cure }) => `${code}: ${cause} => ${cure}`,
  )

t.test('a throttle that is not stricter than the lockout of the directory is told', async t => {
  t.same(await remarks(examinationOf(t, slapd.url)), [])
  const [loose = ''] = await remarks(examinationOf(t, slapd.url), 5)
  t.match(
    loose,
    /^throttle-not-stricter: the directory locks an account after 5 wrong passwords within 10 min .* lets 5 in 30 min through.* => .*failures: 4 or fewer, within: 10 min or more/,
  )
  t.match((await remarks(examinationOf(t, slapd.url), 4, 60_000))[0], 'lets 4 in 1 min through')
  const forever = { threshold: 3, window: undefined, where: 'x' }
  t.match(lockoutAdvice(forever, { failures: 2, within: 1_800_000 })?.cause, 'forgets them at a right password only')
  t.match(lockoutAdvice({ ...forever, threshold: 1 }, { failures: 1, within: 1 })?.cure, 'nothing can be stricter')
})

t.test('the rule of Active Directory, asked of a server that is none, is told', async t => {
  const [rule = '', ...more] = await remarks(examinationOf(t, slapd.url, { nestedGroups: true }))
  t.match(rule, /^no-chain-rule: .*people are in no group => write nestedGroups: walk/)
  t.same(more, [])
})

t.test('attributes that the directory does not know are told', async t => {
  const [particulars = ''] = await remarks(
    examinationOf(t, slapd.url, { userMapping: 'omeName=uid,email=maill,institution=department' }),
  )
  t.match(particulars, /^unknown-particulars: .* maill, department => .*stay empty/)
  const [names = ''] = await remarks(examinationOf(t, slapd.url, { groupMapping: 'name=groupname' }))
  t.match(names, /^unknown-attributes: .* groupname => .*groupMapping/)
})

t.test('a slow search is told with what may help, by the make of the directory', async t => {
  const far = await startDirectoryProxy(t, slapd.url, { way: { slow: 1_100 } })
  const slow = { connectTimeout: '5 s', readTimeout: '5 s' }
  const told = await remarks(examinationOf(t, far.url, slow))
  t.match(
    told.join('\n'),
    /slow-search: a search took \d\.\d s: \(&\(objectClass=person\)\(uid=alice\)\) below .* => have the attributes/,
  )
  const examination = examinationOf(t, slapd.url)
  await tried(examination)
  const search = examination.steps
    .filter(({ step }) => step === 'search')
    .map(step => ({ ...step, milliseconds: 31_000 }))
  const active = await startScriptedDirectory(t, request =>
    request.operation === 'search' && request.name === ''
      ? Buffer.concat([
          searchEntry(request.id, '', {
            supportedCapabilities: ['1.2.840.113556.1.4.800'],
            defaultNamingContext: [suffix],
          }),
          searchDone(request.id),
        ])
      : undefined,
  )
  const controller = examinationOf(t, active.url)
  const address = { ...controller.terms.address, port: 636 }
  const said = await remarksOn(
    { ...controller, steps: search, terms: { ...controller.terms, address } },
    { failures: 4, within: 1 },
  )
  t.match(said[0], { code: 'slow-search', cause: /took 31\.0 s/, cure: /Global Catalogue instead \(port 3269\)/ })
})
