// A WebSocket over HTTP/2 (RFC 8441) is judged, carried and ended as one over HTTP/1.1 is.
import { once } from 'node:events'
import t from 'tap'
import { reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import {
  clientFrame,
  openSession,
  openWebSocket,
  type ServerFrame,
  serverFrames,
} from '../fixture/websocket-over-http2.ts'
import { startApp, within } from './app.ts'

t.jobs = 5

const [textFrame, binaryFrame, closeFrame] = [1, 2, 8]
const next = async (frames: AsyncGenerator<ServerFrame>): Promise<ServerFrame> => {
  const { value, done } = await frames.next()
  if (done) throw new Error('the stream ended')
  return value
}
const guarded = {
  accounts: { alice: { password: 'alice-password' } },
  yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]',
}

t.test(
  'messages go both ways on one stream, beside other requests, and the upstream sees an HTTP/1.1 handshake',
  async t => {
    const { gateway, upstream } = await startApp(t, ({ target }) =>
      target === '/plain' ? reply({ body: 'beside it' }) : upgradeEcho([['Sec-WebSocket-Protocol', 'v1.kernel']]),
    )
    const session = await openSession(t, gateway)
    t.equal(session.remoteSettings.enableConnectProtocol, true, 'it is announced')
    const { stream, status, headers } = await openWebSocket(gateway, session, '/api/kernels?x=1', {
      'sec-websocket-protocol': 'v1.kernel, v0.kernel',
      'sec-websocket-key': 'bm90IGZvciBhbnlib2R5IQ==',
    })
    t.equal(status, 200)
    t.match(headers, { 'sec-websocket-protocol': 'v1.kernel' })
    t.notMatch(Object.keys(headers).join(), /accept|connection|upgrade|content-length/)
    const frames = serverFrames(stream)
    for (const [opcode, message] of [
      [textFrame, Buffer.from('grüße')],
      [binaryFrame, Buffer.alloc(60_000, 'abc')],
    ] as const) {
      stream.write(clientFrame(opcode, message))
      const back = await next(frames)
      t.equal(back.opcode, opcode)
      t.ok(back.payload.equals(message), `${message.length} bytes`)
    }
    const beside = session.request({ ':path': '/plain', ':authority': `localhost:${gateway.port}` })
    t.equal(Buffer.concat(await Array.fromAsync(beside as AsyncIterable<Buffer>)).toString(), 'beside it')

    const [handshake] = upstream.received
    t.equal(handshake?.method, 'GET')
    t.equal(handshake?.target, '/api/kernels?x=1')
    t.equal(handshake?.header('upgrade'), 'websocket')
    t.equal(handshake?.header('sec-websocket-version'), '13')
    t.match(handshake?.header('sec-websocket-key'), /^[A-Za-z0-9+/]{22}==$/)
    t.not(handshake?.header('sec-websocket-key'), 'bm90IGZvciBhbnlib2R5IQ==', "ours, and not the client's")

    stream.write(clientFrame(closeFrame, Buffer.from([0x0f, 0xa1])))
    t.match(await next(frames), { opcode: closeFrame, payload: Buffer.from([0x0f, 0xa1]) }, 'the close frame came back')
    stream.end()
    t.equal((await frames.next()).done, true, 'then the end of the stream')
    if (!stream.closed) await once(stream, 'close')
    t.equal(stream.rstCode, 0)
    t.ok(await within(1_000, () => upstream.openConnections <= 1), 'the connection of the WebSocket is gone')
    t.ok(
      await within(1_000, () =>
        gateway
          .log()
          .some(line => line['path'] === '/api/kernels' && line['protocol'] === 'HTTP/2' && line['status'] === 200),
      ),
      'in the access log',
    )
  },
)

t.test('a client that resets its stream ends the connection to the upstream, and the other way round', async t => {
  const { gateway, upstream } = await startApp(t, () => upgradeEcho())
  const session = await openSession(t, gateway)
  const one = await openWebSocket(gateway, session, '/x')
  one.stream.close(8) // CANCEL
  t.ok(await within(1_000, () => upstream.openConnections === 0))

  const other = await openWebSocket(gateway, session, '/x')
  other.stream.resume().once('end', () => other.stream.end())
  const closed = once(other.stream, 'close')
  await upstream.close()
  await closed
  t.equal(other.stream.rstCode, 0, 'its end was passed on')
})

t.test('what the upstream declines is the answer of the stream', async t => {
  const { gateway, upstream } = await startApp(t, ({ target }) =>
    target === '/closed' ? reply({ status: 403, body: 'not you' }) : upgradeEcho([['Sec-WebSocket-Accept', 'wrong']]),
  )
  const session = await openSession(t, gateway)
  const { stream, status } = await openWebSocket(gateway, session, '/closed')
  t.equal(status, 403)
  t.equal(Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)).toString(), 'not you')
  t.equal((await openWebSocket(gateway, session, '/wrong-accept')).status, 502)
  t.ok(await within(1_000, () => upstream.openConnections === 0))
})

t.test('it ends with its session, by a frame that says so, and the connection goes on', async t => {
  const { gateway, upstream } = await startApp(t, () => upgradeEcho(), guarded)
  const cookie = await gateway.signIn('alice', 'alice-password')
  const session = await openSession(t, gateway)
  const { stream, status } = await openWebSocket(gateway, session, '/x', { cookie, origin: gateway.url })
  t.equal(status, 200)
  t.equal(upstream.received[0]?.header('x-remote-user'), 'alice')
  t.equal(upstream.received[0]?.header('cookie'), undefined)
  const form = await gateway.ask('/-/logout', { cookie, headers: { accept: 'text/html' } })
  await gateway.ask('/-/logout', {
    method: 'POST',
    cookie: [cookie, ...form.cookies.map(line => line.split(';')[0])].join('; '),
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    body: new URLSearchParams({ token: /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? '' }).toString(),
  })
  const goodbye = await next(serverFrames(stream))
  t.equal(goodbye.opcode, closeFrame)
  t.equal(goodbye.payload.readUInt16BE(0), 1008)
  t.equal(goodbye.payload.subarray(2).toString(), 'the session has ended')
  t.ok(await within(4_000, () => stream.closed && upstream.openConnections === 0))
  t.equal(stream.rstCode, 8, 'who does not hang up is cut, with CANCEL')
  t.notOk(session.closed, 'other requests of the connection go on')
})

t.test('a gateway that drains says goodbye', async t => {
  const { gateway } = await startApp(t, () => upgradeEcho())
  const session = await openSession(t, gateway)
  const { stream } = await openWebSocket(gateway, session, '/x')
  const frames = serverFrames(stream)
  const drained = gateway.gateway.drain()
  t.equal((await next(frames)).payload.readUInt16BE(0), 1001)
  stream.end(clientFrame(closeFrame, Buffer.from([0x03, 0xe9])))
  await drained
})

t.test('each takes a place among the connections, and gives it back', async t => {
  const { gateway } = await startApp(t, () => upgradeEcho(), { listener: 'limits: { connections: 3 }' })
  const session = await openSession(t, gateway)
  const [one] = [await openWebSocket(gateway, session, '/x'), await openWebSocket(gateway, session, '/x')]
  const third = await openWebSocket(gateway, session, '/x')
  t.equal(third.status, 503)
  t.equal(third.headers['retry-after'], '5')
  one?.stream.close(8)
  let status = 0
  t.ok(
    await within(2_000, async () => {
      status = (await openWebSocket(gateway, session, '/x')).status
      return status === 200
    }),
    `${status} after one of them has gone`,
  )
})
