// A WebSocket is carried both ways over TLS, after a handshake that was judged like any request.
import { once } from 'node:events'
import t from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import type { TestGateway } from '../fixture/gateway.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { startApp, within } from './app.ts'

const open = ({ url, authority }: TestGateway, path: string, protocols: string[] = [], options: ClientOptions = {}) =>
  new WebSocket(`${url.replace('https:', 'wss:')}${path}`, protocols, { ca: authority.caPem, ...options })

const refusal = async (socket: WebSocket): Promise<number> => {
  socket.on('error', () => undefined)
  const [, answer] = await once(socket, 'unexpected-response')
  socket.terminate()
  return answer.statusCode
}

t.test('messages go both ways, whatever their size and kind, and the subprotocol is agreed on', async t => {
  const { gateway, upstream } = await startApp(t, () => upgradeEcho([['Sec-WebSocket-Protocol', 'v1.kernel']]))
  const socket = open(gateway, '/api/kernels?x=1', ['v1.kernel', 'v0.kernel'])
  await once(socket, 'open')
  t.equal(socket.protocol, 'v1.kernel')
  const large = Buffer.alloc(1024 * 1024, 'abc')
  for (const message of ['hello', 'grüße', Buffer.from([0, 1, 2, 255]), large]) {
    const echo = once(socket, 'message')
    socket.send(message)
    const [back, isBinary] = await echo
    t.equal(isBinary, typeof message !== 'string')
    t.ok(Buffer.from(message).equals(back), `${message.length} of them`)
  }
  const closed = once(socket, 'close')
  socket.close(4001, 'enough')
  const [code, reason] = await closed
  t.same([code, String(reason)], [4001, 'enough'], 'the close frame came back too')
  t.ok(await within(1_000, () => upstream.openConnections === 0), 'and both connections are gone')

  const [handshake] = upstream.received
  t.equal(handshake?.target, '/api/kernels?x=1')
  t.equal(handshake?.header('x-forwarded-proto'), 'https')
  t.equal(handshake?.header('host'), `localhost:${gateway.port}`)
})

t.test('a client that vanishes ends the connection to the upstream, and the other way round', async t => {
  const { gateway, upstream } = await startApp(t, () => upgradeEcho())
  const one = open(gateway, '/x')
  await once(one, 'open')
  one.terminate()
  t.ok(await within(1_000, () => upstream.openConnections === 0))

  const other = open(gateway, '/x')
  await once(other, 'open')
  const closed = once(other, 'close')
  await upstream.close()
  const [code] = await closed
  t.equal(code, 1006)
})

t.test('what the upstream declines is told, and what is no handshake is refused here', async t => {
  const { gateway, upstream } = await startApp(t, ({ target }) =>
    target === '/closed' ? reply({ status: 403, body: 'not you' }) : upgradeEcho([['Sec-WebSocket-Accept', 'wrong']]),
  )
  t.equal(await refusal(open(gateway, '/closed')), 403)
  t.equal(await refusal(open(gateway, '/wrong-accept')), 502)
  const before = upstream.received.length
  for (const [what, line] of [
    ['no key', ''],
    ['two keys', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'],
    ['a short key', 'Sec-WebSocket-Key: c2hvcnQ=\r\n'],
  ] as const) {
    using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
    const head = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
    await raw.write(`GET /x HTTP/1.1\r\nHost: localhost\r\n${head}${line}\r\n`)
    t.match((await raw.read({ until: '\r\n\r\n' })).text, /^HTTP\/1\.1 400 /, what)
  }
  t.equal(upstream.received.length, before)
})

t.test('bytes behind a handshake that was not answered with 101 reach no upstream', async t => {
  const { gateway, upstream } = await startApp(t, () => reply({ status: 404, body: 'no socket here' }))
  using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
  const head =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  await raw.write(`GET /x HTTP/1.1\r\nHost: localhost\r\n${head}\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  const { text, ended } = await raw.read()
  t.match(text, /^HTTP\/1\.1 404 [\s\S]*connection: close[\s\S]*no socket here$/i)
  t.equal(ended, 'end')
  t.same(
    upstream.received.map(({ target }) => target),
    ['/x'],
  )
  t.equal(upstream.malformed.length, 0)
})

const guarded = {
  accounts: { alice: { password: 'alice-password' } },
  yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]',
}

t.test('nobody gets no WebSocket, and a session only from our own pages', async t => {
  const { gateway, upstream } = await startApp(t, () => upgradeEcho(), guarded)
  t.equal(await refusal(open(gateway, '/x')), 401)
  const cookie = await gateway.signIn('alice', 'alice-password')
  t.equal(await refusal(open(gateway, '/x', [], { headers: { cookie } })), 403, 'an Origin is needed')
  t.equal(await refusal(open(gateway, '/x', [], { headers: { cookie }, origin: 'https://evil.example' })), 403)
  t.equal(upstream.received.length, 0)
  const socket = open(gateway, '/x', [], { headers: { cookie }, origin: gateway.url })
  await once(socket, 'open')
  t.equal(upstream.received[0]?.header('x-remote-user'), 'alice')
  t.equal(upstream.received[0]?.header('cookie'), undefined)
  socket.terminate()
})

t.test('a WebSocket ends when the session that opened it ends', async t => {
  const { gateway, upstream } = await startApp(t, () => upgradeEcho(), guarded)
  const cookie = await gateway.signIn('alice', 'alice-password')
  const socket = open(gateway, '/x', [], { headers: { cookie }, origin: gateway.url })
  await once(socket, 'open')
  const closed = once(socket, 'close')
  const form = await gateway.ask('/-/logout', { cookie, headers: { accept: 'text/html' } })
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const logout = await gateway.ask('/-/logout', {
    method: 'POST',
    cookie: [cookie, ...form.cookies.map(line => line.split(';')[0])].join('; '),
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    body: new URLSearchParams({ token }).toString(),
  })
  t.equal(logout.status, 303)
  const [code, reason] = await closed
  t.same([code, String(reason)], [1008, 'the session has ended'])
  t.ok(await within(1_000, () => upstream.openConnections === 0))
})

t.test('a gateway that drains says goodbye to its WebSockets at once', async t => {
  const { gateway } = await startApp(t, () => upgradeEcho())
  const socket = open(gateway, '/x')
  await once(socket, 'open')
  const closed = once(socket, 'close')
  const began = Date.now()
  await gateway.gateway.drain()
  const [code, reason] = await closed
  t.same([code, String(reason)], [1001, 'the gateway is stopping'])
  t.ok(Date.now() - began < 2_000, `${Date.now() - began} ms`)
})
