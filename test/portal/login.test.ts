// Signing in and out: new ids, forms of our own only, nothing told to who guesses.
import t from 'tap'
import { Fault } from '../../src/kernel/fault.ts'
import { alicesPassword, hiddenFields, Surfer, startHouse } from './portal-house.ts'

const sessionLine = /^__Host-sallyport=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/
const clearLine = (name: string) => `${name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax`

t.test('name and password open a session, and lead to where one wanted to go', async t => {
  const house = await startHouse(t)
  const alice = new Surfer(house)
  const sent = await alice.visit('/viewer?StudyInstanceUIDs=1.2.3')
  t.equal(sent.status, 303)
  t.equal(sent.headers['location'], '/-/login?next=%2Fviewer%3FStudyInstanceUIDs%3D1.2.3')

  const answer = await alice.signIn('alice', alicesPassword, sent.headers['location'])
  t.equal(answer.status, 303)
  t.equal(answer.headers['location'], '/viewer?StudyInstanceUIDs=1.2.3')
  t.equal(answer.headers['cache-control'], 'no-store')
  t.equal(answer.cookies.length, 1)
  t.match(answer.cookies[0], sessionLine)
  t.equal((await alice.visit('/viewer')).text, 'upstream for alice')
  t.same(house.asked, [['alice', alicesPassword, '127.0.0.1']])
  t.match(house.events, [
    { kind: 'login', who: { name: 'alice', realm: 'local', proof: 'password' }, address: '127.0.0.1' },
  ])
})

t.test('every page of ours has the headers that keep it safe', async t => {
  const house = await startHouse(t)
  const { status, headers, cookies } = await new Surfer(house).visit('/-/login')
  t.equal(status, 200)
  t.match(headers, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    'cache-control': 'no-store',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'x-request-id': /^[0-9a-f-]{36}$/,
  })
  t.match(cookies, [/^__Host-sallyport-pre=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/])
})

t.test('a session id from before signing in is worth nothing afterwards', async t => {
  const house = await startHouse(t)
  const alice = new Surfer(house)
  alice.jar.set('__Host-sallyport', 'a'.repeat(43))
  await alice.signIn('alice')
  const first = alice.jar.get('__Host-sallyport')
  t.not(first, 'a'.repeat(43))

  await alice.signIn('root')
  const second = alice.jar.get('__Host-sallyport')
  t.not(second, first)
  t.same(
    house.sessions.list().map(({ name }) => name),
    ['root'],
    'signing in again ends the session before',
  )
  t.equal(house.sessions.find(first ?? ''), undefined)
})

t.test('nobody comes in as an account that was changed between the check of the password and the session', async t => {
  const house = await startHouse(t)
  const answer = await new Surfer(house).signIn('changed')
  t.equal(answer.status, 401)
  t.same(
    answer.cookies.filter(line => line.startsWith('__Host-sallyport=')),
    [],
  )
  t.same(house.sessions.list(), [])
  t.match(house.events, [{ kind: 'login-refused', claimed: 'changed', detail: /changed while/ }])
})

t.test('a wrong password keeps the name, shows one plain sentence, and tells nothing else', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house)
  const wrong = await surfer.signIn('alice', 'hunter2')
  const unknown = await surfer.signIn('zoe', 'hunter2')
  t.equal(wrong.status, 401)
  t.equal(wrong.headers['www-authenticate'], undefined, 'a browser gets no password dialog')
  t.match(wrong.text, 'User name or password is wrong, or the account is locked.')
  t.match(wrong.text, 'name="name" value="alice"')
  t.notMatch(wrong.text, 'hunter2')
  const anonymous = (text: string) => text.replaceAll(/alice|zoe/g, 'NAME')
  t.equal(anonymous(wrong.text), anonymous(unknown.text))
  t.match(house.events, [
    { kind: 'login-refused', claimed: 'alice', reason: 'wrong-credentials' },
    { kind: 'login-refused', claimed: 'zoe' },
  ])
  t.same(house.sessions.list(), [])
})

t.test('who tries too often is told when to come back', async t => {
  const house = await startHouse(t)
  const answer = await new Surfer(house).signIn('many')
  t.equal(answer.status, 429)
  t.equal(answer.headers['retry-after'], '43')
  t.match(answer.text, 'Too many failed attempts')
  t.match(answer.text, 'It will be possible again in 1 min.')
})

t.test('whose password was right, and has expired or must be changed, is told so', async t => {
  const house = await startHouse(t)
  for (const [name, sentence] of [
    ['expired', 'Your password is right, but it has expired. Set a new one where your organisation lets you'],
    ['new', 'Your password is right, but it must be changed before it opens anything. Set a new one'],
  ] as const) {
    const answer = await new Surfer(house).signIn(name)
    t.equal(answer.status, 401)
    t.match(answer.text, sentence)
    t.same(
      answer.cookies.filter(line => sessionLine.test(line)),
      [],
    )
  }
  t.match(house.events, [{ reason: 'password-expired', detail: 'data 532' }, { reason: 'password-must-change' }])
})

