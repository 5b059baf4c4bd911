// The directory is taken away in the middle of sign-ins and given back: nobody is told of a wrong password who had a right one,
// whoever is signed in stays so, who needs no directory gets in, and afterwards all is as before, by itself.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startSignInHouse } from '../behaviour/sign-in-house.ts'
import { startDirectoryProxy, type Way } from '../fixture/directory-proxy.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'

const ways: Readonly<Record<string, Way>> = {
  'refuses connections': 'refuse',
  'is silent': 'silent',
  'is reset in the middle of an answer': { cut: 'middle', reset: true },
}

t.test('each way that it goes', async t => {
  if (!requireReal(t, slapdTools)) return
  const slapd = await startSlapd(t)
  t.jobs = 3
  const tests = Object.entries(ways).map(([name, way]) =>
    t.test(`it ${name}`, async t => {
      const proxy = await startDirectoryProxy(t, slapd.url)
      const house = await startSignInHouse(t, {
        slapd,
        accounts: { keeper: { password: 'keeper-password' } },
        directory: { urls: [proxy.url], connectTimeout: '500 ms', readTimeout: '500 ms' },
      })
      const { gateway } = house
      const { alice, bob } = slapd.people
      const first = await house.signIn('alice', alice.password)
      t.ok(first.isIn)
      const before = proxy.passed.length

      const under = Array.from({ length: 4 }, () => house.signIn('bob', bob.password))
      await within(500, () => proxy.passed.length > before)
      await proxy.switchTo(way)
      for (const { isIn, answer } of await Promise.all(under))
        if (!isIn) t.equal(answer.status, 503, 'in the middle of it: in, or told that it does not work just now')
      for (const password of [bob.password, 'a wrong one']) {
        const { answer } = await house.signIn('bob', password)
        t.match(answer, { status: 503, text: /the directory does not answer/ }, 'whatever the password')
      }
      t.equal((await gateway.ask('/x', { cookie: first.cookie ?? '' })).status, 200, 'who is signed in stays so')
      t.ok((await house.signIn('keeper', 'keeper-password')).isIn, 'who needs no directory gets in')

      await proxy.switchTo('pass')
      const [began, until] = [Date.now(), Date.now() + 10_000]
      let again = await house.signIn('bob', bob.password)
      while (!again.isIn && Date.now() < until) {
        t.equal(again.answer.status, 503)
        await pause(200)
        again = await house.signIn('bob', bob.password)
      }
      t.ok(again.isIn, `given back, and used after ${Date.now() - began} ms`)
      t.equal((await house.signIn('bob', 'a wrong one')).answer.status, 401, 'and is believed')
      t.equal(gateway.audit().filter(({ kind }) => kind === 'login-refused').length, 1, 'nobody else was refused')
    }),
  )
  await Promise.all(tests)
})
