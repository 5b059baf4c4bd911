// H16: `__proto__`, `constructor` and their like are names as any other, wherever names come from (CVE-2026-21710).
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'
import { head, statuses, stillAnswers, talk } from './raw-request.ts'

const words = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', '__defineGetter__', 'then']
const upstream = await startUpstream(t, () =>
  reply({
    headers: words.flatMap(word => [[word, 'a'] as const, ['Set-Cookie', `${word}=b`] as const]),
    body: 'whole',
  }),
)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['readers'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /closed, upstream: app, access: [{ groups: [readers], may: everything }] }
`,
})
const untouched = () => {
  const plain: Record<string, unknown> = {}
  return words.filter(word => Object.hasOwn(plain, word)).length === 0 && plain['polluted'] === undefined
}

t.test('H16: in headers, cookies and queries they arrive as they are', async t => {
  for (const word of words) {
    const from = upstream.received.length
    const lines = [`${word}: polluted`, `${word}: polluted`, `Cookie: ${word}=polluted; ${word}[polluted]=1`]
    const target = `/${word}/x?${word}=1&${word}[polluted]=1&${word}.polluted=1`
    const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`, lines), { until: 'whole' })
    t.same(statuses(text), [200], word)
    t.match(upstream.received.slice(from), [{ target }])
    const { rawHeaders } = upstream.received.at(-1) ?? { rawHeaders: [] }
    t.same(
      rawHeaders.filter(([name]) => name === word.toLowerCase()).map(([, value]) => value),
      ['polluted', 'polluted'],
    )
    t.equal(upstream.received.at(-1)?.header('cookie'), `${word}=polluted; ${word}[polluted]=1`)
    for (const name of words) t.match(text.toLowerCase(), `\r\n${name.toLowerCase()}: a\r\n`, 'and so does the answer')
  }
  t.ok(untouched())
})

t.test('H16: over HTTP/2 too', async t => {
  for (const word of words) {
    const headers = Object.fromEntries([[word.toLowerCase(), 'polluted']])
    const answer = await gateway.ask(`/${word}?${word}=1`, { protocol: 'HTTP/2', headers, cookie: `${word}=1` })
    t.match(answer, { status: 200, text: 'whole' }, word)
    t.equal(upstream.received.at(-1)?.header(word), 'polluted')
    t.same(answer.cookies.toSorted(), words.map(name => `${name}=b`).toSorted())
  }
  t.ok(untouched())
})

t.test('H16: in forms, credentials and cookies of ours they prove nobody, and break nothing', async t => {
  const from = upstream.received.length
  for (const word of words) {
    const body = new URLSearchParams({
      username: word,
      password: word,
      next: word,
      csrf: word,
      realm: word,
      [word]: '1',
    })
    const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url }
    const form = await gateway.ask('/-/login', { method: 'POST', headers, body: body.toString() })
    t.ok(form.status >= 200 && form.status < 500, `a form with ${word}: ${form.status}`)
    t.notOk(
      form.cookies.some(cookie => /^__Host-sallyport=[^;]/.test(cookie) && form.status === 303),
      'nobody is signed in',
    )
    t.equal((await gateway.ask('/closed/x', { basic: `${word}:${word}` })).status, 401, `Basic with ${word}`)
    t.equal((await gateway.ask('/closed/x', { cookie: `__Host-sallyport=${word}` })).status, 401, `a cookie of ${word}`)
    for (const name of ['authorization', 'range', 'origin', 'accept', 'accept-language', 'content-type'])
      t.match(
        String((await gateway.ask('/-/login', { headers: { [name]: word } })).status),
        /^(200|40\d)$/,
        `${name}: ${word}`,
      )
    t.ok((await gateway.ask(`/-/${word}`)).status < 500, `our own page ${word}`)
    t.ok((await gateway.ask(`/-/login?next=/${word}&${word}=1`)).status < 500)
  }
  t.equal((await gateway.ask('/closed/x', { basic: 'alice:correct horse' })).status, 200, 'who is somebody still is')
  t.equal(upstream.received.length, from + 1)
  t.ok(untouched())
  await stillAnswers(t, gateway)
  t.notOk(await within(100, () => gateway.log().some(({ fault }) => fault === 'bug')))
})
