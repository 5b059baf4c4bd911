import t from 'tap'
import { planDirectory } from '../../src/ldap/directory-plan.ts'
import { settingsOf } from './settings.ts'

const mistakesOf = (written: Record<string, unknown>) => {
  const planned = planDirectory(settingsOf(written))
  return planned.ok ? [] : planned.mistakes.map(({ key, message }) => `${key}: ${message}`)
}

t.test("OMERO's own defaults are a plan", async t => {
  const planned = planDirectory(settingsOf({}))
  t.ok(planned.ok)
  if (!planned.ok) return
  t.match(planned.plan, {
    addresses: [{ secure: false, host: 'localhost', port: 389 }],
    base: 'ou=example,o=com',
    nameAttribute: 'cn',
    groups: { kind: 'literal', group: 'default' },
    connectTimeout: 5000,
    readTimeout: 5000,
  })
})

t.test('every mistake is told with its key, all at once', async t => {
  const mistakes = mistakesOf({
    userFilter: '(objectClass=a)(mail=b)',
    groupFilter: '',
    newUserGroup: ':query:(member=@{d n})',
    username: 'EXTERNAL',
    readTimeout: '0 s',
  })
  t.same(mistakes.length, 5)
  t.match(
    mistakes.join('\n'),
    /userFilter: two filters.*\ngroupFilter: the filter is empty.*\nnewUserGroup: "@\{d n\}".*\nusername: "EXTERNAL".*\nreadTimeout/s,
  )
})

t.test('what would silently match nobody is a mistake', async t => {
  t.match(mistakesOf({ newUserGroup: ':query:(member=@{dn)' }), [/^newUserGroup: "@\{dn" is no placeholder/])
  t.match(mistakesOf({ userFilter: '(cn=**)' }), [/^userFilter: one \* is enough/])
  t.match(mistakesOf({ username: ' ' }), [/^username: is blank/])
  for (const urls of ['ldap://host?dc=lab', 'ldap://host#x']) t.throws(() => settingsOf({ urls }), /without path/)
})

t.test('only attributes that somebody uses are asked for, those of placeholders among them', async t => {
  const planned = planDirectory(
    settingsOf({
      userMapping: 'omeName=uid,email=mail',
      newUserGroup: ':query:(|(member=@{dn})(mail=@{email})(gid=@{gidNumber})(x=@{MAIL}))',
    }),
  )
  const asked = planned.ok ? planned.plan.attributes.map(name => name.toLowerCase()) : []
  t.same(asked.slice(0, 4), ['uid', 'mail', 'email', 'gidnumber'])
  // Beside them only by what an entry is known again, what says that it is closed, and what names its primary group.
  t.same(asked.slice(4).toSorted(), [
    ...['accountexpires', 'entryuuid', 'msds-user-account-control-computed', 'nsaccountlock', 'nsuniqueid'],
    ...['objectguid', 'objectsid', 'primarygroupid', 'pwdaccountlockedtime', 'pwdendtime', 'pwdstarttime'],
    'useraccountcontrol',
  ])
})

t.test('an IPv6 address loses its brackets, and ldaps has a port of its own', async t => {
  const planned = planDirectory(settingsOf({ urls: 'ldaps://[::1]' }))
  t.same(planned.ok && planned.plan.addresses, [{ secure: true, host: '::1', port: 636 }])
})
