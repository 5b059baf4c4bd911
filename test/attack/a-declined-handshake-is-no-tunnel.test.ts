// H08, H09 and H10: only a WebSocket handshake that the upstream has really accepted becomes a tunnel. Whatever the
// client sent behind it goes nowhere, is read as no request, and the connection is closed.
import { join } from 'node:path'
import t from 'tap'
import { changeAccountFile } from '../../src/identity/account-file.ts'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import {
  type Answer,
  closeDelimited,
  interim,
  json,
  raw,
  reply,
  resetBeforeHead,
  trickle,
  upgradeEcho,
} from '../fixture/upstream-answers.ts'
import { basic, head, openRaw, statuses, stillAnswers, talk, webSocketKey, webSocketLines } from './raw-request.ts'

let answer: Answer = upgradeEcho()
const upstream = await startUpstream(t, request =>
  request.target.endsWith('/ws') ? answer : json({ from: 'upstream' }),
)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'alice pass-word' } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}", connections: 1, timeouts: { connect: 500 ms } } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /admin, upstream: app, access: authenticated }
`,
})
const secret = `GET /admin/secret HTTP/1.1\r\nHost: localhost\r\nX-Remote-User: admin\r\n\r\n`
const handshake = head(gateway, 'GET /ws HTTP/1.1', webSocketLines)

const declining: Readonly<Record<string, { answer: Answer; status: number }>> = {
  '200 with a body': { answer: reply({ body: 'no' }), status: 200 },
  '200 without an end': { answer: closeDelimited('no'), status: 200 },
  204: { answer: reply({ status: 204 }), status: 204 },
  404: { answer: reply({ status: 404, body: 'no' }), status: 404 },
  426: { answer: reply({ status: 426, headers: [['Upgrade', 'h2c']], body: 'no' }), status: 426 },
  503: { answer: reply({ status: 503, body: 'no' }), status: 503 },
  '103, then 404': { answer: interim([[103, [['Link', '</x>']]]], reply({ status: 404, body: 'no' })), status: 404 },
  '103, and 103 again': {
    answer: interim(
      Array.from({ length: 200 }, () => [103, []] as const),
      reply({ body: 'no' }),
      20,
    ),
    status: 504,
  },
  '101 with another key': {
    answer: raw('HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n'),
    status: 502,
  },
  'a reset': { answer: resetBeforeHead, status: 502 },
  'no HTTP': { answer: raw('SSH-2.0\r\n\r\n'), status: 502 },
}

for (const [title, declined] of Object.entries(declining)) {
  t.test(`H09: the upstream answers ${title}: bytes behind the handshake go nowhere (CVE-2026-2833)`, async t => {
    answer = declined.answer
    for (const late of [false, true]) {
      const from = upstream.received.length
      using line = await openRaw(gateway)
      await line.write(late ? handshake : handshake + secret)
      const first = await line.read({ until: '\r\n\r\n', timeout: 2_000 })
      if (late) await line.write(secret).catch(() => undefined)
      const rest = await line.read({ timeout: 5_000 })
      t.same(statuses(first.text + rest.text), [declined.status], 'one answer')
      t.match(first.text.toLowerCase(), 'connection: close')
      t.match(rest.ended, /end|error/, 'the connection is closed')
      await stillAnswers(t, gateway)
      t.same(
        upstream.received.slice(from).map(({ target }) => target),
        ['/ws'],
      )
      t.same(upstream.received.at(-1)?.bodyLength, 0)
    }
    t.same(upstream.malformed, [])
    answer = upgradeEcho()
  })
}

t.test('H09: who leaves behind a declined handshake is gone at once', async t => {
  answer = reply({ status: 404, body: 'no' })
  const before = gateway.log().length
  using line = await openRaw(gateway)
  await line.write(handshake)
  t.same(statuses((await line.read({ until: '\r\n\r\n' })).text), [404])
  await line.write(secret)
  line.close()
  t.ok(
    await within(1_000, () =>
      gateway
        .log()
        .slice(before)
        .some(({ path }) => path === '/ws'),
    ),
    'and so is its exchange',
  )
  answer = upgradeEcho()
})

t.test('H09: a declined handshake is no second way to what the upstream has', async t => {
  answer = reply({ body: Buffer.alloc(65 * 1024, 'study') })
  const { text } = await talk(gateway, handshake)
  t.same(statuses(text), [502])
  t.notMatch(text, /study/, 'a few words may come back, and nothing else')
  t.ok(await within(1_000, () => upstream.openConnections === 0))

  answer = trickle('x'.repeat(1_000), 20)
  const from = upstream.connections
  using first = await openRaw(gateway)
  await first.write(handshake)
  t.ok(await within(1_000, () => upstream.connections > from))
  t.same(statuses((await talk(gateway, handshake)).text), [503], 'it waits for its turn like anything else')
  t.equal(upstream.connections, from + 1)
  first.close()
  answer = upgradeEcho()
})

t.test('H09: a handshake under way ends with the right to it', async t => {
  answer = trickle('x'.repeat(1_000), 20)
  const from = upstream.received.length
  using line = await openRaw(gateway)
  await line.write(head(gateway, 'GET /admin/ws HTTP/1.1', [...webSocketLines, basic('alice:alice pass-word')]))
  t.ok(await within(2_000, () => upstream.received.length > from))
  await changeAccountFile(join(gateway.dir, 'state-users.yaml'), accounts =>
    accounts.map(account => ({ ...account, locked: true })),
  )
  t.match(await line.read({ timeout: 5_000 }), { text: '', ended: /end|error/ })
  t.ok(await within(1_000, () => upstream.openConnections === 0))
  answer = upgradeEcho()
})

t.test('H09: bytes behind a handshake that we refuse go nowhere either', async t => {
  const from = upstream.received.length
  for (const [bytes, status] of [
    [head(gateway, 'GET /admin/ws HTTP/1.1', webSocketLines), 401],
    [head(gateway, 'GET /ws HTTP/1.1', [...webSocketLines, 'Origin: https://evil.example']), 403],
    [head(gateway, 'GET //ws HTTP/1.1', webSocketLines), 400],
  ] as const) {
    const { text, ended } = await talk(gateway, bytes + head(gateway, 'GET /open HTTP/1.1'), {})
    t.same(statuses(text), [status])
    t.match(ended, /end|error/)
  }
  await stillAnswers(t, gateway)
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('H08: a handshake with a body is no handshake (CVE-2026-58055)', async t => {
  const from = upstream.received.length
  for (const lines of [
    [`Content-Length: ${secret.length}`],
    ['Transfer-Encoding: chunked'],
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['Content-Length: 5', 'Content-Length: 6'],
    ['Content-Length: -1'],
    ['Transfer-Encoding: identity'],
  ]) {
    const { text, ended } = await talk(
      gateway,
      head(gateway, 'GET /ws HTTP/1.1', [...webSocketLines, ...lines]) + secret,
      {},
    )
    t.same(statuses(text), [400], lines.join(', '))
    t.match(ended, /end|error/)
  }
  await stillAnswers(t, gateway)
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('H10: an upgrade hides no body in chunks', async t => {
  const from = upstream.received.length
  const rider = head(gateway, 'GET /rider HTTP/1.1')
  for (const protocol of ['h2c', 'websocket']) {
    for (const coding of ['chunked', 'chunked \t', 'Chunked\t', 'gzip', 'chunked \t ']) {
      using line = await openRaw(gateway)
      const lines = ['Connection: Upgrade', `Upgrade: ${protocol}`, `Transfer-Encoding: ${coding}`]
      await line.write(head(gateway, 'POST /x HTTP/1.1', lines))
      await line.write(`${rider.length.toString(16)}\r\n${rider}\r\n0\r\n\r\n`).catch(() => undefined)
      const { text, ended } = await line.read({ timeout: 3_000 })
      t.same(statuses(text), [400], `${protocol}, ${JSON.stringify(coding)}`)
      t.match(ended, /end|error/)
    }
  }
  await stillAnswers(t, gateway)
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('H10: behind an upgrade to anything else nothing is read, least of all from its middle', async t => {
  const rider = head(gateway, 'GET /rider HTTP/1.1')
  const post = `${head(gateway, 'POST /y HTTP/1.1', [`Content-Length: ${rider.length}`])}${rider}`
  for (const lines of [['Connection: Upgrade', 'Upgrade: h2c'], webSocketLines]) {
    for (const cut of [0, 1, 30, post.length - rider.length, post.length]) {
      const from = upstream.received.length
      using line = await openRaw(gateway)
      await line.write(head(gateway, 'DELETE /x HTTP/1.1', lines) + post.slice(0, cut))
      const first = await line.read({ until: 'upstream"}' })
      await line.write(post.slice(cut) + rider).catch(() => undefined)
      const rest = await line.read({ timeout: 3_000 })
      t.same(statuses(first.text + rest.text), [200])
      t.match(first.text.toLowerCase(), 'connection: close')
      t.match(rest.ended, /end|error/, 'the connection is closed')
      t.same(
        upstream.received.slice(from).map(({ method, target }) => `${method} ${target}`),
        ['DELETE /x'],
        `cut at ${cut}`,
      )
    }
  }
})

t.test('H10: an upgrade to anything else is an ordinary request, and Upgrade goes no further', async t => {
  for (const protocol of [
    'h2c',
    'foo',
    'websocket, h2c',
    'h2c, websocket',
    'websocket/13',
    'TLS/1.0',
    'HTTP/2.0',
    'websocketx',
    '',
  ]) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const from = upstream.received.length
      const lines = [
        'Connection: Upgrade, HTTP2-Settings',
        `Upgrade: ${protocol}`,
        'HTTP2-Settings: AAMAAABkAAQAAP__',
        ...(method === 'POST' ? ['Content-Length: 0'] : []),
      ]
      const { text } = await talk(gateway, head(gateway, `${method} /x HTTP/1.1`, lines) + secret, {
        until: 'upstream"}',
      })
      t.equal(statuses(text)[0], 200, `${method} ${protocol}`)
      t.notOk(statuses(text).includes(101))
      const arrived = upstream.received.slice(from)
      t.same(
        arrived.map(({ target }) => target),
        ['/x'],
      )
      for (const name of ['upgrade', 'http2-settings']) t.equal(arrived[0]?.header(name), undefined)
      t.notMatch(arrived[0]?.header('connection'), /upgrade/i)
    }
  }
  await stillAnswers(t, gateway)
})

t.test('H10: two Upgrade lines, or a WebSocket by another method, are no handshake', async t => {
  const from = upstream.received.length
  const twice = [...webSocketLines, 'Upgrade: h2c']
  t.same(statuses((await talk(gateway, head(gateway, 'GET /x HTTP/1.1', twice), { until: 'upstream"}' })).text), [200])
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const bytes = head(gateway, `${method} /x HTTP/1.1`, [...webSocketLines, 'Content-Length: 0'])
    t.same(statuses((await talk(gateway, bytes, { until: 'upstream"}' })).text), [200], method)
  }
  t.notOk(upstream.received.slice(from).some(request => request.header('upgrade') !== undefined))
})

t.test('H10: a handshake that is not exactly one of RFC 6455 is refused', async t => {
  const from = upstream.received.length
  const [connection, upgrade, version, key] = webSocketLines
  for (const lines of [
    [connection, upgrade, 'Sec-WebSocket-Version: 777', key],
    [connection, upgrade, 'Sec-WebSocket-Version: 8', key],
    [connection, upgrade, 'Sec-WebSocket-Version: 13, 8', key],
    [connection, upgrade, key],
    [connection, upgrade, version, version, key],
    [connection, upgrade, version],
    [connection, upgrade, version, key, key],
    [connection, upgrade, version, 'Sec-WebSocket-Key: short=='],
    [connection, upgrade, version, `Sec-WebSocket-Key: ${webSocketKey}x`],
    [connection, upgrade, version, 'Sec-WebSocket-Key: '],
  ]) {
    const { text } = await talk(gateway, head(gateway, 'GET /ws HTTP/1.1', lines) + secret, {})
    t.same(statuses(text), [400], lines.join(' | '))
  }
  await stillAnswers(t, gateway)
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('bytes behind a handshake that is accepted arrive once, in order', async t => {
  answer = upgradeEcho()
  // A text frame, masked with zeros: "early".
  const frame = '\x81\x85\0\0\0\0early'
  const { text } = await talk(gateway, handshake + frame, { until: 'early' })
  t.same(statuses(text), [101])
  t.match(text, /\r\n\r\n\x81\x05early$/)
})
