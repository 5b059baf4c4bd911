// F03: over HTTP/1.1 a client need not wait for an answer before it asks again. Ten requests in one breath are answered in turn;
// of thousands, all in one read, a few are begun, the connection ends, and nothing of it is left.
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { hang, json, resetMidBody } from '../fixture/upstream-answers.ts'
import { statuses } from './raw-request.ts'

const { gateway, upstream } = await startApp(t, ({ target }) =>
  target === '/well' ? json({ all: 'well' }) : target === '/broken' ? resetMidBody('begun', 100) : hang,
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

t.test('a long one is cut', async t => {
  using line = await rawTls(port, { ca: gateway.authority.caPem })
  await line.write(ask('/silent', 5_000)).catch(() => undefined)
  t.match((await line.read({ timeout: 5_000 })).ended, /end|error/)
  t.ok(await within(2_000, () => upstream.openConnections <= 10), `${upstream.openConnections} connections`)
  t.equal(ended('/silent').length, 32)
  t.same(new Set(ended('/silent').map(({ ending }) => ending)), new Set(['client-gone']))
  t.ok(upstream.received.filter(({ target }) => target === '/silent').length <= 32)
})

t.test(
  'an answer that is cut in the middle of a pipeline ends the connection, and nothing behind it waits for ever',
  async t => {
    using line = await rawTls(port, { ca: gateway.authority.caPem })
    await line.write(`${ask('/silent/first', 1)}${ask('/broken', 1)}${ask('/well/last', 1)}`)
    t.match((await line.read({ timeout: 5_000 })).ended, /end|error/)
    for (const path of ['/silent/first', '/broken', '/well/last'])
      t.ok(await within(2_000, () => ended(path).length === 1), path)
    t.ok(await within(2_000, () => upstream.openConnections <= 10))
  },
)

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
