import t from 'tap'
import { passwordAnswer, passwordPolicyControl, readPolicyResponse } from '../../src/ldap/password-policy.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { directoryOf } from './settings.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

t.test('the response control is read as the draft builds it', async t => {
  t.same(readPolicyResponse(hex('3000')), {})
  t.same(readPolicyResponse(hex('3005 a003 80010a')), { expiresIn: 10 })
  t.same(readPolicyResponse(hex('3006 a004 80020e10')), { expiresIn: 3600 })
  t.same(readPolicyResponse(hex('3005 a003 810102')), { graceLeft: 2 })
  t.same(readPolicyResponse(hex('3003 810100')), { error: 0 })
  t.same(readPolicyResponse(hex('3008 a003 810102 810102')), { graceLeft: 2, error: 2 })
})

t.test('one that is built otherwise tells nothing', async t => {
  for (const odd of [
    '',
    '30',
    '3001',
    '3080',
    '04020000',
    '3003 820100',
    '3003 810180',
    '3002 8100',
    '3000 3000',
    '3005 a003 8001ff',
    '3009 a007 8007 00000000000000',
  ])
    t.equal(readPolicyResponse(hex(odd)), undefined, odd)
})

const refused = { right: false, code: 49, why: '49 invalidCredentials', controls: [] } as const
const control = (value: string) => [{ oid: passwordPolicyControl, value: hex(value) }]

t.test('D12: what Active Directory says of a right password is told apart, all else is wrong', async t => {
  const said = (data: string) =>
    passwordAnswer({
      ...refused,
      message: `80090308: LdapErr: DSID-0C09030B, comment: AcceptSecurityContext error, data ${data}, v893`,
    })
  t.match(said('532'), { right: false, reason: 'expired' })
  t.match(said('773'), { right: false, reason: 'must-change' })
  for (const data of ['525', '52e', '530', '531', '533', '701', '775'])
    t.match(said(data), { right: false, reason: 'wrong' }, data)
})

t.test('the same from a password policy', async t => {
  t.match(passwordAnswer({ ...refused, message: '', controls: control('3003 810100') }), { reason: 'expired' })
  t.match(passwordAnswer({ ...refused, message: '', controls: control('3003 810101') }), {
    reason: 'wrong',
    why: /account locked/,
  })
  t.match(passwordAnswer({ right: true, controls: control('3003 810102') }), { right: false, reason: 'must-change' })
  t.same(passwordAnswer({ right: true, controls: control('3005 a003 810102') }), {
    right: true,
    notice: { graceLeft: 2 },
  })
  t.same(passwordAnswer({ right: true, controls: control('ffff') }), { right: true })
  t.same(passwordAnswer({ right: true, controls: [{ oid: '1.2.3', value: hex('3003 810102') }] }), { right: true })
})

t.test('a real slapd with a password policy', { skip: !requireReal(t, slapdTools) }, async t => {
  const slapd = await startSlapd(t, {
    overlays: {
      ppolicy: {
        pwdMaxAge: 1_000,
        // Longer than the password lives: slapd says nothing in the second in which it was set.
        pwdExpireWarning: 2_000,
        pwdGraceAuthnLimit: 2,
        pwdMustChange: true,
        pwdLockout: true,
        pwdMaxFailure: 3,
        ppolicy_use_lockout: true,
      },
    },
  })
  const directory = directoryOf(slapd)
  t.teardown(() => directory[Symbol.asyncDispose]())
  const check = async (name: 'alice' | 'bob' | 'carol', password: string = slapd.people[name].password) => {
    const found = await directory.find(name)
    if (found.kind !== 'found') throw new Error(found.why)
    return directory.checkPassword(found.entry, password)
  }
  const ending = await check('alice')
  t.match(ending, { right: true, notice: { expiresIn: Number } }, 'a password that ends soon')

  await slapd.modify(
    `dn: ${slapd.people.alice.dn}\nchangetype: modify\nreplace: pwdChangedTime\npwdChangedTime: 20200101000000Z\n`,
  )
  t.same(await check('alice'), { right: true, notice: { graceLeft: 1 } })
  t.same(await check('alice'), { right: true, notice: { graceLeft: 0 } })
  t.match(await check('alice'), { right: false, reason: 'expired' }, 'no more sign-ins are left')
  t.match(
    await check('alice', 'wrong'),
    { right: false, reason: 'wrong' },
    'a wrong password is not told that it is expired',
  )

  await slapd.modify(`dn: ${slapd.people.bob.dn}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n`)
  t.match(await check('bob'), { right: false, reason: 'must-change' })

  for (let at = 0; at < 3; at++) await check('carol', 'wrong')
  t.match(await check('carol'), { right: false, reason: 'wrong', why: /locked/ })
  const carol = await directory.find('carol')
  t.match(carol.kind === 'found' && carol.entry.locked, /locked since/)
  t.equal(carol.kind === 'found' && carol.entry.closed, undefined)
})
