// F03: a client may reset what it asked for with the code that says "no error". Node then ends its own half of the stream, which
// looks like an answer that is whole, and waits for ever until what is left of it is written. The exchange ends at once all the
// same, and its connection to the upstream is free again, wherever in the answer it was.
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { hang, json } from '../fixture/upstream-answers.ts'
import { block, data, endHeaders, endStream, frame, headers, reset, word } from './http2-frames.ts'
import { withHttp2 } from './http2-line.ts'

const window = 65_535
const { gateway, upstream } = await startApp(t, ({ target }) =>
  target === '/large' ? json({ all: 'x'.repeat(20_000_000) }) : hang,
)
const server = { port: Number(new URL(gateway.url).port), ca: gateway.authority.caPem }

const cases = [
  { where: 'before its head', method: 'GET', path: '/silent', came: 0 },
  { where: 'before its head, which is all of it', method: 'HEAD', path: '/silent/head', came: 0 },
  { where: 'in the middle of its body, where the window is full', method: 'GET', path: '/large', came: window },
]
for (const { where, method, path, came } of cases)
  t.test(`an answer that is reset without an error ${where}`, t =>
    withHttp2(server, async line => {
      const fields = line.fields(method).map(([name, value]) => [name, name === ':path' ? path : value] as const)
      await line.say(frame(headers, endHeaders | endStream, 1, block(fields)))
      t.ok(await within(2_000, () => upstream.received.some(({ target }) => target === path)), 'it arrived')
      const read = () =>
        line.frames.filter(({ type }) => type === data).reduce((sum, { payload }) => sum + payload.length, 0)
      t.ok(await line.sees(() => read() >= came), `${read()} bytes came`)
      t.equal(upstream.openConnections, 1)
      await line.say(frame(reset, 0, 1, word(0)))
      t.ok(await within(2_000, () => upstream.openConnections === 0), 'the upstream is let go')
      const told = () => gateway.log().find(entry => entry['path'] === path)
      t.ok(await within(1_000, () => told() !== undefined))
      t.equal(told()?.['ending'], 'client-gone')
    }),
  )
