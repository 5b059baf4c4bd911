// What Active Directory has of its own is told in plain words: shown with Samba as a domain controller.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { remarksOn } from '../../src/doctor/remarks.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { requireSamba, startSamba } from '../fixture/samba.ts'
import { trustOf } from '../tls/trusted.ts'
import { examinationOf, firstFailure, tried } from './examined.ts'

if (!requireSamba(t)) process.exit(0)
const samba = await startSamba(t)
const caFile = join(t.testdir(), 'ca.pem')
writeFileSync(caFile, samba.ca)

const examined = (written: Record<string, unknown> = {}, url = samba.ldapsUrl, password = samba.reader.password) =>
  examinationOf(
    t,
    url,
    {
      ...{ username: samba.reader.upn, base: samba.base, groupFilter: '(objectClass=group)', readTimeout: '5 s' },
      ...{
        userFilter: '(&(objectCategory=person)(objectClass=user))',
        userMapping: 'omeName=sAMAccountName,email=mail',
      },
      ...written,
    },
    { password: new Secret(password), trust: trustOf({ ca: caFile }) },
  )

t.test('the reader: in clear, with another password, not at all', async t => {
  const rows = [
    [
      examined({}, samba.url),
      'reader encryption-required',
      /signing.*Transport encryption required.* => write ldaps:\/\/127\.[\d.]+ .*or startTls: true/,
    ],
    [
      examined({}, samba.ldapsUrl, 'another'),
      'reader account-wrong-password',
      /another password than this one, or is not known \(data 52e\)/,
    ],
    [
      examined({ username: undefined }),
      'search anonymous-refused',
      /no reader is configured.* => .*name@domain in Active Directory/,
    ],
    [examined({ base: 'DC=lab,DC=local' }), 'search no-such-base', /did you mean DC=lab,DC=test/],
  ] as const
  for (const [examination, at, said] of rows) t.match(firstFailure(await tried(examination)), { at, said })
})

t.test('an account that is not let in: each with its cause', async t => {
  const rows = {
    bob: ['entry closed', /disabled \(userAccountControl\)/],
    carol: ['password account-must-change', /must change its password .*773/],
    dave: ['entry closed', /expired on 2020/],
    erin: ['password account-locked', /locked by too many wrong passwords \(data 775\)/],
    heidi: ['password account-password-expired', /a password that has expired \(data 532\)/],
    ivan: ['password account-wrong-hour', /may not sign in at this hour \(data 530\)/],
    judy: ['password account-wrong-workstation', /certain computers only \(data 531\)/],
    grace: ['password account-wrong-password', /data 52e/],
  } as const
  for (const [name, [at, said]] of Object.entries(rows)) {
    const { password } = samba.people[name as keyof typeof rows] // safe: a key of `rows`
    const examination = await tried(examined(), name, name === 'grace' ? 'another' : password)
    t.match(firstFailure(examination), { at, said }, name)
  }
  const bob = await tried(examined(), 'bob', samba.people.bob.password)
  t.match(bob.steps.find(({ step }) => step === 'password')?.diagnosis, { code: 'account-disabled' })
  t.match(firstFailure(await tried(examined(), samba.people.alice.upn)), {
    at: 'entry other-attribute',
    said: /has userPrincipalName=alice@lab\.test => sign in as alice, or write omeName=userPrincipalName/,
  })
})

t.test('what should be known: lockout of the domain, attributes, nothing else where all is well', async t => {
  const well = await tried(examined())
  t.same(await remarksOn(well, { failures: 4, within: 1_800_000 }), [])
  t.match(await remarksOn(well, { failures: 5, within: 1_800_000 }), [
    { code: 'throttle-not-stricter', cause: /after 5 wrong passwords within 30 min \(DC=lab,DC=test\)/ },
  ])
  const odd = await tried(examined({ userMapping: 'omeName=sAMAccountName,email=e-mail' }))
  t.match(await remarksOn(odd, { failures: 4, within: 1_800_000 }), [{ code: 'unknown-particulars', cause: /e-mail/ }])
})
