// L03: signing out ends the session on the server: other tabs, open downloads, open WebSockets, and those that are just
// being opened. No page of ours stays in a cache.
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import type { RawTls } from '../fixture/raw-tls.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, trickle, upgradeEcho } from '../fixture/upstream-answers.ts'
import { head, openRaw, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

let opening: Promise<unknown> = Promise.resolve()
const upstream = await startUpstream(t, async request => {
  if (request.header('upgrade') !== undefined) {
    await opening
    return upgradeEcho()
  }
  return request.target === '/slow' ? trickle('x'.repeat(100), 100) : json({ from: 'upstream' })
})
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
})

async function signOut(session: string, headers: Record<string, string> = { origin: gateway.url }) {
  const form = await gateway.ask('/-/logout', { cookie: session, headers: { 'sec-fetch-mode': 'navigate' } })
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const pre = form.cookies.map(line => line.split(';')[0])
  return await gateway.ask('/-/logout', {
    method: 'POST',
    cookie: [session, ...pre].join('; '),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams({ token }).toString(),
  })
}

async function openWebSocket(session: string): Promise<RawTls> {
  const line = await openRaw(gateway)
  t.teardown(() => line.close())
  await line.write(
    head(gateway, 'GET /ws HTTP/1.1', [...webSocketLines, `Cookie: ${session}`, `Origin: ${gateway.url}`]),
  )
  return line
}
/** Says goodbye, waits for the answer and hangs up. */
t.test('the session is gone for every tab, and the cookie is taken away', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  const { status, headers, cookies } = await signOut(session)
  t.match({ status, location: headers['location'] }, { status: 303, location: '/-/login?signed-out' })
  t.ok(cookies.some(line => /^__Host-sallyport=; Path=\/; Max-Age=0; Secure; HttpOnly; SameSite=Lax$/.test(line)))
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const)
    t.equal((await gateway.ask('/x', { cookie: session, protocol })).status, 401)
})

t.test('an open WebSocket is closed', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  const line = await openWebSocket(session)
  t.same(statuses((await line.read({ until: '\r\n\r\n' })).text), [101])
  await signOut(session)
  const { text } = await line.read({ until: 'ended', timeout: 2_000 })
  t.match(text, /\x88.\x03\xf0the session has ended$/, 'with 1008 and a reason')
  await line.write(Buffer.of(0x88, 0x80, 0, 0, 0, 0))
  t.equal((await line.read({ timeout: 1_000 })).ended, 'end')
})

t.test('a WebSocket that the upstream would accept only after signing out is never opened', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  const { promise, resolve } = Promise.withResolvers<void>()
  opening = promise
  const from = upstream.received.length
  const line = await openWebSocket(session)
  while (upstream.received.length === from) await pause(5)
  await signOut(session)
  resolve()
  t.match(await line.read({ timeout: 2_000 }), { text: '', ended: /end|error/ }, 'no tunnel outlives its session')
})

t.test('a download under way is cut', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  const answer = await gateway.open('/slow', { cookie: session })
  answer.resume()
  const cut = once(answer, 'error')
  await signOut(session)
  const [fault] = await cut
  t.equal(Object(fault).code, 'ECONNRESET')
  t.equal(answer.complete, false, 'nobody takes it for a whole one')
})

t.test('another session of the same person goes on', async t => {
  const [first, second] = [
    await gateway.signIn('alice', 'correct horse'),
    await gateway.signIn('alice', 'correct horse'),
  ]
  const line = await openWebSocket(second)
  await line.read({ until: '\r\n\r\n' })
  await signOut(first)
  t.match(await line.read({ timeout: 200 }), { ended: 'timeout', text: '' })
  t.equal((await gateway.ask('/x', { cookie: second })).status, 200)
})

t.test('signing out takes POST, our origin and our token', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const [ask, status] of [
    [{}, 200],
    [{ method: 'POST', headers: form, body: '' }, 403],
    [{ method: 'POST', headers: { ...form, origin: gateway.url }, body: 'token=x' }, 403],
    [{ method: 'POST', headers: { ...form, origin: 'https://evil.example' }, body: 'token=x' }, 403],
    [{ method: 'POST', headers: { ...form, 'sec-fetch-site': 'cross-site' }, body: 'token=x' }, 403],
    [{ method: 'DELETE' }, 405],
  ] as const) {
    t.equal((await gateway.ask('/-/logout', { cookie: session, ...ask })).status, status)
  }
  t.equal((await signOut(session, { origin: 'https://evil.example' })).status, 403)
  t.equal((await signOut(session, { 'sec-fetch-site': 'same-site' })).status, 403)
  t.equal((await gateway.ask('/x', { cookie: session })).status, 200, 'still signed in')
})

t.test('the back button finds no page of ours', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  for (const path of ['/-/login', '/-/logout', '/-/home']) {
    t.equal((await gateway.ask(path, { cookie: session })).headers['cache-control'], 'no-store', path)
  }
  t.equal((await gateway.ask('/x', { cookie: session })).headers['cache-control'], 'private, no-store')
  const { text } = await talk(gateway, head(gateway, 'GET /-/home HTTP/1.1', [`Cookie: ${session}`]), {
    until: '</html>',
  })
  t.match(text, 'Welcome, alice')
  await stillAnswers(t, gateway)
})
