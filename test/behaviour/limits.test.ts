// What one request may cost is bounded, and what is over the bound is refused by its own status.
import { connect as connectHttp2 } from 'node:http2'
import { Readable } from 'node:stream'
import t from 'tap'
import { rawTls } from '../fixture/raw-tls.ts'
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

t.test('no more than the allowed connections are open at one time', async t => {
  const { gateway } = await startApp(t, undefined, { listener: 'limits: { connections: 3 }' })
  const lines = await Promise.all([1, 2, 3].map(() => rawTls(gateway.port, { ca: gateway.authority.caPem })))
  await t.rejects(rawTls(gateway.port, { ca: gateway.authority.caPem }), 'the fourth is turned away')
  for (const line of lines) line.close()
  t.ok(await within(2_000, () => lines.every(({ socket }) => socket.destroyed)), 'and when they have gone')
  t.equal((await gateway.ask('/x')).status, 200, 'another one comes in')
})
