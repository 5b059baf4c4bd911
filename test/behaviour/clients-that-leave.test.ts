// Who leaves takes nothing down but their own exchange, and no half-used connection to an upstream is used again.
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { rawTls } from '../fixture/raw-tls.ts'
import { type Answer, hang, json } from '../fixture/upstream-answers.ts'
import { type App, protocols, startApp, within } from './app.ts'

/** Sends for as long as somebody takes it. */
const endless: Answer = async line => {
  await line.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, 'x'), Buffer.from('\r\n')])
  for (;;) await line.write(chunk)
}

/** A request that the client gives up when `leave` is called. */
async function begin({ gateway }: App, protocol: (typeof protocols)[number], path: string, upload?: Readable) {
  if (protocol === 'HTTP/2') {
    const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
    session.on('error', () => undefined)
    const stream = session.request(
      { ':path': path, ':method': upload === undefined ? 'GET' : 'POST' },
      { endStream: upload === undefined },
    )
    stream.on('error', () => undefined)
    if (upload !== undefined) upload.pipe(stream)
    return { answered: once(stream, 'response').then(() => stream.resume()), leave: () => session.destroy() }
  }
  const line = await rawTls(gateway.port, { ca: gateway.authority.caPem })
  const how = upload === undefined ? 'GET' : 'POST'
  const length = upload === undefined ? '' : 'Content-Length: 10000000\r\n'
  await line.write(`${how} ${path} HTTP/1.1\r\nHost: localhost:${gateway.port}\r\n${length}\r\n`)
  upload?.pipe(line.socket)
  return { answered: line.read({ until: '\r\n\r\n', timeout: 5_000 }), leave: line.close }
}

for (const protocol of protocols) {
  t.test(
    `over ${protocol} a client that leaves within a download ends the upstream's connection within a second`,
    async t => {
      const app = await startApp(t, ({ target }) => (target === '/endless' ? endless : json({ all: 'well' })))
      const { answered, leave } = await begin(app, protocol, '/endless')
      await answered
      t.equal(app.upstream.openConnections, 1)
      leave()
      t.ok(await within(1_000, () => app.upstream.openConnections === 0), 'it is closed')
      t.match(await app.gateway.ask('/x'), { status: 200, text: '{"all":"well"}' })
      t.equal(app.upstream.received.at(-1)?.connection, 2, 'the next request gets a new one')
      t.ok(await within(1_000, () => app.gateway.log().some(line => line['ending'] === 'client-gone')))
      t.notOk(
        app.gateway.log().some(({ level }) => level === 'warn' || level === 'error'),
        'and it is no fault of anybody',
      )
    },
  )

  t.test(
    `over ${protocol} a client that leaves before the answer ends the upstream's connection within a second`,
    async t => {
      const app = await startApp(t, ({ target }) => (target === '/slow' ? hang : json({ all: 'well' })))
      const { answered, leave } = await begin(app, protocol, '/slow')
      answered.catch(() => undefined) // it never comes
      t.ok(await within(2_000, () => app.upstream.received.length === 1))
      leave()
      t.ok(await within(1_000, () => app.upstream.openConnections === 0))
      t.equal((await app.gateway.ask('/x')).status, 200)
      t.equal(app.upstream.received.at(-1)?.connection, 2)
    },
  )

  t.test(
    `over ${protocol} a client that leaves within an upload ends the upstream's connection within a second`,
    async t => {
      const app = await startApp(t)
      const upload = new Readable({ read: () => undefined })
      upload.push(Buffer.alloc(100_000, 'x'))
      const { answered, leave } = await begin(app, protocol, '/upload', upload)
      answered.catch(() => undefined) // it never comes
      t.ok(
        await within(2_000, () => (app.upstream.received[0]?.bodyLength ?? 0) === 100_000),
        'what was sent came through at once',
      )
      leave()
      t.ok(await within(1_000, () => app.upstream.openConnections === 0))
      t.equal(app.upstream.received[0]?.complete, false, 'a cut upload does not look whole')
      t.equal((await app.gateway.ask('/x')).status, 200)
      t.equal(app.upstream.received.at(-1)?.connection, 2)
      t.equal(app.upstream.malformed.length, 0, 'and no byte of it was taken for a request')
    },
  )
}

t.test('one HTTP/2 stream that is given up leaves the others of its connection alone', async t => {
  const app = await startApp(t, async ({ target }) => {
    if (target === '/endless') return endless
    await pause(300)
    return json({ all: 'well' })
  })
  const session = connectHttp2(app.gateway.url, { ca: app.gateway.authority.caPem })
  t.teardown(() => session.destroy())
  const given = session.request({ ':path': '/endless' })
  given.on('error', () => undefined)
  const kept = session.request({ ':path': '/kept' })
  const answer = Array.fromAsync(kept as AsyncIterable<Buffer>) // no encoding is set
  await once(given, 'response')
  given.close(8)
  t.equal(Buffer.concat(await answer).toString(), '{"all":"well"}')
  t.ok(await within(1_000, () => app.upstream.openConnections === 1))
  t.notOk(session.closed)
})

t.test('a client that leaves while it waits in the queue never reaches the upstream', async t => {
  const app = await startApp(t, ({ target }) => (target === '/first' ? hang : json({})), { settings: 'connections: 1' })
  const first = await begin(app, 'HTTP/1.1', '/first')
  first.answered.catch(() => undefined) // it never comes
  t.ok(await within(2_000, () => app.upstream.received.length === 1))
  const second = await begin(app, 'HTTP/1.1', '/second')
  second.answered.catch(() => undefined)
  await pause(100)
  second.leave()
  await pause(100)
  const third = app.gateway.ask('/third')
  await pause(100)
  first.leave()
  t.equal((await third).status, 200)
  t.same(
    app.upstream.received.map(({ target }) => target),
    ['/first', '/third'],
  )
})

t.test('HEAD for an answer that an archive sends by GET alone does not fetch all of it', async t => {
  const app = await startApp(t, () => endless, { kind: 'orthanc' })
  const head = await app.gateway.ask('/studies/1/archive', { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(app.upstream.received[0]?.method, 'GET', 'Orthanc answers no HEAD')
  t.ok(await within(1_000, () => app.upstream.openConnections === 0), 'the rest is not read')
})
