// What one request may cost is bounded, and what is over the bound is refused by its own status.
import { connect as connectHttp2 } from 'node:http2'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { rawTls } from '../fixture/raw-tls.ts'
import { hang, json, upgradeEcho } from '../fixture/upstream-answers.ts'
import { protocols, startApp, within } from './app.ts'

for (const protocol of protocols) {
  t.test(`over ${protocol} a body over maxBody is 413, with its length or without`, async t => {
    const { gateway, upstream } = await startApp(t, undefined, { settings: 'maxBody: 64 KB', answerAt: 'end' })
    const post = (body: Buffer | Readable) => {
      const chunked = protocol === 'HTTP/1.1' && body instanceof Readable
      return gateway.ask('/x', {
        method: 'POST',
        protocol,
        body,
        headers: chunked ? { 'transfer-encoding': 'chunked' } : {},
      })
    }
    const pieces = (count: number) => Readable.from(Array.from({ length: count }, () => Buffer.alloc(8_192, 'x')))

    t.equal((await post(Buffer.alloc(65_536, 'x'))).status, 200, 'at the limit')
    t.equal((await post(pieces(8))).status, 200)
    t.same(
      upstream.received.map(({ bodyLength }) => bodyLength),
      [65_536, 65_536],
    )

    const announced = await post(Buffer.alloc(65_537, 'x'))
    t.equal(announced.status, 413)
    t.match(JSON.parse(announced.text), { status: 413, reason: 'too-large' })
    t.equal(upstream.received.length, 2, 'nothing of it was forwarded')

    const grown = await post(pieces(40))
    t.equal(grown.status, 413)
    t.ok((upstream.received[2]?.bodyLength ?? 0) <= 65_536 + 8_192, `${upstream.received[2]?.bodyLength}`)
    t.notOk(upstream.received[2]?.complete, 'and what was forwarded does not look whole')
    t.ok(await within(1_000, () => upstream.openConnections <= 1))
    t.equal((await gateway.ask('/x')).status, 200)
  })
}

t.test('over HTTP/1.1 too many headers are 400 and too large ones 431', async t => {
  const { gateway, upstream } = await startApp(t, undefined, {
    listener: 'limits: { headerCount: 20, headerSize: 8 KB }',
  })
  const ask = async (count: number, size = 1) => {
    using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
    const lines = Array.from({ length: count - 1 }, (_, at) => `X-${at}: ${'x'.repeat(size)}\r\n`)
    await raw.write(`GET /x HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}\r\n`)
    return (await raw.read({ until: '\r\n\r\n' })).text.slice(0, 12)
  }
  t.equal(await ask(20), 'HTTP/1.1 200')
  t.equal(await ask(21), 'HTTP/1.1 400')
  t.equal(await ask(10, 2_000), 'HTTP/1.1 431')
  t.equal(upstream.received.length, 1)
  t.equal(Number(upstream.received[0]?.rawHeaders.filter(([name]) => /^x-\d/.test(name)).length), 19, 'none got lost')
})

t.test('over HTTP/2 too many headers are 400 or a stream error, and too large ones reach no upstream', async t => {
  const { gateway, upstream } = await startApp(t, undefined, {
    listener: 'limits: { headerCount: 20, headerSize: 8 KB }',
  })
  const ask = async (count: number, size = 1): Promise<string> => {
    const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
    session.on('error', () => undefined)
    try {
      const more = Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, 'x'.repeat(size)]))
      const stream = session.request({ ':path': '/x', ...more })
      return await new Promise(resolve => {
        stream.once('response', headers => resolve(String(headers[':status'])))
        stream.once('error', error => resolve(error.message))
        stream.once('close', () => resolve(`closed ${stream.rstCode}`))
      })
    } finally {
      session.destroy()
    }
  }
  t.equal(await ask(20), '200')
  t.equal(upstream.received.length, 1)
  for (const [count, size] of [
    [21, 1],
    [40, 1],
    [10, 2_000],
    [20, 20_000],
  ] as const) {
    const outcome = await ask(count, size)
    t.not(outcome, '200', `${count} of ${size} bytes: ${outcome}`)
  }
  t.equal(upstream.received.length, 1)
  t.equal(await ask(1), '200', 'the listener is well')
})

t.test('no more than the allowed connections are at work at one time, and one that is not makes room', async t => {
  const { gateway, upstream } = await startApp(t, ({ target }) => (target === '/held' ? hang : json({})), {
    listener: 'limits: { connections: 3 }',
  })
  const open = async () => {
    const line = await rawTls(gateway.port, { ca: gateway.authority.caPem })
    t.teardown(() => line.close())
    return line
  }
  const [first, second, third] = [await open(), await open(), await open()]
  await pause(1_100)
  t.equal((await gateway.ask('/x')).status, 200, 'the fourth comes in')
  t.match((await first.read({ timeout: 2_000 })).ended, /end|error/, 'for the one that was quiet for longest')
  t.notOk(second.socket.destroyed || third.socket.destroyed)

  const working: Awaited<ReturnType<typeof open>>[] = []
  for (const line of [second, third, undefined]) {
    working.push(line ?? (await open()))
    await working.at(-1)?.write('GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await pause(100)
  }
  t.ok(await within(2_000, () => upstream.received.length === 4))
  await t.rejects(gateway.ask('/x'), 'while all three wait for their answers, nobody else does')
  t.ok(
    gateway.log().some(({ level, kind }) => level === 'warn' && kind === 'full'),
    'the operator is told',
  )
  t.notOk(working.some(({ socket }) => socket.destroyed))
  for (const line of working) line.close()
  t.ok(await within(2_000, () => upstream.openConnections <= 1), 'and when they have gone')
  t.equal((await gateway.ask('/x')).status, 200, 'another one comes in')
})

t.test('one address has its share of the places, and a trusted proxy has all of them', async t => {
  const { gateway, upstream } = await startApp(t, ({ target }) => (target === '/held' ? hang : json({})), {
    listener: 'limits: { connections: 20, connectionsPerAddress: 2 }',
    yaml: 'trustedProxies: [127.0.0.3]\nroutes: [{ path: /, upstream: app, access: everyone }]',
  })
  const held = (localAddress: string) => {
    const answer = gateway.open('/held', { tls: { localAddress } })
    answer.catch(() => undefined) // it is cut when the test is over
    return answer
  }
  const waiting = () => upstream.received.filter(({ target }) => target === '/held').length
  for (const _ of [1, 2]) void held('127.0.0.2')
  t.ok(await within(2_000, () => waiting() === 2))
  await t.rejects(held('127.0.0.2'), 'the third of one address')
  t.equal((await gateway.ask('/x')).status, 200, 'everybody else gets in')
  for (const _ of [1, 2, 3]) void held('127.0.0.3')
  t.ok(await within(2_000, () => waiting() === 5), 'and so do all who come by a proxy')
  t.ok(
    gateway.log().some(({ level, kind, address }) => level === 'warn' && kind === 'crowded' && address === '127.0.0.2'),
  )
})

t.test('a WebSocket takes two places', async t => {
  const { gateway } = await startApp(t, () => upgradeEcho(), { listener: 'limits: { connections: 3 }' })
  const handshake = async () => {
    const line = await rawTls(gateway.port, { ca: gateway.authority.caPem })
    t.teardown(() => line.close())
    await line.write(
      'GET /x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    return (await line.read({ until: '\r\n\r\n' })).text.slice(9, 12)
  }
  t.equal(await handshake(), '101')
  t.equal(await handshake(), '503', 'there is a place for it, and none for its other half')
})
