// Whoever guesses is told to wait, everywhere alike, and those who belong here come in meanwhile.
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { fillIn, startSignInHouse } from './sign-in-house.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const password = 'alice pass-word'

t.test('past four failures: 429 and Retry-After on the login page and with Basic, and nothing is asked', async t => {
  const clock = movedClock(Date.now())
  const house = await startSignInHouse(t, { clock })
  const { gateway } = house
  for (const spelling of ['alice', 'ALICE', ' alice '])
    t.equal((await house.signIn(spelling, 'wrong')).answer.status, 401)
  t.equal((await gateway.ask('/', { basic: 'alice:wrong' })).status, 401)
  const asked = await house.asked(async () => {
    const page = await house.signIn('alice', password)
    t.equal(page.answer.status, 429)
    t.equal(page.answer.headers['retry-after'], '1800')
    t.match(
      page.answer.text,
      'Too many failed attempts. Wait before you try again. It will be possible again in 30 min.',
    )
    const script = await gateway.ask('/', { basic: `alice:${password}` })
    t.equal(script.status, 429)
    t.equal(script.headers['retry-after'], '1800')
    t.match(JSON.parse(script.text), { reason: 'throttled', status: 429 })
  })
  t.same(asked, { searches: 0, binds: 0 })
  t.ok((await house.signIn('bob', 'bob pass-word')).isIn)
  clock.move(30 * 60_000)
  t.ok((await house.signIn('alice', password)).isIn)
})

t.test('where alice came in before, strangers elsewhere cannot lock her out', async t => {
  const house = await startSignInHouse(t, { more: { trustedProxies: ['127.0.0.1'] } })
  const from = (address: string, secret: string) =>
    house.gateway.ask('/', { basic: `alice:${secret}`, headers: { 'x-forwarded-for': address } })
  t.equal((await from('192.0.2.7', password)).status, 200)
  const { binds } = await house.asked(async () => {
    for (let tries = 0; tries < 5; tries++)
      t.equal((await from(`198.51.100.${tries}`, `guess ${tries}`)).status, tries < 4 ? 401 : 429, 'as of any name')
  })
  t.equal(binds, 4)
  const hers = house.slapd.operations().bindDns.filter(dn => dn === house.slapd.people.alice.dn)
  t.equal(hers.length, 3, 'her own, and two of strangers; the others went to nobody')
  t.equal((await from('198.51.100.9', `${password}x`)).status, 429)
  t.equal((await from('192.0.2.7', 'a slip')).status, 401)
  t.equal((await from('192.0.2.7', 'another slip')).status, 401)
  t.equal((await from('192.0.2.7', 'a third')).status, 429)
})

t.test('other limits are in force after a reload, and what was counted counts', async t => {
  const house = await startSignInHouse(t)
  for (let tries = 0; tries < 2; tries++) await house.signIn('alice', `guess ${tries}`)
  const throttle = { name: { failures: 2, within: '10 min' } }
  t.match(await house.gateway.reload({ yaml: house.yaml({ realms: { throttle } }) }), { ok: true })
  t.equal((await house.signIn('alice', password)).answer.status, 429)
  t.notOk(house.gateway.log().some(({ message }) => /only after a restart/.test(String(message))))
})

t.test('a hundred at once through the login page: for one name, and for a hundred names', async t => {
  const names = Array.from({ length: 100 }, (_, nth) => `p${nth}`)
  const house = await startSignInHouse(t, {
    slapd: {
      people: Object.fromEntries(names.map(uid => [uid, { uid, password: `${uid} pass-word` }])),
      groups: { crowd: names },
    },
  })
  const statuses = async (who: readonly string[]) =>
    (await Promise.all(who.map(name => fillIn(house.gateway, name, `${name} pass-word`)))).map(({ status }) => status)
  t.same(await statuses(names), Array(100).fill(303))
  t.same(await statuses(Array(100).fill('p7')), Array(100).fill(303))
})

t.test('who guesses learns nothing from page, status, headers or problem+json', async t => {
  const house = await startSignInHouse(t, { accounts: { root: { password: 'root pass-word' } } })
  await house.signIn('alice', password)
  house.accounts.update('alice', { locked: true })
  const same = (text: string) =>
    text.replaceAll(/alice|bob|root|nobody|carol/g, 'NAME').replaceAll(/[0-9a-f-]{36}|value="[^"]*"/g, '')
  const seen = new Set<string>()
  for (const [name, secret] of [
    ['alice', password],
    ['bob', 'wrong'],
    ['root', 'wrong'],
    ['nobody', 'wrong'],
    ['carol', 'carol pass-word'],
  ] as const) {
    const page = await fillIn(house.gateway, name, secret)
    const script = await house.gateway.ask('/', { basic: `${name}:${secret}` })
    const headers = ({ headers }: typeof page) => Object.keys(headers).toSorted().join()
    seen.add(
      [page.status, headers(page), same(page.text), script.status, headers(script), same(script.text)].join('\n'),
    )
  }
  t.equal(seen.size, 1)
})
