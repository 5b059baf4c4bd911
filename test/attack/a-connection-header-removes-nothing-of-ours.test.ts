// S02: a client can name headers in Connection, and ours are put in afterwards.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, upgradeEcho } from '../fixture/upstream-answers.ts'
import { basic, head, statuses, stillAnswers, talk, valuesOf, webSocketKey } from './raw-request.ts'

const upstream = await startUpstream(t, request =>
  request.header('upgrade') === undefined ? json({ from: 'upstream' }) : upgradeEcho(),
)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  files: { secret: 'upstream-password' },
  yaml: `
upstreams:
  app: { kind: generic, url: "${upstream.url}", credentials: { username: gateway, password: { file: secret } }, headers: { X-Site: ours } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
})

const ours = {
  'x-forwarded-for': '127.0.0.1',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': `localhost:${gateway.port}`,
  'x-remote-user': 'alice',
  'x-remote-groups': 'radiology',
  'x-remote-proof': 'password',
  'x-site': 'ours',
  authorization: `Basic ${Buffer.from('gateway:upstream-password').toString('base64')}`,
  host: `localhost:${gateway.port}`,
}
const names = [...Object.keys(ours), 'forwarded', 'x-request-id', 'cookie', 'content-length', 'content-type']

const lists = {
  'one line': [`Connection: close, ${names.join(', ')}`],
  'a line for each': names.map(name => `Connection: ${name}`),
  capitals: [`CONNECTION: ${names.join(',').toUpperCase()}`],
  'blanks and empty members': [`Connection: ,, \t${names.join(' ,\t, ')} ,`],
}

for (const [title, lines] of Object.entries(lists)) {
  t.test(`our headers survive being named in Connection: ${title} (CVE-2024-45410, CVE-2025-48865)`, async t => {
    const sent = [
      ...lines,
      basic('alice:correct horse'),
      'Cookie: a=b',
      'Content-Length: 3',
      'Content-Type: text/plain',
    ]
    const { text } = await talk(gateway, `${head(gateway, 'POST /x HTTP/1.1', sent)}abc`, { until: 'upstream"}' })
    t.same(statuses(text), [200])
    const request = upstream.received.at(-1)
    if (request === undefined) throw new Error('nothing arrived')
    for (const [name, value] of Object.entries(ours)) t.same(valuesOf(request, name), [value], name)
    t.equal(valuesOf(request, 'forwarded').length, 1)
    t.equal(valuesOf(request, 'x-request-id').length, 1)
    t.same(valuesOf(request, 'cookie'), ['a=b'])
    t.match(request, { framing: 'length', complete: true })
    t.equal(request.body.toString(), 'abc')
  })
}

t.test('our headers survive on a WebSocket handshake', async t => {
  const sent = [
    `Connection: Upgrade, ${names.join(', ')}, Sec-WebSocket-Key`,
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${webSocketKey}`,
    basic('alice:correct horse'),
  ]
  // Without its key the handshake may fail; what arrives must be ours all the same.
  await talk(gateway, head(gateway, 'GET /x HTTP/1.1', sent), { until: '\r\n\r\n' })
  const request = upstream.received.at(-1)
  if (request === undefined) throw new Error('nothing arrived')
  t.equal(request.method, 'GET')
  for (const [name, value] of Object.entries(ours)) t.same(valuesOf(request, name), [value], name)
})

t.test('what is hop-by-hop goes no further, nor what Connection names', async t => {
  const sent = [
    'Connection: X-Secret-Hop',
    'X-Secret-Hop: 1',
    'Keep-Alive: 5',
    'Proxy-Connection: keep-alive',
    'TE: trailers',
    'Proxy-Authorization: Basic eA==',
  ]
  const { text } = await talk(gateway, head(gateway, 'GET /x HTTP/1.1', [...sent, basic('alice:correct horse')]), {
    until: 'upstream"}',
  })
  t.same(statuses(text), [200])
  const request = upstream.received.at(-1)
  if (request === undefined) throw new Error('nothing arrived')
  for (const name of [
    'x-secret-hop',
    'keep-alive',
    'proxy-connection',
    'te',
    'proxy-authorization',
    'trailer',
    'upgrade',
  ]) {
    t.same(valuesOf(request, name), [], name)
  }
  await stillAnswers(t, gateway)
})

t.test('over HTTP/2 connection headers are no part of a request', async t => {
  const from = upstream.received.length
  const { status } = await gateway.ask('/x', {
    protocol: 'HTTP/2',
    basic: 'alice:correct horse',
    headers: { te: 'trailers' },
  })
  t.equal(status, 200)
  const arrived = upstream.received.slice(from)
  t.equal(arrived.length, 1)
  t.same(
    arrived.flatMap(request => valuesOf(request, 'te')),
    [],
  )
})
