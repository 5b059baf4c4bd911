// S01: whatever a client sends under the names of our headers, in whatever spelling, an upstream sees only ours, once.
import { connect } from 'node:http2'
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import type { Received } from '../fixture/received.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, upgradeEcho } from '../fixture/upstream-answers.ts'
import { pseudo, talkHttp2 } from './raw-http2.ts'
import { basic, folded, head, statuses, stillAnswers, talk, valuesOf, webSocketLines } from './raw-request.ts'

const upstream = await startUpstream(t, request =>
  request.header('upgrade') === undefined ? json({ from: 'upstream' }) : upgradeEcho(),
)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology', 'on-call'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: authenticated }
  - { path: /open, upstream: app, access: everyone }
`,
})

const always = ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'Forwarded', 'X-Request-Id']
const identity = ['X-Remote-User', 'X-Remote-Groups', 'X-Remote-Proof']

/** CGI, WSGI and others make one variable of all of these. */
const spellings = (name: string): string[] => [
  name,
  name.toUpperCase(),
  name.toLowerCase(),
  name.replaceAll('-', '_'),
  name.replace('-', '_'),
  name.toUpperCase().replaceAll('-', '_'),
  name.replaceAll('-', '.'),
  name.replaceAll('-', '~'),
]
const spoofs = [...always, ...identity].flatMap(spellings)

function onlyOurs(t: Test, request: Received | undefined, isAlice: boolean): void {
  if (request === undefined) {
    t.fail('nothing arrived')
    return
  }
  for (const name of always) t.equal(valuesOf(request, name).length, 1, `${name} is there once`)
  t.same(valuesOf(request, 'X-Remote-User'), isAlice ? ['alice'] : [])
  t.same(valuesOf(request, 'X-Remote-Groups'), isAlice ? ['radiology,on-call'] : [])
  t.same(valuesOf(request, 'X-Remote-Proof'), isAlice ? ['password'] : [])
  t.notMatch(request.rawHead, /evil/, 'nothing of what was sent under these names is left')
  t.same(valuesOf(request, 'X-Forwarded-For'), ['127.0.0.1'])
  t.same(valuesOf(request, 'X-Forwarded-Host'), [`localhost:${gateway.port}`])
}

const who = [
  { path: '/who', lines: [basic('alice:correct horse')], isAlice: true },
  { path: '/open', lines: [], isAlice: false },
]

for (const { path, lines, isAlice } of who) {
  const whose = isAlice ? 'who is signed in' : 'a stranger'

  t.test(`over HTTP/1.1 ${whose} cannot add to our headers (CVE-2025-64484)`, async t => {
    for (const values of [['evil'], ['evil', 'evil2'], ['', 'evil'], ['evil\t'], ['evil  \t ']]) {
      const sent = spoofs.flatMap(name => values.map(value => `${name}: ${value}`))
      // The gateway takes 200 headers at once.
      for (let at = 0; at < sent.length; at += 150) {
        const bytes = head(gateway, `GET ${path} HTTP/1.1`, [...lines, ...sent.slice(at, at + 150)])
        t.same(statuses((await talk(gateway, bytes, { until: 'upstream"}' })).text), [200])
        onlyOurs(t, upstream.received.at(-1), isAlice)
      }
    }
  })

  t.test(`over HTTP/2 ${whose} cannot add to our headers`, async t => {
    for (const headers of [
      Object.fromEntries(spoofs.map(name => [name.toLowerCase(), 'evil'])),
      Object.fromEntries(spoofs.map(name => [name.toLowerCase(), ['evil', 'evil2']])),
    ]) {
      const asked = { protocol: 'HTTP/2' as const, headers, ...(isAlice && { basic: 'alice:correct horse' }) }
      t.equal((await gateway.ask(path, asked)).status, 200)
      onlyOurs(t, upstream.received.at(-1), isAlice)
    }
  })

  t.test(`on a WebSocket handshake ${whose} cannot add to our headers`, async t => {
    const sent = spoofs.map(name => `${name}: evil`)
    const bytes = head(gateway, `GET ${path} HTTP/1.1`, [...webSocketLines, ...lines, ...sent])
    t.same(statuses((await talk(gateway, bytes, { until: '\r\n\r\n' })).text), [101])
    onlyOurs(t, upstream.received.at(-1), isAlice)
  })

  t.test(`in trailers ${whose} cannot add to our headers`, async t => {
    const trailers = spoofs.map(name => `${name}: evil\r\n`).join('')
    const lengthy = [...lines, 'Transfer-Encoding: chunked', 'Trailer: X-Remote-User, X-Remote-Groups', 'TE: trailers']
    const bytes = `${head(gateway, `POST ${path} HTTP/1.1`, lengthy)}3\r\nabc\r\n0\r\n${trailers}\r\n`
    t.same(statuses((await talk(gateway, bytes, { until: 'upstream"}' })).text), [200])
    const request = upstream.received.at(-1)
    onlyOurs(t, request, isAlice)
    t.same(request?.trailers, [])
    t.equal(request?.body.toString(), 'abc')
  })
}

t.test('in trailers of HTTP/2 nobody can add to our headers', async t => {
  const session = connect(gateway.url, {
    ca: gateway.authority.caPem,
    lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
  })
  try {
    const stream = session.request({ ':method': 'POST', ':path': '/open' }, { waitForTrailers: true, endStream: false })
    stream.on('wantTrailers', () =>
      stream.sendTrailers(Object.fromEntries(spoofs.map(name => [name.toLowerCase(), 'evil']))),
    )
    stream.end('abc')
    await Array.fromAsync(stream)
    const request = upstream.received.at(-1)
    onlyOurs(t, request, false)
    t.same(request?.trailers, [])
    t.equal(request?.body.toString(), 'abc')
  } finally {
    session.destroy()
  }
})

t.test('a blank or a tab before the colon is no way to spell a name', async t => {
  const from = upstream.received.length
  for (const name of [...always, ...identity]) {
    for (const blank of [' ', '\t', ' \t']) {
      const { text } = await talk(gateway, head(gateway, 'GET /open HTTP/1.1', [`${name}${blank}: evil`]), {
        timeout: 500,
        until: '\r\n\r\n',
      })
      t.same(statuses(text), [400], JSON.stringify(name + blank))
    }
  }
  // A line that begins with a blank would go on with the line before it.
  const folding = await talk(gateway, head(gateway, 'GET /open HTTP/1.1', ['X-Mine: a', ' X-Remote-User: evil']), {
    timeout: 500,
    until: '\r\n\r\n',
  })
  t.same(statuses(folding.text), [400])
  await stillAnswers(t, gateway)
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('names that HTTP/2 does not allow arrive nowhere as ours', async t => {
  const from = upstream.received.length
  for (const name of [
    'X-Remote-User',
    'x-remote-user ',
    ' x-remote-user',
    'x-remote-user\t',
    'x-remote-user:',
    'x-mine\r\nx-remote-user',
    'x-remote-user\0',
    '',
  ]) {
    const { came } = await talkHttp2(gateway, [...pseudo(gateway, 'GET', '/open'), [name, 'evil']])
    t.match(came, /reset|goaway|end|answer/, `${JSON.stringify(name)}: ${came}`)
  }
  for (const value of ['evil\r\nx-remote-user: evil', 'evil\nx-remote-user: evil', 'evil\0']) {
    const { came } = await talkHttp2(gateway, [...pseudo(gateway, 'GET', '/open'), ['x-mine', value]])
    t.match(came, /reset|goaway|end|answer/, `${JSON.stringify(value)}: ${came}`)
  }
  await stillAnswers(t, gateway)
  for (const request of upstream.received.slice(from)) {
    const names = request.rawHeaders.map(([name]) => folded(name))
    t.notOk(names.includes('x-remote-user'))
  }
  t.same(upstream.malformed, [])
})

t.test('the request id is ours, whatever came', async t => {
  const answer = await gateway.ask('/open', { headers: { 'x-request-id': 'mine' } })
  t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/)
  t.equal(upstream.received.at(-1)?.header('x-request-id'), answer.headers['x-request-id'])
})