t.test('what the directory says of a password is shown before one goes on', async t => {
  const house = await startHouse(t)
  for (const [name, sentence] of [
    ['ending', 'Your password will expire in 3 days.'],
    ['grace', 'Your password has expired. You can sign in with it 2 more times.'],
    ['last-grace', 'this was the last time that you could sign in with it.'],
  ] as const) {
    const surfer = new Surfer(house)
    const answer = await surfer.signIn(name, alicesPassword, '/-/login?next=%2Fviewer%3Fa%3D1%26b%3D2')
    t.equal(answer.status, 200)
    t.match(answer.text, sentence)
    t.match(answer.text, '<a class="button full" href="/viewer?a=1&amp;b=2">Continue</a>')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.ok(answer.cookies.some(line => sessionLine.test(line)))
    t.equal((await surfer.visit('/viewer')).text, `upstream for ${name}`)
  }
  const evil = await new Surfer(house).signIn('ending', alicesPassword, '/-/login?next=%2F%2Fevil.example')
  t.match(evil.text, 'href="/-/home">Continue')
})

t.test('a broken directory is a 503 that says so and names no address', async t => {
  const house = await startHouse(t)
  const answer = await new Surfer(house).signIn('directory-down')
  t.equal(answer.status, 503)
  t.match(answer.text, 'the directory does not answer')
  t.match(answer.text, 'href="/-/login"')
  t.notMatch(answer.text, /10\.1\.2\.3|ldaps/)
})

t.test('a form of another site is refused', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house)
  const fields = { ...hiddenFields((await surfer.visit('/-/login')).text), name: 'alice', password: alicesPassword }
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: house.url.replace('https:', 'http:') },
    { origin: house.url.replace(/:\d+$/, ':1') },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]
  for (const headers of foreign) {
    const answer = await surfer.send('/-/login', fields, headers)
    t.equal(answer.status, 403, JSON.stringify(headers))
    t.match(answer.text, 'another web site')
  }
  t.same(house.asked, [], 'no password was tried')
})

t.test('a form without our token, or with somebody else’s, signs nobody in', async t => {
  const house = await startHouse(t)
  const [surfer, other] = [new Surfer(house), new Surfer(house)]
  const { token = '' } = hiddenFields((await surfer.visit('/-/login')).text)
  const { token: foreign = '' } = hiddenFields((await other.visit('/-/login')).text)
  t.not(token, foreign)
  for (const wrong of ['', foreign, `${token}x`, token.slice(1), token.toUpperCase()]) {
    const answer = await surfer.send('/-/login', { token: wrong, name: 'alice', password: alicesPassword })
    t.equal(answer.status, 403)
    t.match(answer.text, 'Please try again')
    t.match(answer.text, 'value="alice"')
  }
  const bare = new Surfer(house)
  t.equal((await bare.send('/-/login', { token, name: 'alice', password: alicesPassword })).status, 403, 'no cookie')
  t.same(house.asked, [])
  t.equal((await surfer.send('/-/login', { token, name: 'alice', password: alicesPassword })).status, 303)
})

t.test('what is no small form is refused before it is read', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house)
  const { token = '' } = hiddenFields((await surfer.visit('/-/login')).text)
  const fields = { token, name: 'alice', password: alicesPassword }
  t.equal((await surfer.send('/-/login', { ...fields, filler: 'x'.repeat(9000) })).status, 413)
  t.equal((await surfer.send('/-/login', fields, { 'content-type': 'application/json' })).status, 415)
  t.equal((await surfer.send('/-/login', fields, { 'content-type': 'multipart/form-data; boundary=x' })).status, 415)
  t.equal((await surfer.send('/-/login', fields, { 'content-type': 'text/plain' })).status, 415)
  const body = `${new URLSearchParams(fields)}&name=root`
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: house.url }
  t.equal((await surfer.visit('/-/login', { method: 'POST', headers, body })).status, 415, 'a name that comes twice')
  t.same(house.asked, [])
})

t.test('only local paths are gone to', async t => {
  const house = await startHouse(t)
  for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', '/..//evil.example', '']) {
    const surfer = new Surfer(house)
    const answer = await surfer.signIn('alice', alicesPassword, `/-/login?next=${encodeURIComponent(next)}`)
    t.equal(answer.headers['location'], '/-/home')
    const fields = {
      ...hiddenFields((await surfer.visit('/-/login')).text),
      next,
      name: 'alice',
      password: alicesPassword,
    }
    t.equal((await surfer.send('/-/login', fields)).headers['location'], '/-/home', 'nor by a field that was changed')
  }
})

t.test('what was typed is shown as text', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house)
  const name = '"><script>alert(1)</script>'
  const answer = await surfer.signIn(name, 'x', `/-/login?next=${encodeURIComponent('/a?"><script>')}`)
  t.equal(answer.status, 401)
  t.notMatch(answer.text, '<script')
  await surfer.signIn('<b>eve</b> & "co"')
  const home = await surfer.visit('/-/home')
  t.match(home.text, '&lt;b&gt;eve&lt;/b&gt; &amp; &quot;co&quot;')
  t.match(home.text, '&lt;i&gt;group&lt;/i&gt;')
  t.notMatch(home.text, /<b>eve|<i>group/)
})

