// F03: over HTTP/1.1 a client need not wait for an answer before it asks again. Ten requests in one breath are answered in turn;
// of thousands, all in one read, one is begun at a time, others are served meanwhile, and nothing of it is left when the client goes.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { hang, json, resetMidBody } from '../fixture/upstream-answers.ts'
import { statuses } from './raw-request.ts'

const { gateway, upstream } = await startApp(
  t,
  ({ target }) =>
    target === '/well' ? json({ all: 'well' }) : target === '/broken' ? resetMidBody('begun', 100) : hang,
  { listener: 'limits: { headers: 2 s }' },
)
const port = Number(new URL(gateway.url).port)
const ask = (path: string, times: number) => `GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`.repeat(times)
const ended = (path: string) => gateway.log().filter(entry => entry['path'] === path)

t.test('a short pipeline is answered', async t => {
  using line = await rawTls(port, { ca: gateway.authority.caPem })
  await line.write(ask('/well', 10))
  t.ok(await within(2_000, () => ended('/well').length === 10))
  t.same(statuses((await line.read({ timeout: 300 })).text), Array(10).fill(200))
})

t.test('of a long one a single request is begun, and nothing is left of it', async t => {
  using line = await rawTls(port, { ca: gateway.authority.caPem })
  await line.write(ask('/silent', 200))
  t.ok(await within(2_000, () => upstream.received.some(({ target }) => target === '/silent')))
  await pause(200)
  t.equal(upstream.received.filter(({ target }) => target === '/silent').length, 1)
  t.equal(upstream.openConnections, 1)
  line.close()
  t.ok(await within(2_000, () => upstream.openConnections === 0), `${upstream.openConnections} connections`)
  t.same(
    ended('/silent').map(({ ending }) => ending),
    ['client-gone'],
  )
})

t.test(
  'who has sent so much ahead that nobody could see it go is cut, and keeps no connection of an upstream',
  async t => {
    using line = await rawTls(port, { ca: gateway.authority.caPem })
    const [before, from] = [ended('/silent').length, upstream.received.length]
    await Promise.race([line.write(ask('/silent', 5_000)).catch(() => undefined), pause(500)])
    t.ok(await within(2_000, () => upstream.received.length === from + 1), 'one of them runs')
    t.equal(ended('/silent').length, before)
    line.close()
    t.ok(await within(6_000, () => ended('/silent').length === before + 1))
    t.equal(upstream.received.length, from + 1)
  },
)

t.test('a change behind a body that was too long is not made', async t => {
  const from = upstream.received.length
  for (const more of [0, 1024]) {
    using line = await rawTls(port, { ca: gateway.authority.caPem })
    const size = 512 * 1024 + 1 + more
    await line
      .write(
        `POST /-/too-long HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}` +
          `DELETE /well HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`,
      )
      .catch(() => undefined)
    t.match((await line.read({ timeout: 5_000 })).ended, /end|error/)
  }
  t.equal((await gateway.ask('/well')).status, 200)
  t.same(
    upstream.received.slice(from).filter(({ method }) => method === 'DELETE'),
    [],
  )
})

t.test('whoever asks for thousands of pages in one breath is served in turn with others', async t => {
  using line = await rawTls(port, { ca: gateway.authority.caPem })
  await line.write(ask('/-/nowhere', 3_000))
  const { status } = await gateway.ask('/well')
  t.equal(status, 200)
  t.ok(ended('/-/nowhere').length < 2_000, `${ended('/-/nowhere').length} were before`)
  t.ok(await within(10_000, () => ended('/-/nowhere').length === 3_000), 'and all are answered in the end')
})

t.test('an answer that is cut ends the connection, and what stands behind it is not begun', async t => {
  using line = await rawTls(port, { ca: gateway.authority.caPem })
  const from = upstream.received.length
  await line.write(`${ask('/well', 1)}${ask('/broken', 1)}${ask('/well/last', 1)}`)
  t.match((await line.read({ timeout: 5_000 })).ended, /end|error/)
  t.ok(await within(2_000, () => ended('/broken').length === 1))
  t.same(
    upstream.received.slice(from).map(({ target }) => target),
    ['/well', '/broken'],
  )
  t.ok(await within(2_000, () => upstream.openConnections <= 1))
})

t.test('who is refused before the body has come may send a little more of it, and no more', async t => {
  using line = await rawTls(port, { ca: gateway.authority.caPem })
  const size = 64 * 1024 * 1024
  await line.write(`POST /-/nowhere HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: ${size}\r\n\r\n`)
  t.same(statuses((await line.read({ timeout: 500 })).text), [404])
  let sent = 0
  const before = performance.now()
  const piece = 'x'.repeat(64 * 1024)
  try {
    for (; sent < size; sent += piece.length) await line.write(piece)
  } catch {
    // It was cut.
  }
  // What the sockets hold is written, though nobody reads it.
  t.ok(sent < 16 * 1024 * 1024, `${sent} bytes`)
  t.ok(performance.now() - before < 4_000, 'it is what was sent that ends it, and not the time')
})

t.test('what little it had under way is swallowed, and the connection goes on', async t => {
  using line = await rawTls(port, { ca: gateway.authority.caPem })
  const size = 256 * 1024
  await line.write(`POST /-/nowhere HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: ${size}\r\n\r\n`)
  t.same(statuses((await line.read({ until: /404/ })).text), [404])
  for (let sent = 0; sent < size; sent += 16 * 1024) await line.write('x'.repeat(16 * 1024))
  await line.write(ask('/well', 2))
  t.same(statuses((await line.read({ timeout: 500 })).text), [200, 200])
})
