// The directory fixture is a real slapd that lets only the reader search, and counts what it was asked.
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