t.test('signing out ends the session on the server, takes the cookies away, and leaves the mark', async t => {
  const house = await startHouse(t)
  const alice = new Surfer(house)
  await alice.signIn('alice')
  const stolen = alice.jar.get('__Host-sallyport') ?? ''
  const answer = await alice.send('/-/logout', hiddenFields((await alice.visit('/-/logout')).text))
  t.equal(answer.status, 303)
  t.equal(answer.headers['location'], '/-/login?signed-out')
  t.same(
    answer.cookies.toSorted(),
    [
      '__Host-sallyport-out=1; Path=/; Secure; HttpOnly; SameSite=Lax',
      clearLine('__Host-sallyport-pre'),
      clearLine('__Host-sallyport'),
    ].toSorted(),
  )
  t.equal(house.sessions.find(stolen), undefined)
  t.match(house.events.at(-1), { kind: 'logout', who: { name: 'alice', proof: 'session' } })
  t.match((await alice.visit('/-/login?signed-out')).text, 'You are signed out.')
  t.equal((await alice.visit('/viewer')).status, 303)

  await alice.signIn('alice')
  t.equal(alice.jar.has('__Host-sallyport-out'), false, 'signing in takes the mark away')
})

t.test('nobody is signed out by another site, by a link, or by a form without our token', async t => {
  const house = await startHouse(t)
  const alice = new Surfer(house)
  await alice.signIn('alice')
  const fields = hiddenFields((await alice.visit('/-/home')).text)
  t.match(fields, { token: /^[\w-]{43}$/ })
  t.equal((await alice.send('/-/logout', fields, { origin: 'https://evil.example' })).status, 403)
  t.equal((await alice.send('/-/logout', fields, { 'sec-fetch-site': 'cross-site' })).status, 403)
  t.equal((await alice.send('/-/logout', { token: 'x' })).status, 403)
  t.match((await alice.visit('/-/logout')).text, 'Sign out?')
  t.equal(house.sessions.list().length, 1)
  t.equal((await alice.send('/-/logout', fields)).status, 303)
  t.same(house.sessions.list(), [])
})

t.test('after signing out a certificate enters only by "Continue as"', async t => {
  const house = await startHouse(t)
  const scanner = new Surfer(house, await house.authority.client('ct-scanner-1'))
  t.equal((await scanner.visit('/viewer')).text, 'upstream for ct-scanner-1')

  await scanner.send('/-/logout', hiddenFields((await scanner.visit('/-/home')).text))
  t.equal((await scanner.visit('/viewer')).status, 303)
  const page = await scanner.visit('/-/login?next=/viewer')
  t.match(page.text, 'Continue as ct-scanner-1')

  const first = page.text.slice(page.text.indexOf('<form'), page.text.indexOf('</form'))
  t.match(hiddenFields(first), { action: 'certificate', next: '/viewer' })
  const answer = await scanner.send('/-/login', hiddenFields(first))
  t.equal(answer.status, 303)
  t.equal(answer.headers['location'], '/viewer')
  t.same(answer.cookies, [clearLine('__Host-sallyport-out')])
  t.equal((await scanner.visit('/viewer')).text, 'upstream for ct-scanner-1')
  t.match(house.events.at(-1), {
    kind: 'login',
    who: { name: 'ct-scanner-1', realm: 'certificate', proof: 'certificate' },
  })
})

t.test('"Continue as" ends the session that outranks the certificate', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house, await house.authority.client('ct-scanner-1'))
  await surfer.signIn('alice')
  t.equal((await surfer.visit('/viewer')).text, 'upstream for alice')
  const { token = '' } = hiddenFields((await surfer.visit('/-/login')).text)
  await surfer.send('/-/login', { token, action: 'certificate' })
  t.equal((await surfer.visit('/viewer')).text, 'upstream for ct-scanner-1')
  t.same(house.sessions.list(), [])
})

t.test('"Continue" without a certificate lets nobody in', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house)
  const { token = '' } = hiddenFields((await surfer.visit('/-/login')).text)
  const answer = await surfer.send('/-/login', { token, action: 'certificate' })
  t.equal(answer.status, 401)
  t.match(answer.text, 'No certificate came')
})

t.test('a certificate that was refused is explained on the login page', async t => {
  const house = await startHouse(t)
  const expired = await house.authority.client('old-node', { now: new Date(Date.now() - 90 * 86_400_000), days: 30 })
  const { status, text } = await new Surfer(house, expired).visit('/-/login')
  t.equal(status, 200)
  t.match(text, 'Your certificate has expired. You can sign in with your name and password instead.')
  t.notMatch(text, 'Continue as')
})

t.test('nobody is signed in when it cannot be recorded', async t => {
  const audit = async () => {
    throw new Fault('audit-unavailable')
  }
  const house = await startHouse(t, { audit })
  const answer = await new Surfer(house).signIn('alice')
  t.equal(answer.status, 503)
  t.same(answer.cookies, [])
  t.same(house.sessions.list(), [])
})
