// S08: a cookie that is not exactly one live session of ours is as good as none (CVE-2026-25748).
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { basic, head, statuses, stillAnswers, talk } from './raw-request.ts'

const upstream = await startUpstream(t)
const yaml = `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`
const accounts = { alice: { password: 'correct horse', groups: ['radiology'] } }
const gateway = await startTestGateway(t, { accounts, yaml })
const session = await gateway.signIn('alice', 'correct horse')
const [name = '', id = ''] = session.split('=')
const random = () => randomBytes(32).toString('base64url')

const broken: Readonly<Record<string, string>> = {
  'no value': `${name}=`,
  'no equals sign': name,
  'a random id': `${name}=${random()}`,
  'our id with a character more': `${session}x`,
  'our id with a character less': session.slice(0, -1),
  'our id in capitals': `${name}=${id.toUpperCase()}`,
  'our id in quotes': `${name}="${id}"`,
  'our id percent-encoded': `${name}=${id.replace(/^./, char => `%${char.charCodeAt(0).toString(16)}`)}`,
  'our id with a blank in it': `${name}=${id.slice(0, 5)} ${id.slice(5)}`,
  'our id behind another equals sign': `${name}==${id}`,
  'our id twice': `${session}; ${session}`,
  'our id and another': `${session}; ${name}=${random()}`,
  'our id and an empty one': `${session}; ${name}=`,
  'another spelling of the name': session.toLowerCase(),
  'a name without its prefix': `sallyport=${id}`,
  'a name with another prefix': `__Secure-sallyport=${id}`,
  'a comma where a semicolon belongs': `a=b, ${session}`,
  'the name as a value': `a=${session}`,
  SQL: `${name}=' or '1'='1' --`,
  __proto__: `${name}=__proto__; __proto__=${id}`,
  'eight kilobytes': `${name}=${'a'.repeat(8_192)}`,
  'forty kilobytes of others': Array.from({ length: 2_000 }, (_, at) => `c${at}=aaaaaaaaaaaa`).join('; '),
}

t.test('the unbroken one proves who it is', async t => {
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    t.equal((await gateway.ask('/x', { cookie: session, protocol })).status, 200)
    t.equal(upstream.received.at(-1)?.header('x-remote-user'), 'alice')
  }
})

for (const [title, cookie] of Object.entries(broken)) {
  if (cookie === session) continue
  t.test(`a cookie with ${title} is as good as none`, async t => {
    const from = upstream.received.length
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      t.equal((await gateway.ask('/x', { cookie, protocol })).status, 401)
      const person = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }
      const { status, headers } = await gateway.ask('/x', { cookie, protocol, headers: person })
      t.match({ status, location: headers['location'] }, { status: 303, location: '/-/login?next=%2Fx' })
    }
    t.equal(upstream.received.length, from, 'nothing arrived')
    t.equal(
      (await gateway.ask('/x', { cookie, basic: 'alice:correct horse' })).status,
      200,
      'another proof still counts',
    )
  })
}

t.test('two lines of Cookie are one list', async t => {
  const from = upstream.received.length
  const twice = head(gateway, 'GET /x HTTP/1.1', [`Cookie: ${session}`, `Cookie: ${name}=${random()}`])
  t.same(statuses((await talk(gateway, twice, { until: '\r\n\r\n' })).text), [401])
  const crumbs = { protocol: 'HTTP/2' as const, headers: { cookie: [session, `${name}=${random()}`] } }
  t.equal((await gateway.ask('/x', crumbs)).status, 401)
  t.equal(upstream.received.length, from, 'nothing arrived')
  const once = head(gateway, 'GET /x HTTP/1.1', ['Cookie: a=b', `Cookie: ${session}`])
  t.same(statuses((await talk(gateway, once, { until: 'upstream"}' })).text), [200])
})

t.test('bytes that are no text in a cookie bring nothing down', async t => {
  for (const value of ['\xff\xfe', '\x80', 'a\x01b', '\u00e9'.repeat(43)]) {
    const { text } = await talk(gateway, head(gateway, 'GET /x HTTP/1.1', [`Cookie: ${name}=${value}`]), {
      until: '\r\n\r\n',
    })
    t.match(statuses(text)[0], /40[01]/)
  }
  await stillAnswers(t, gateway)
})

t.test('a session of another gateway is nobody’s here', async t => {
  const other = await startTestGateway(t, { accounts, yaml })
  const foreign = await other.signIn('alice', 'correct horse')
  t.equal((await gateway.ask('/x', { cookie: foreign })).status, 401)
  t.equal((await other.ask('/x', { cookie: session })).status, 401)
  t.equal((await other.ask('/x', { cookie: foreign })).status, 200)
})

t.test('an id in the query or in a header is no cookie', async t => {
  t.equal((await gateway.ask(`/x?${name}=${id}`)).status, 401)
  t.equal(
    (await gateway.ask('/x', { headers: { [name.toLowerCase()]: id, authorization: `Bearer ${id}`, 'x-session': id } }))
      .status,
    401,
  )
  const bytes = head(gateway, 'GET /x HTTP/1.1', [`Cookie : ${session}`, basic('alice:correct horse')])
  t.same(statuses((await talk(gateway, bytes, { until: '\r\n\r\n' })).text), [400])
})
