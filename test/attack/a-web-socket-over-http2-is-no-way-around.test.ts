// L07 over HTTP/2 (RFC 8441): an extended CONNECT is a WebSocket handshake that is judged as one, or it is nothing.
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { clientFrame, openSession, openWebSocket, serverFrames } from '../fixture/websocket-over-http2.ts'
import {
  data,
  endHeaders,
  endStream,
  frame,
  type Http2Field,
  headers,
  preface,
  readFrames,
  reset,
  settings,
} from './http2-frames.ts'
import { block, talkHttp2 } from './raw-http2.ts'
import { openRaw, stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t, ({ header, target }) => {
  if (header('upgrade') === undefined) return json({ from: 'upstream' })
  if (target === '/open/page') return reply({ status: 200, body: 'a page' })
  return target === '/open/declines' ? reply({ status: 404, body: 'no socket here' }) : upgradeEcho()
})
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] }, carol: { password: 'correct horse' } },
  yaml: `
cors: { origins: ["https://friend.example"] }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: [{ groups: [radiology], may: read }] }
  - { path: /open, upstream: app, access: everyone }
`,
})
const cookie = await gateway.signIn('alice', 'correct horse')
const carol = await gateway.signIn('carol', 'correct horse')

const handshake = (more: readonly Http2Field[] = [], without: readonly string[] = []): Http2Field[] => [
  ...(
    [
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'https'],
      [':authority', `localhost:${gateway.port}`],
      [':path', '/open'],
      ['sec-websocket-version', '13'],
    ] as const
  ).filter(([name]) => !without.includes(name) && !more.some(([other]) => other === name)),
  ...more,
]

async function reachesNobody(t: Test, what: string, ask: () => Promise<unknown>, expected: unknown): Promise<void> {
  const from = upstream.received.length
  t.same(await ask(), expected, what)
  await stillAnswers(t, gateway)
  t.equal(upstream.received.length, from, `${what}: nothing arrived`)
}

t.test('without a proof, with the wrong groups or from another site the upstream hears nothing', async t => {
  const session = await openSession(t, gateway)
  const cases: [string, number, Record<string, string | undefined>][] = [
    ['nobody', 401, {}],
    ['nobody, from our own page', 401, { origin: gateway.url }],
    ['who may not', 403, { cookie: carol, origin: gateway.url }],
    ['a session that says no Origin', 403, { cookie }],
    ['another site', 403, { cookie, origin: 'https://evil.example' }],
    ['another port', 403, { cookie, origin: 'https://localhost' }],
    ['a page without an origin', 403, { cookie, origin: 'null' }],
    ['another site by Sec-Fetch-Site', 403, { cookie, origin: gateway.url, 'sec-fetch-site': 'cross-site' }],
    ['a host that is none', 400, { ':authority': 'a..b', cookie, origin: gateway.url }],
    ['another version', 400, { 'sec-websocket-version': '8', cookie, origin: gateway.url }],
  ]
  for (const [what, status, more] of cases)
    await reachesNobody(t, what, async () => (await openWebSocket(gateway, session, '/x', more)).status, status)
  for (const origin of [gateway.url, 'https://friend.example'])
    t.equal((await openWebSocket(gateway, session, '/x', { cookie, origin })).status, 200, origin)
})

t.test('CONNECT for anything else, and what is no handshake, stays refused', async t => {
  const session = await openSession(t, gateway)
  for (const protocol of ['websockets', 'WebSocket', 'connect-udp', 'tcp', ''])
    await reachesNobody(
      t,
      `:protocol ${protocol}`,
      () =>
        openWebSocket(gateway, session, '/open', { ':protocol': protocol }).then(
          ({ status }) => status >= 400,
          () => true,
        ),
      true,
    )
  const rows: [string, readonly Http2Field[], string][] = [
    ['no :protocol', handshake([], [':protocol', ':scheme', ':path']), 'answer'],
    ['no :protocol, and a path', handshake([], [':protocol']), 'reset'],
    ['another method', handshake([[':method', 'GET']]), 'reset'],
    [
      'two protocols',
      handshake([
        [':protocol', 'websocket'],
        [':protocol', 'websocket'],
      ]),
      'reset',
    ],
    ['Upgrade as over HTTP/1.1', handshake([['upgrade', 'websocket']]), 'reset'],
  ]
  for (const [what, fields, came] of rows)
    await reachesNobody(t, what, async () => (await talkHttp2(gateway, fields, { body: 'x' })).came, came)
  await reachesNobody(t, 'an end with the head', async () => (await talkHttp2(gateway, handshake())).came, 'answer')
  await reachesNobody(
    t,
    'a length',
    async () =>
      /answer|reset/.test((await talkHttp2(gateway, handshake([['content-length', '1']]), { body: 'x' })).came),
    true,
  )
})

t.test('what comes behind a handshake goes on only after a checked 101', async t => {
  const session = await openSession(t, gateway)
  const from = upstream.received.length
  const smuggled = Buffer.from('GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const ask = (path: string) => ({
    ':method': 'CONNECT',
    ...{ ':protocol': 'websocket', ':scheme': 'https', ':authority': `localhost:${gateway.port}`, ':path': path },
    'sec-websocket-version': '13',
  })
  const declined = session.request(ask('/open/declines'), { endStream: false })
  declined.on('error', () => undefined).write(smuggled)
  t.equal(Buffer.concat(await Array.fromAsync(declined as AsyncIterable<Buffer>)).toString(), 'no socket here')
  await stillAnswers(t, gateway)
  t.same(
    upstream.received.slice(from).map(({ target }) => target),
    ['/open/declines'],
  )

  const accepted = session.request(ask('/open/x'), { endStream: false })
  accepted.write(clientFrame(1, Buffer.from('early')))
  const { value } = await serverFrames(accepted).next()
  t.equal(value?.payload.toString(), 'early', 'and then in its order')
  t.same(upstream.malformed, [])
})

t.test('a page is no tunnel: nothing but an accepted handshake is answered as one', async t => {
  const session = await openSession(t, gateway)
  for (const path of ['/open/page', '/-/login']) {
    // RFC 8441 5: with any 2xx the client takes what follows for frames.
    const { status } = await openWebSocket(gateway, session, path)
    t.ok(status >= 300, `${path}: ${status}`)
    const plain = await gateway.ask(path, { protocol: 'HTTP/2' })
    t.equal(plain.status, 200, 'and it is one for whoever asks for it')
  }
})

t.test('DATA behind the end of a tunnel goes nowhere', async t => {
  const from = upstream.received.length
  using line = await openRaw(gateway, { alpn: ['h2'] })
  await line.write(
    Buffer.concat([
      Buffer.from(preface, 'latin1'),
      frame(settings, 0, 0),
      frame(headers, endHeaders, 1, block(handshake([[':path', '/open/end']]))),
      frame(data, endStream, 1, clientFrame(1, Buffer.from('last'))),
      frame(data, 0, 1, clientFrame(1, Buffer.from('behind the end'))),
    ]),
  )
  let seen: Buffer = Buffer.alloc(0)
  for (let turns = 0; turns < 20; turns++) {
    const { bytes, ended } = await line.read({ timeout: 100, until: /[\s\S]/ })
    seen = Buffer.concat([seen, bytes])
    if (ended === 'end' || ended === 'error' || readFrames(seen).frames.some(({ type }) => type === reset)) break
  }
  t.notMatch(seen.toString('latin1'), /behind the end/, 'no echo of it')
  await stillAnswers(t, gateway)
  t.ok(upstream.received.length - from <= 1)
  t.same(upstream.malformed, [])
})
