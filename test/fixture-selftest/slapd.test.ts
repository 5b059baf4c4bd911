// The directory fixture is a real slapd that lets only the reader search, counts what it was asked, and can be changed.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { labPkiTools, startLabPki } from '../fixture/lab-pki.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'

const run = promisify(execFile)
const tools = [...slapdTools, 'ldapsearch']
type Who = { readonly dn: string; readonly password: string }
const as = ({ dn, password }: Who) => ['-x', '-D', dn, '-w', password]

const search = async (url: string, who: Who, base: string, ...query: string[]) =>
  (await run('ldapsearch', ['-LLL', '-o', 'ldif-wrap=no', '-H', url, ...as(who), '-b', base, ...query])).stdout

t.test('only the reader searches, and sees memberOf', async t => {
  if (!requireReal(t, tools)) return
  const slapd = await startSlapd(t, {
    people: { dave: { uid: 'dave', password: 'dave pass-word' } },
    groups: { nested: ['dave', 'cn=radiology,ou=groups,dc=lab,dc=test'] },
  })
  const find = (who: Who, filter: string) => search(slapd.url, who, slapd.base, filter, 'memberOf')
  t.match(await find(slapd.reader, '(uid=alice)'), `memberOf: cn=radiology,${slapd.groupsDn}`)
  t.match(await find(slapd.reader, '(uid=bob)'), `memberOf: cn=pacs-admins,${slapd.groupsDn}`)
  t.match(await find(slapd.reader, '(uid=dave)'), `memberOf: cn=nested,${slapd.groupsDn}`)
  t.notMatch(await find(slapd.reader, '(uid=carol)'), 'memberOf')
  t.equal((await find(slapd.reader, '(cn=Sam Twin)')).match(/^dn: /gm)?.length, 2, 'one name, two entries')
  t.match(await find(slapd.reader, '(uid=Bob \\28Ext\\29 \\2A)'), `dn: ${slapd.people.special.dn}`)
  t.notMatch(await search(slapd.url, slapd.reader, slapd.base, '(uid=alice)'), 'userPassword')

  await t.rejects(find(slapd.people.alice, '(uid=*)'), /No such object/)
  await t.rejects(run('ldapsearch', ['-x', '-H', slapd.url, '-b', slapd.base]), { code: 32 }, 'nobody finds nothing')
})

t.test('everyone may prove their password, and every bind is counted', async t => {
  if (!requireReal(t, tools)) return
  const slapd = await startSlapd(t)
  t.match(slapd.operations(), { binds: 0, searches: 0 }, "the fixture's own questions do not count")
  for (const person of Object.values(slapd.people)) {
    const { stdout } = await run('ldapwhoami', ['-H', slapd.url, ...as(person)])
    t.equal(stdout.trim(), `dn:${person.dn}`)
  }
  const { alice } = slapd.people
  await t.rejects(run('ldapwhoami', ['-H', slapd.url, ...as({ ...alice, password: 'wrong' })]), /Invalid credentials/)
  await t.rejects(run('ldapwhoami', ['-H', slapd.url, ...as({ ...alice, password: '' })]), /unauthenticated bind/)
  const { binds, searches, bindDns } = slapd.operations()
  t.same([binds, searches], [8, 0])
  t.equal(bindDns.filter(dn => dn === alice.dn).length, 3, 'the refused ones too')

  await search(slapd.url, slapd.reader, slapd.base, '(&(uid=a*)(objectClass=person))')
  t.match(slapd.operations(), { binds: 9, searches: 1, filters: ['(&(uid=a*)(objectClass=person))'] })
})

