// L01 and L02: signing in always gives a new id, the one before it ends, and the cookie has every attribute it needs.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: {
    alice: { password: 'correct horse', groups: ['radiology'] },
    mallory: { password: 'battery staple', groups: ['radiology'] },
  },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
})

/** Signs in with whatever cookies the browser has besides its form cookie. */
async function signInWith(
  cookies: readonly string[],
  name = 'alice',
  password = 'correct horse',
  more: Record<string, string> = {},
) {
  const form = await gateway.ask('/-/login', cookies.length === 0 ? {} : { cookie: cookies.join('; ') })
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const own = form.cookies.map(line => line.split(';')[0] ?? '')
  const answer = await gateway.ask('/-/login', {
    method: 'POST',
    cookie: [...cookies, ...own].join('; '),
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    body: new URLSearchParams({ name, password, token, ...more }).toString(),
  })
  const line = answer.cookies.find(cookie => cookie.startsWith('__Host-sallyport='))
  return { status: answer.status, line: line ?? '', cookie: line?.split(';')[0] ?? '' }
}
const enters = async (cookie: string) => (await gateway.ask('/x', { cookie })).status === 200

t.test('an id that was planted before is not the one after signing in', async t => {
  const chosen = `__Host-sallyport=${'A'.repeat(43)}`
  const { status, cookie } = await signInWith([chosen])
  t.equal(status, 303)
  t.not(cookie, chosen)
  t.equal(await enters(chosen), false)
  t.equal(await enters(cookie), true)
})

t.test(
  'a live session of somebody else, planted, ends when the victim signs in, and shows nothing of the victim',
  async t => {
    const mallorys = await gateway.signIn('mallory', 'battery staple')
    const { cookie } = await signInWith([mallorys])
    t.not(cookie, mallorys)
    t.equal(await enters(mallorys), false, 'the planted one has ended')
    await gateway.ask('/x', { cookie })
    t.equal(upstream.received.at(-1)?.header('x-remote-user'), 'alice')
  },
)

t.test('signing in again gives another id, and the one before ends', async t => {
  const first = await signInWith([])
  const second = await signInWith([first.cookie])
  t.not(second.cookie, first.cookie)
  t.equal(await enters(first.cookie), false)
  t.equal(await enters(second.cookie), true)
})

t.test('a wrong password changes no session and gives none', async t => {
  const first = await signInWith([])
  const wrong = await signInWith([first.cookie], 'alice', 'wrong')
  t.equal(wrong.status, 401)
  t.equal(wrong.line, '')
  t.equal(await enters(first.cookie), true)
})

t.test('the cookie has every attribute, no Domain, and 256 bits that never come twice', async t => {
  const seen = new Set<string>()
  for (let round = 0; round < 3; round++) {
    const { line } = await signInWith([])
    const [pair = '', ...attributes] = line.split('; ')
    t.match(pair, /^__Host-sallyport=[\w-]{43}$/)
    t.same(new Set(attributes), new Set(['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax']))
    seen.add(pair)
  }
  t.equal(seen.size, 3)
})

t.test('the form cookie is as well kept, and proves nobody', async t => {
  const form = await gateway.ask('/-/login')
  const [line = ''] = form.cookies
  const [pair = '', ...attributes] = line.split('; ')
  t.match(pair, /^__Host-sallyport-pre=[\w-]{43}$/)
  t.same(new Set(attributes), new Set(['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax']))
  t.equal(await enters(pair), false)
  t.equal(await enters(pair.replace('-pre', '')), false)
})

t.test('a field that comes twice, or a second name, signs nobody in', async t => {
  const form = await gateway.ask('/-/login')
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const cookie = form.cookies.map(one => one.split(';')[0]).join('; ')
  const { status, cookies } = await gateway.ask('/-/login', {
    method: 'POST',
    cookie,
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    body: `name=mallory&name=alice&password=battery+staple&token=${token}`,
  })
  t.equal(status, 415)
  t.same(cookies, [])
  await stillAnswers(t, gateway)
})
