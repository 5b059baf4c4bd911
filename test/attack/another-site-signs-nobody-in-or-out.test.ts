// L04: a form of ours counts only from a page of ours, in the browser that we gave it to.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { mallory: { password: 'battery staple', groups: ['radiology'] } },
  yaml: `
cors: { origins: ["https://friend.example"] }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
})

const freshForm = async () => {
  const form = await gateway.ask('/-/login')
  return {
    token: /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? '',
    cookie: form.cookies.map(line => line.split(';')[0]).join('; '),
  }
}
type Wish = {
  token?: string
  cookie?: string
  headers?: Record<string, string | string[]>
  type?: string
  path?: string
  protocol?: 'HTTP/1.1' | 'HTTP/2'
}
async function post({
  token,
  cookie,
  headers = { origin: gateway.url },
  type = 'application/x-www-form-urlencoded',
  path = '/-/login',
  protocol = 'HTTP/1.1',
}: Wish) {
  const fields = { name: 'mallory', password: 'battery staple', ...(token === undefined ? {} : { token }) }
  return await gateway.ask(path, {
    method: 'POST',
    protocol,
    ...(cookie === undefined ? {} : { cookie }),
    headers: { 'content-type': type, ...headers },
    body: new URLSearchParams(fields).toString(),
  })
}
const session = (cookies: readonly string[]) => cookies.find(line => line.startsWith('__Host-sallyport='))

t.test('with token, cookie and origin it works, and without any Origin from a program too', async t => {
  for (const headers of [{ origin: gateway.url }, { 'sec-fetch-site': 'same-origin', origin: gateway.url }, {}]) {
    const { status, cookies } = await post({ ...(await freshForm()), headers })
    t.equal(status, 303)
    t.ok(session(cookies))
  }
})

const foreign: Readonly<Record<string, Record<string, string | string[]>>> = {
  'another origin': { origin: 'https://evil.example' },
  'a listed origin': { origin: 'https://friend.example' },
  'no origin at all (null)': { origin: 'null' },
  'an empty origin': { origin: '' },
  'our name over http': { origin: gateway.url.replace('https', 'http') },
  'our name on another port': { origin: 'https://localhost:1' },
  'a name that begins like ours': { origin: `${gateway.url}.evil.example` },
  'a sister name': { origin: `https://sister.localhost:${gateway.port}` },
  'two origins': { origin: [gateway.url, 'https://evil.example'] },
  'a fetch from another site': { 'sec-fetch-site': 'cross-site' },
  'a fetch from a sister site': { 'sec-fetch-site': 'same-site' },
  'a fetch from another site that says our origin': { origin: gateway.url, 'sec-fetch-site': 'cross-site' },
}
for (const [title, headers] of Object.entries(foreign)) {
  t.test(`a form with ${title} signs nobody in, though its token is right`, async t => {
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      const { status, cookies, text } = await post({ ...(await freshForm()), headers, protocol })
      t.equal(status, 403)
      t.equal(session(cookies), undefined)
      t.notMatch(text, 'Welcome')
    }
  })
}

t.test('a token of another browser, none, or one without its cookie, signs nobody in', async t => {
  const [mine, victims] = [await freshForm(), await freshForm()]
  for (const wish of [
    { token: mine.token, cookie: victims.cookie },
    { cookie: victims.cookie },
    { token: '', cookie: victims.cookie },
    { token: victims.token },
    { token: victims.token.slice(1), cookie: victims.cookie },
    { token: `${victims.token}x`, cookie: victims.cookie },
    { token: mine.token, cookie: `${mine.cookie}; ${victims.cookie}` },
    { token: mine.token, cookie: '__Host-sallyport-pre=' },
    { token: mine.token, cookie: `__Host-sallyport-pre=${'A'.repeat(43)}` },
  ]) {
    const { status, cookies } = await post(wish)
    t.equal(status, 403)
    t.equal(session(cookies), undefined)
  }
})

t.test('only a form is a form: types that another site can send without asking first are refused', async t => {
  for (const type of [
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/json',
    '',
    'application/x-www-form-urlencodedx',
    'text/plain; application/x-www-form-urlencoded',
  ]) {
    const { status, cookies } = await post({ ...(await freshForm()), type })
    t.equal(status, 415, type)
    t.equal(session(cookies), undefined)
  }
})

t.test('a link signs nobody in or out, whatever is in its query', async t => {
  const { token, cookie } = await freshForm()
  for (const path of [
    `/-/login?name=mallory&password=battery+staple&token=${token}`,
    `/-/login?_method=POST&token=${token}`,
  ]) {
    const { cookies } = await gateway.ask(path, { cookie, headers: { 'x-http-method-override': 'POST' } })
    t.equal(session(cookies), undefined)
  }
  const mallorys = await gateway.signIn('mallory', 'battery staple')
  for (const path of [`/-/logout?token=${token}`, '/-/logout?_method=POST']) {
    await gateway.ask(path, { cookie: `${mallorys}; ${cookie}`, headers: { 'x-http-method-override': 'POST' } })
  }
  t.equal((await gateway.ask('/x', { cookie: mallorys })).status, 200)
  await stillAnswers(t, gateway)
})

t.test('a certificate enters by "Continue as" only with the token too', async t => {
  const client = await gateway.authority.client('bob')
  const out = '__Host-sallyport-out=1'
  const { status } = await gateway.ask('/x', { client, cookie: out })
  t.equal(status, 401, 'after signing out it does not enter by itself')
  const forged = await gateway.ask('/-/login', {
    method: 'POST',
    client,
    cookie: out,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'action=certificate',
  })
  t.equal(forged.status, 403)
  t.notOk(
    forged.cookies.some(line => line.startsWith('__Host-sallyport-out=;')),
    'the mark stays',
  )
})
