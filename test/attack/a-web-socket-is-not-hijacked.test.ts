// L07: a WebSocket needs a proof before the upstream hears of it, and its Origin must be ours (CVE-2019-13209).
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, raw, upgradeEcho } from '../fixture/upstream-answers.ts'
import { acceptKey } from '../fixture/websocket-echo.ts'
import { basic, head, statuses, stillAnswers, talk, webSocketKey, webSocketLines } from './raw-request.ts'

let accept: string | undefined
const upstream = await startUpstream(t, request => {
  if (request.header('upgrade') === undefined) return json({ from: 'upstream' })
  if (accept === undefined) return upgradeEcho()
  return raw(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}\r\nsecret`)
})
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] }, carol: { password: 'correct horse' } },
  yaml: `
cors: { origins: ["https://friend.example"] }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: [{ groups: [radiology], may: read }, { people: [bob], may: read }] }
  - { path: /open, upstream: app, access: everyone }
`,
})
const session = await gateway.signIn('alice', 'correct horse')
const certificate = await gateway.authority.client('bob')
const bob = { cert: certificate.chainPem, key: certificate.keyPem }

async function gives(
  t: Test,
  status: number,
  path: string,
  lines: readonly string[],
  options: Parameters<typeof talk>[2] = {},
): Promise<void> {
  const from = upstream.received.length
  const { text } = await talk(gateway, head(gateway, `GET ${path} HTTP/1.1`, [...webSocketLines, ...lines]), {
    until: '\r\n\r\n',
    ...options,
  })
  t.same(statuses(text), [status], lines.join(' | '))
  t.equal(upstream.received.length - from, status === 101 ? 1 : 0, status === 101 ? 'it arrived' : 'nothing arrived')
}

t.test('without a proof, or with the wrong groups, the upstream hears nothing', async t => {
  await gives(t, 401, '/ws', [])
  await gives(t, 401, '/ws', [`Origin: ${gateway.url}`])
  await gives(t, 401, '/ws', [`Cookie: __Host-sallyport=${'A'.repeat(43)}`, `Origin: ${gateway.url}`])
  await gives(t, 401, `/ws?${session}`, [`Origin: ${gateway.url}`])
  await gives(t, 401, '/ws', [`Sec-WebSocket-Protocol: bearer, ${session.split('=')[1]}`, `Origin: ${gateway.url}`])
  await gives(t, 403, '/ws', [basic('carol:correct horse')])
})

const proofs = [
  { by: 'a session', lines: [`Cookie: ${session}`], options: {}, path: '/ws' },
  { by: 'Basic', lines: [basic('alice:correct horse')], options: {}, path: '/ws' },
  { by: 'a certificate', lines: [], options: bob, path: '/ws' },
  { by: 'nothing, on an open route', lines: [], options: {}, path: '/open' },
]
for (const { by, lines, options, path } of proofs) {
  t.test(`proved by ${by}: our origin or a listed one opens it, any other is 403`, async t => {
    await gives(t, 101, path, [...lines, `Origin: ${gateway.url}`], options)
    await gives(t, 101, path, [...lines, `Origin: ${gateway.url}`, 'Sec-Fetch-Site: same-origin'], options)
    await gives(t, 101, path, [...lines, 'Origin: https://friend.example', 'Sec-Fetch-Site: cross-site'], options)
    await gives(t, by === 'a session' ? 403 : 101, path, lines, options)
    for (const foreign of [
      ['Origin: https://evil.example'],
      ['Origin: null'],
      ['Origin:'],
      [`Origin: http://localhost:${gateway.port}`],
      ['Origin: https://localhost'],
      [`Origin: ${gateway.url}.evil.example`],
      [`Origin: ${gateway.url}`, 'Origin: https://evil.example'],
      [`Origin: ${gateway.url}, https://evil.example`],
      [`Origin: ${gateway.url}`, 'Sec-Fetch-Site: cross-site'],
      [`Origin: ${gateway.url}`, 'Sec-Fetch-Site: same-site'],
      ['Sec-Fetch-Site: cross-site'],
      ['Sec-Fetch-Site: same-site'],
      ['Sec-Fetch-Site: none', 'Sec-Fetch-Site: cross-site'],
    ]) {
      await gives(t, 403, path, [...lines, ...foreign], options)
    }
  })
}

t.test('a session’s cookie with another Host cannot make its own Origin ours', async t => {
  const from = upstream.received.length
  const lines = ['Host: localhost:1', 'Origin: https://evil.example', `Cookie: ${session}`]
  const { text } = await talk(gateway, head(gateway, 'GET /ws HTTP/1.1', [...webSocketLines, ...lines]), {
    until: '\r\n\r\n',
  })
  t.match(String(statuses(text)[0]), /403|421/)
  t.equal(upstream.received.length, from)
})

t.test('the accept key passes through, and messages do', async t => {
  const { text } = await talk(gateway, head(gateway, 'GET /open HTTP/1.1', [...webSocketLines]), { until: '\r\n\r\n' })
  t.match(text.toLowerCase(), `sec-websocket-accept: ${acceptKey(webSocketKey).toLowerCase()}`)
  const socket = new WebSocket(`wss://localhost:${gateway.port}/ws`, {
    ca: gateway.authority.caPem,
    headers: { cookie: session },
    origin: gateway.url,
    lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
  })
  const echoed = new Promise<string>((resolve, reject) => {
    socket.once('message', data => resolve(String(data)))
    socket.once('error', reject)
    socket.once('open', () => socket.send('hello'))
  })
  t.equal(await echoed, 'hello')
  socket.terminate()
})

t.test('an upstream that switches without the right key opens no tunnel', async t => {
  for (const line of [
    '',
    'Sec-WebSocket-Accept: wrong\r\n',
    `Sec-WebSocket-Accept: ${acceptKey('another')}\r\n`,
    `Sec-WebSocket-Accept: ${acceptKey(webSocketKey)}\r\nSec-WebSocket-Accept: x\r\n`,
  ]) {
    accept = line
    const { text } = await talk(gateway, head(gateway, 'GET /open HTTP/1.1', [...webSocketLines]))
    t.same(statuses(text), [502], JSON.stringify(line))
    t.notMatch(text, 'secret')
  }
  accept = undefined
  await stillAnswers(t, gateway)
})
