// F01, F03: streams of HTTP/2 that never open a window, are never read or never ended hold an upstream for as long as
// `idle` says, and meanwhile others are served. Source: RFC 9113 5.2, 10.5.
import t, { type Test } from 'tap'
import { type App, startApp, within } from '../behaviour/app.ts'
import { type Answer, json } from '../fixture/upstream-answers.ts'
import {
  block,
  data,
  endHeaders,
  endStream,
  entries,
  frame,
  headers,
  preface,
  readFrames,
  reset,
  settings,
  windowUpdate,
  word,
} from './http2-frames.ts'
import { pseudo } from './raw-http2.ts'
import { openRaw } from './raw-request.ts'

t.jobs = 3

const streams = 60
const [ownWindow, largest] = [4, 2 ** 31 - 1]

/** More than fits into all buffers on the way. */
const large: Answer = async line => {
  const length = 64 * 1024 * 1024
  await line.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
  const part = Buffer.alloc(65_536, 'x')
  for (let sent = 0; sent < length; sent += part.length) await line.write(part)
}

const open = (t: Test): Promise<App> =>
  startApp(t, ({ target }) => (target === '/large' ? large : json({ all: 'well' })), {
    listener: 'limits: { idle: 1 s }',
  })

const requests = (app: App, method: string, flags: number): Buffer =>
  Buffer.concat(
    Array.from({ length: streams }, (_, at) =>
      frame(headers, endHeaders | flags, 2 * at + 1, block(pseudo(app.gateway, method, '/large'))),
    ),
  )

/** Others get their answers while it lasts; here they come from the same address, and so they wait for some of it to be cut. */
async function othersAreServed(t: Test, { gateway, upstream }: App) {
  const from = Date.now()
  for (let asked = 0; asked < 5; asked++) t.equal((await gateway.ask('/well')).status, 200)
  t.ok(Date.now() - from < 5_000, `five answers took ${Date.now() - from} ms`)
  t.ok(upstream.openConnections <= 40, `${upstream.openConnections} connections at one time`)
}

t.test('F03: windows that are never opened', async t => {
  const app = await open(t)
  using line = await openRaw(app.gateway, { alpn: ['h2'] })
  const begin = Buffer.concat([Buffer.from(preface), frame(settings, 0, 0, entries([ownWindow, 0]))])
  await line.write(Buffer.concat([begin, requests(app, 'GET', endStream)]))
  t.ok(await within(2_000, () => app.upstream.openConnections > 30))
  await othersAreServed(t, app)
  let resets = 0
  let rest: Buffer = Buffer.alloc(0)
  for (const deadline = Date.now() + 15_000; resets < streams && Date.now() < deadline; ) {
    const read = readFrames(Buffer.concat([rest, (await line.read({ timeout: 200, until: /[\s\S]/ })).bytes]))
    rest = read.rest
    resets += read.frames.filter(({ type }) => type === reset).length
  }
  t.equal(resets, streams, 'each is ended')
  t.ok(await within(2_000, () => app.upstream.openConnections <= 5), `${app.upstream.openConnections} are left`)
  await othersAreServed(t, app)
})

t.test('F03: requests whose answers are never read', async t => {
  const app = await open(t)
  using line = await openRaw(app.gateway, { alpn: ['h2'] })
  line.socket.pause()
  const begin = Buffer.concat([
    Buffer.from(preface),
    frame(settings, 0, 0, entries([ownWindow, largest])),
    frame(windowUpdate, 0, 0, word(largest - 65_535)),
  ])
  await line.write(Buffer.concat([begin, requests(app, 'GET', endStream)]))
  t.ok(await within(2_000, () => app.upstream.openConnections > 30))
  await othersAreServed(t, app)
  const all = () => app.upstream.received.filter(({ target }) => target === '/large').length
  t.ok(await within(15_000, () => all() === streams && app.upstream.openConnections <= 5), `${all()} arrived`)
})

t.test('F03: uploads that are never ended', async t => {
  const app = await open(t)
  using line = await openRaw(app.gateway, { alpn: ['h2'] })
  // A byte of each: where nothing comes, the upstream is not even connected to.
  const begun = Array.from({ length: streams }, (_, at) => frame(data, 0, 2 * at + 1, Buffer.from('x')))
  await line.write(Buffer.concat([Buffer.from(preface), frame(settings, 0, 0), requests(app, 'POST', 0), ...begun]))
  t.ok(await within(2_000, () => app.upstream.openConnections > 30))
  await othersAreServed(t, app)
  t.ok(await within(15_000, () => app.upstream.openConnections <= 5), `${app.upstream.openConnections} are left`)
  t.notOk(
    app.upstream.received.some(({ target, complete }) => target === '/large' && complete),
    'none looks whole to the upstream',
  )
})
