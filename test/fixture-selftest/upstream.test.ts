// The upstream fixture records what it gets, sees what is smuggled, and misbehaves as told.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { startUpstream } from '../fixture/upstream.ts'
import * as answers from '../fixture/upstream-answers.ts'

/** A client without manners: raw bytes out, raw bytes in. */
function open(t: Pick<Test, 'teardown'>, port: number) {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  let text = ''
  let error: string | undefined
  socket.on('data', bytes => {
    text += bytes.toString('latin1')
  })
  socket.on('error', fault => {
    error = 'code' in fault ? String(fault.code) : fault.message
  })
  const until = async (met: () => boolean, what: string) => {
    for (const deadline = Date.now() + 3_000; !met(); await pause(5)) {
      if (Date.now() > deadline) throw new Error(`not seen: ${what}; got ${JSON.stringify(text)} ${error}`)
    }
    return text
  }
  return {
    socket,
    send: (bytes: string) => socket.write(Buffer.from(bytes, 'latin1')),
    sees: (part: string) => until(() => text.includes(part), part),
    ends: () => until(() => socket.readableEnded || socket.destroyed, 'the end'),
    error: () => error,
  }
}

const get = 'GET /a?b=%20 HTTP/1.1\r\nHost: x\r\nX-Mixed-Case:  kept \r\n\r\n'

t.test('a request is recorded as it came, and the connection serves the next one', async t => {
  const upstream = await startUpstream(t)
  const client = open(t, upstream.port)
  client.send(get)
  await client.sees('{"from":"upstream"}')
  client.send('PUT /b HTTP/1.1\r\nhost: y\r\nContent-Length: 5\r\n\r\nhel')
  await pause(20)
  t.match(upstream.received[1], { method: 'PUT', bodyLength: 3, complete: false })
  client.send(
    'loPOST /c HTTP/1.1\r\nHost: z\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: r\r\n\r\n',
  )
  await client.sees(
    'upstream"}HTTP/1.1 200 \r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"from":"upstream"}',
  )

  const [first, second, third] = upstream.received
  t.equal(first?.rawHead, get)
  t.same(first?.rawHeaders, [
    ['Host', 'x'],
    ['X-Mixed-Case', 'kept'],
  ])
  t.equal(first?.header('x-MIXED-case'), 'kept')
  t.match(first, { method: 'GET', target: '/a?b=%20', framing: 'none', complete: true, connection: 1 })
  t.equal(second?.body.toString(), 'hello')
  t.match(third, { framing: 'chunked', body: Buffer.from('abc0123456789'), trailers: [['T', 'r']], connection: 1 })
  t.equal(upstream.connections, 1)
  t.same(upstream.malformed, [])
})

t.test('a request hidden in the bytes of another is recorded too', async t => {
  const upstream = await startUpstream(t, () => answers.hang)
  const client = open(t, upstream.port)
  client.send('POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n')
  await pause(50)
  t.same(
    upstream.received.map(({ target }) => target),
    ['/a', '/hidden'],
  )
})

const twisted: Record<string, string> = {
  'two lengths': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
  'length and chunked':
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a signed length': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na',
  'a coding that only looks chunked': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'a space before the colon': 'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
  'a folded line': 'GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n',
  'a bare LF': 'GET / HTTP/1.1\nHost: x\n\n',
  'a bare CR': 'GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n',
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'two Hosts': 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'a space in the target': 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n',
  'an empty line first': '\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'a chunk longer than it says': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
  'a chunk line ended by LF': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n0\r\n\r\n',
}
for (const [what, bytes] of Object.entries(twisted)) {
  t.test(`${what} is malformed, not repaired`, async t => {
    const upstream = await startUpstream(t)
    const client = open(t, upstream.port)
    client.send(bytes)
    await client.sees('HTTP/1.1 400 ')
    await client.ends()
    t.equal(upstream.malformed.length, 1, upstream.malformed[0]?.why ?? '')
    t.notOk(upstream.received.some(({ complete }) => complete))
  })
}