t.test('it speaks ldaps and StartTLS with the certificate it was given', async t => {
  if (!requireReal(t, [...tools, ...labPkiTools])) return
  const pki = startLabPki(t)
  const slapd = await startSlapd(t, { tls: { ...pki.server, ca: pki.ca } })
  const env = { ...process.env, LDAPTLS_CACERT: pki.caFile, LDAPTLS_REQCERT: 'demand' }
  for (const way of [[slapd.ldapsUrl ?? ''], [slapd.url, '-ZZ']]) {
    const { stdout } = await run('ldapwhoami', ['-H', ...way, ...as(slapd.people.bob)], { env })
    t.equal(stdout.trim(), `dn:${slapd.people.bob.dn}`)
  }
  const stranger = { ...env, LDAPTLS_CACERT: '/dev/null' }
  await t.rejects(run('ldapwhoami', ['-H', slapd.ldapsUrl ?? '', ...as(slapd.people.bob)], { env: stranger }))
})

t.test('an outage begins and ends, on the same port and with the same people', async t => {
  if (!requireReal(t, tools)) return
  const slapd = await startSlapd(t)
  const ask = () => run('ldapwhoami', ['-H', slapd.url, ...as(slapd.people.alice)])
  await ask()
  await slapd.stop()
  await t.rejects(ask(), /Can't contact LDAP server/)
  await slapd.start()
  await ask()
  t.match(slapd.operations(), { binds: 2 }, 'the count runs on')
  t.match(await search(slapd.url, slapd.reader, slapd.base, '(uid=alice)', 'memberOf'), 'cn=radiology')
})

t.test('entries are changed while it runs, and nobody is counted for it', async t => {
  if (!requireReal(t, tools)) return
  const slapd = await startSlapd(t, { groups: { both: ['alice', 'bob'] } })
  const { alice, bob, carol } = slapd.people
  const groupsOf = async (filter: string) =>
    (await search(slapd.url, slapd.reader, slapd.base, filter, 'memberOf')).match(/(?<=^memberOf: cn=)[^,]+/gm) ?? []
  await slapd.modify(`dn: ${alice.dn}\nchangetype: modify\nreplace: mail\nmail: new@lab.test\n`)
  await slapd.modify(`dn: cn=both,${slapd.groupsDn}\nchangetype: modify\ndelete: member\nmember: ${alice.dn}\n`)
  t.match(await search(slapd.url, slapd.reader, slapd.base, '(uid=alice)'), 'mail: new@lab.test')
  t.same(await groupsOf('(mail=new@lab.test)'), ['radiology'])
  await slapd.modify(`dn: ${bob.dn}\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n`)
  t.same((await groupsOf('(uid=robert)')).toSorted(), ['both', 'pacs-admins'], 'memberships follow a new name')
  const uuid = async () => /entryUUID: (.*)/.exec(await search(slapd.url, slapd.reader, carol.dn, '(uid=*)', '+'))?.[1]
  const before = await uuid()
  await slapd.modify(
    `dn: ${carol.dn}\nchangetype: delete\n\ndn: ${carol.dn}\nchangetype: add\nobjectClass: inetOrgPerson\nsn: New\ncn: New\n`,
  )
  t.not(await uuid(), before, 'another entry under the same name')
  await t.rejects(slapd.modify(`dn: ${bob.dn}\nchangetype: delete\n`), /No such object/)
  t.match(slapd.operations(), { binds: 5, searches: 5, connections: 5 })
})

t.test('more entries, schemas and lines of configuration are taken', async t => {
  if (!requireReal(t, tools)) return
  const names = ['u1', 'u2', 'u3']
  const slapd = await startSlapd(t, {
    schemas: ['nis'],
    conf: 'sizelimit 2\nsecurity simple_bind=64\ndisallow bind_anon',
    databaseConf: 'access to attrs=homeDirectory by * none',
    ldif: names
      .map(
        uid =>
          `dn: uid=${uid},ou=people,dc=lab,dc=test\nobjectClass: account\nobjectClass: posixAccount\nuid: ${uid}\ncn: ${uid}\nuidNumber: 1\ngidNumber: 1\nhomeDirectory: /\n`,
      )
      .join('\n'),
  })
  await t.rejects(search(slapd.url, slapd.reader, slapd.base, '(uid=u1)'), /Confidentiality required/)
  await t.rejects(run('ldapsearch', ['-x', '-H', slapd.url, '-b', slapd.base]), /anonymous bind disallowed/)
  await slapd.modify(`dn: uid=u1,${slapd.peopleDn}\nchangetype: modify\nreplace: gidNumber\ngidNumber: 2\n`)

  const open = await startSlapd(t, {
    schemas: ['nis'],
    conf: 'sizelimit 2',
    databaseConf: 'access to attrs=mail by * none',
  })
  await t.rejects(search(open.url, open.reader, open.base, '(objectClass=inetOrgPerson)'), /Size limit exceeded/)
  t.notMatch(await search(open.url, open.reader, open.base, '(uid=alice)'), 'mail:')
})

t.test('questions of nobody, StartTLS and client certificates show', async t => {
  if (!requireReal(t, [...tools, ...labPkiTools])) return
  const pki = startLabPki(t)
  const slapd = await startSlapd(t, { tls: { ...pki.server, ca: pki.ca, verifyClients: 'demand' } })
  const env = { ...process.env, LDAPTLS_CACERT: pki.caFile, LDAPTLS_REQCERT: 'demand' }
  const { cert, key } = pki.client('gateway')
  const dir = t.testdir({ 'client.crt': cert, 'client.key': key })
  const known = { ...env, LDAPTLS_CERT: `${dir}/client.crt`, LDAPTLS_KEY: `${dir}/client.key` }
  const whoami = (env: NodeJS.ProcessEnv, ...where: string[]) =>
    run('ldapwhoami', [...where, ...as(slapd.people.alice)], { env })
  await t.rejects(whoami(env, '-H', slapd.ldapsUrl ?? ''), /Can't contact LDAP server/)
  await whoami(known, '-H', slapd.ldapsUrl ?? '')
  await whoami(known, '-H', slapd.url, '-ZZ')
  t.match(slapd.operations(), { connections: 3, binds: 2, startTls: 1, unboundBases: [] })

  await run('ldapsearch', ['-x', '-H', slapd.url, '-s', 'base', '-b', '', 'namingContexts'])
  await search(slapd.url, slapd.reader, slapd.peopleDn, '(uid=alice)')
  t.match(slapd.operations(), { bases: ['', slapd.peopleDn], unboundBases: [''] })
})

t.test('a password policy locks, expires and demands a change', async t => {
  if (!requireReal(t, tools)) return
  const ppolicy = { pwdMaxFailure: 2, pwdLockout: true, pwdMaxAge: 7200, pwdExpireWarning: 3600, pwdMustChange: true }
  const slapd = await startSlapd(t, { overlays: { ppolicy: { ...ppolicy, ppolicy_use_lockout: true } } })
  const { alice, bob, carol } = slapd.people
  const ask = async (who: Who) => {
    const asked = run('ldapwhoami', ['-H', slapd.url, '-e', 'ppolicy', ...as(who)])
    const { stdout, stderr } = await asked.catch((failure: { stdout: string; stderr: string }) => failure)
    return stdout + stderr
  }
  t.notMatch(await ask(alice), /Password/)
  const setChanged = (who: Who, at: string) =>
    slapd.modify(`dn: ${who.dn}\nchangetype: modify\nreplace: pwdChangedTime\npwdChangedTime: ${at}\n`)
  await setChanged(alice, new Date(Date.now() - 5_400_000).toISOString().replace(/[-:T]|\.\d+/g, ''))
  t.match(await ask(alice), /Password expires in 1[78]\d\d seconds/)
  for (const _ of [1, 2]) t.match(await ask({ ...alice, password: 'wrong' }), /Invalid credentials/)
  t.match(await ask(alice), /Account locked/)
  await setChanged(bob, '20200101000000Z')
  t.match(await ask(bob), /Password expired/)
  await slapd.modify(`dn: ${carol.dn}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n`)
  t.match(await ask(carol), /Password must be changed/)
  t.notMatch(await ask(slapd.reader), /Password/, 'the reader stands outside the policy')
})
