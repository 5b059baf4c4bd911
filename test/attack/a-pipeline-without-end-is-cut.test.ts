// F03: over HTTP/1.1 a client need not wait for an answer before it asks again. Ten requests in one breath are answered in turn;
// of thousands, all in one read, a few are begun, the connection ends, and nothing of it is left.
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { hang, json } from '../fixture/upstream-answers.ts'
import { statuses } from './raw-request.ts'

const { gateway, upstream } = await startApp(t, ({ target }) => (target === '/well' ? json({ all: 'well' }) : hang))
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