t.test('it fails in the way it is told', async t => {
  const ways: Record<string, answers.Answer> = {
    '/before-head': answers.resetBeforeHead,
    '/mid-body': answers.resetMidBody('half', 8),
    '/close': answers.closeDelimited('all of it'),
    '/slow': answers.trickle('abc', 20),
    '/tail': answers.withTail({ body: 'right' }, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    '/chunks': answers.reply({ body: 'abcde', chunk: 2, trailers: [['X-Sum', '1']] }),
    '/early': answers.interim([[103, [['Link', '</x>']]], [102]], answers.reply({ status: 204 })),
    '/raw': answers.raw('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
  }
  const upstream = await startUpstream(t, request => ways[request.target] ?? answers.hang)
  const ask = (target: string, method = 'GET') => {
    const client = open(t, upstream.port)
    client.send(`${method} ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    return client
  }

  const reset = ask('/before-head')
  t.equal(await reset.ends(), '')
  t.equal(reset.error(), 'ECONNRESET')
  const half = ask('/mid-body')
  t.match(await half.ends(), /Content-Length: 8\r\n\r\nhalf$/)
  t.equal(half.error(), 'ECONNRESET')
  const closed = ask('/close')
  t.match(await closed.ends(), /Connection: close\r\n\r\nall of it$/)
  t.equal(closed.error(), undefined, 'a clean end')
  await ask('/slow').sees('\r\n\r\nabc')
  await ask('/tail').sees('rightHTTP/1.1 200 OK')
  await ask('/chunks').sees('\r\n\r\n2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\nX-Sum: 1\r\n\r\n')
  t.match(
    await ask('/early').sees('204'),
    /^HTTP\/1.1 103 .*\r\nLink: <\/x>\r\n\r\nHTTP\/1.1 102 .*\r\n\r\nHTTP\/1.1 204 /,
  )
  await ask('/raw').sees('Content-Length: 1\r\nContent-Length: 2\r\n\r\nab')
  t.notMatch(await ask('/chunks', 'HEAD').sees('chunked\r\n\r\n'), 'ab')

  const open1 = upstream.openConnections
  const hanging = ask('/hang')
  await pause(50)
  t.equal(upstream.openConnections, open1 + 1)
  hanging.socket.end()
  await hanging.ends()
  await pause(20)
  t.equal(upstream.openConnections, open1, 'a client that leaves is seen to leave')
})

t.test('asked at the head, it can refuse a body that has not come yet', async t => {
  const upstream = await startUpstream(t, () => answers.reply({ status: 413 }), { answerAt: 'head' })
  const client = open(t, upstream.port)
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n')
  await client.sees('HTTP/1.1 413')
  t.match(upstream.received, [{ complete: false, bodyLength: 0 }])
})

t.test('a WebSocket is accepted and echoes messages, large and in pieces', async t => {
  const upstream = await startUpstream(t, () => answers.upgradeEcho())
  const socket = new WebSocket(`ws://127.0.0.1:${upstream.port}/ws`)
  await once(socket, 'open')
  for (const message of ['hi', 'x'.repeat(300), 'y'.repeat(70_000)]) {
    socket.send(message)
    const [back] = await once(socket, 'message')
    t.ok(String(back) === message, `${message.length} characters came back`)
  }
  socket.ping('are you there')
  t.equal(String((await once(socket, 'pong'))[0]), 'are you there')
  socket.send('first ', { fin: false })
  socket.send('second')
  t.equal(String((await once(socket, 'message'))[0]), 'first second')
  socket.close(4001, 'bye')
  t.same((await once(socket, 'close'))[0], 4001)
})

t.test('another protocol is echoed byte for byte, and a refused upgrade stays HTTP', async t => {
  const upstream = await startUpstream(t, ({ target }) => (target === '/no' ? answers.json({}) : answers.upgradeEcho()))
  const client = open(t, upstream.port)
  const ask = (target: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n`
  client.send(`${ask('/no')}${ask('/yes')}early`)
  await client.sees('{}HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\nearly')
  client.send('GET / late')
  await client.sees('earlyGET / late')
  t.equal(upstream.received.length, 2)
})
