// What the directory says of a right password reaches the person, and of a wrong one nobody learns anything.
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { startSignInHouse } from './sign-in-house.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const ppolicy = { pwdMaxAge: 7200, pwdExpireWarning: 3600, pwdMustChange: true, pwdLockout: true, pwdMaxFailure: 6 }
const [alice, bob, carol] = ['alice', 'bob', 'carol'].map(uid => `uid=${uid},ou=people,dc=lab,dc=test`)
const stamp = (at: number) => new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')
const changed = (dn: string | undefined, at: number) =>
  `dn: ${dn}\nchangetype: modify\nreplace: pwdChangedTime\npwdChangedTime: ${stamp(at)}\n`

t.test('expired, must change, about to end: told to whom the password belongs, and to nobody else', async t => {
  const house = await startSignInHouse(t, {
    slapd: { overlays: { ppolicy }, groups: { everybody: ['alice', 'bob', 'carol'] } },
  })
  await house.slapd.modify(changed(alice, Date.now() - 5_400_000))
  await house.slapd.modify(changed(bob, Date.now() - 86_400_000))
  await house.slapd.modify(`dn: ${carol}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n`)

  const ending = await house.signIn('alice', 'alice pass-word')
  t.equal(ending.answer.status, 200)
  t.ok(ending.isIn)
  t.match(ending.answer.text, /Your password will expire in (29|30) min\./)
  t.match(ending.answer.text, 'href="/where">Continue')
  t.same(ending.groups, ['everybody', 'radiology'])

  for (const [name, sentence, reason] of [
    ['bob', 'it has expired', 'password-expired'],
    ['carol', 'it must be changed', 'password-must-change'],
  ] as const) {
    const { answer, isIn } = await house.signIn(name, `${name} pass-word`)
    t.equal(answer.status, 401)
    t.match(answer.text, sentence)
    t.notOk(isIn)
    const byBasic = await house.gateway.ask('/', { basic: `${name}:${name} pass-word` })
    t.equal(byBasic.status, 401)
    t.equal(JSON.parse(byBasic.text).reason, reason)
    t.match(
      house.gateway.audit().findLast(({ kind }) => kind === 'login-refused'),
      { claimed: name, reason },
    )
    t.notMatch((await house.signIn(name, 'wrong')).answer.text, sentence)
    for (let tries = 0; tries < 4; tries++) t.equal((await house.signIn(name, `${name} pass-word`)).answer.status, 401)
  }
  t.same(
    house.accounts.list().map(({ name }) => name),
    ['alice'],
  )
})

t.test('what strangers try does not lock the account in the directory, in whatever spelling', async t => {
  const clock = movedClock(Date.now())
  const house = await startSignInHouse(t, {
    // One more would lock it, and without an interval failures are never forgotten.
    slapd: { overlays: { ppolicy: { pwdLockout: true, pwdMaxFailure: 5 } } },
    realms: { ignoreCase: true },
    clock,
  })
  for (const name of ['alice', 'ALICE', ' alice ', 'Alice', 'ALIce', 'alice\u00ad', 'alicE', 'aLice'])
    await house.signIn(name, `guess of ${name}`)
  t.equal(house.slapd.operations().bindDns.filter(dn => dn === alice).length, 4)
  clock.move(30 * 60_000)
  t.ok((await house.signIn('alice', 'alice pass-word')).isIn)
})
