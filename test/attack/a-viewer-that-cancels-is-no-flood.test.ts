// What a viewer does while somebody scrolls: two hundred requests at once, cancelled, fifty times in a row and twenty times
// a second, far faster than a hand. It keeps its connection, its next study loads well, and what was taken back is let go at
// the archive too. And what a sender does whose uploads are not wanted.
import { connect } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { json } from '../fixture/upstream-answers.ts'
import { endHeaders, endStream, frame, goAway, headers, ping, reset, word } from './http2-frames.ts'
import { withHttp2 } from './http2-line.ts'

const together = 200
const times = 50

t.test('ten thousand requests that are taken back cost a viewer nothing', async t => {
  const { gateway, upstream } = await startApp(t, async ({ target }) => {
    if (target.startsWith('/frame')) await pause(30)
    return json({ all: 'well' })
  })
  const viewer = connect(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => viewer.destroy())
  const cut: unknown[] = []
  viewer.on('goaway', code => cut.push(code)).on('error', error => cut.push(error.message))
  await new Promise(resolve => viewer.once('remoteSettings', resolve))

  let mostOpen = 0
  for (let time = 0; time < times; time++) {
    const next = pause(50)
    const streams = Array.from({ length: together }, () =>
      viewer.request({ ':path': '/frame' }).on('error', () => undefined),
    )
    await pause(25)
    mostOpen = Math.max(mostOpen, upstream.openConnections)
    for (const stream of streams) stream.close(8)
    await next
  }
  t.same(cut, [], 'the connection stays')
  t.ok(mostOpen <= together, `${mostOpen} connections to the archive, some of them on their way out`)

  const load = () =>
    new Promise<number>(resolve => {
      const stream = viewer.request({ ':path': '/study' })
      let status = 0
      stream.once('response', headers => {
        status = Number(headers[':status'])
      })
      stream.on('error', () => undefined)
      stream.once('close', () => resolve(status))
      stream.resume()
    })
  const loaded = await Promise.all(Array.from({ length: together }, load))
  t.same(new Set(loaded), new Set([200]), 'the next study loads well, at once')
  t.same(cut, [])
  t.ok(await within(2_000, () => upstream.openConnections <= 40), `${upstream.openConnections} connections are open`)
  const asked = upstream.received.filter(({ target }) => target === '/frame').length
  t.ok(asked < together * times, `${asked} of ${together * times} reached the archive before they were taken back`)
  t.notOk(
    gateway.log().some(({ kind }) => kind === 'flood'),
    'and nobody calls it a flood',
  )
})

t.test('uploads that are refused, left unread or taken back cost a sender nothing', async t => {
  const { gateway } = await startApp(t, undefined, {
    settings: 'maxBody: 3 MB',
    yaml: `routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /secret, upstream: app, access: authenticated }`,
  })
  // Megabytes: what waits to be sent counts too, and over the bound Node's client turns answers away.
  const sender = connect(gateway.url, { ca: gateway.authority.caPem, maxSessionMemory: 200 })
  t.teardown(() => sender.destroy())
  const cut: unknown[] = []
  sender.on('goaway', code => cut.push(code)).on('error', error => cut.push(error.message))
  const send = (path: string, megabytes: number, takeBack: boolean) =>
    new Promise<number>(resolve => {
      const stream = sender.request({ ':method': 'POST', ':path': path })
      let status = 0
      stream.on('error', () => undefined)
      stream.once('response', headers => {
        status = Number(headers[':status'])
      })
      stream.once('close', () => resolve(status))
      stream.resume()
      stream.end(Buffer.alloc(megabytes * 1024 * 1024))
      if (takeBack) setTimeout(() => stream.close(8), 30)
    })
  const sent = await Promise.all([
    ...Array.from({ length: 5 }, () => send('/secret', 2, false)),
    ...Array.from({ length: 3 }, () => send('/well', 2, false)),
    send('/well', 5, false),
    ...Array.from({ length: 5 }, () => send('/well', 2, true)),
  ])
  t.same(sent.slice(0, 9), [401, 401, 401, 401, 401, 200, 200, 200, 413])
  for (let time = 0; time < 10; time++) t.equal(await send('/well', 2, false), 200)
  t.same(cut, [], 'the connection stays')
  t.notOk(gateway.log().some(({ kind }) => kind === 'flood'))
})

t.test('behind an address that floods, a viewer gets all that it is told it may ask for', async t => {
  const { gateway } = await startApp(t)
  const server = { port: Number(new URL(gateway.url).port), ca: gateway.authority.caPem }
  const pings = (count: number) => Array.from({ length: count }, () => frame(ping, 0, 0, Buffer.alloc(8)))

  // Said with an error, a goodbye is no flood: the next connection may still ping as one that is trusted.
  await withHttp2(server, async line => {
    await line.say(frame(goAway, 0, 0, Buffer.concat([word(0), word(2)])))
    await line.sees(() => false)
    t.ok(line.closed)
  })
  await withHttp2(server, async line => {
    await line.say(...pings(2_500))
    t.ok(await line.sees(frames => frames.filter(({ type }) => type === ping).length === 2_500, 5_000))
  })

  await withHttp2(server, async line => {
    await line.say(...pings(60_000))
    await line.sees(() => false, 5_000)
    t.ok(line.closed, 'somebody floods')
  })
  await withHttp2(server, async line => {
    const ask = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => line.request(2 * (from + at) + 1, { flags: endHeaders | endStream }))
    const cancel = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => frame(reset, 0, 2 * (from + at) + 1, word(8)))
    const answers = (from: number) =>
      new Set(
        line.frames.filter(({ type, stream }) => type === headers && stream > 2 * from).map(({ stream }) => stream),
      )
    const all = 2 * together
    await line.say(...ask(0, all))
    t.ok(await line.sees(() => answers(0).size === all, 10_000), `${answers(0).size} answers, hung up: ${line.closed}`)
    const [next, last] = [all + together, all + 2 * together]
    await line.say(...ask(all, next), ...cancel(all, next), ...ask(next, last))
    const came = () => answers(next).size
    t.ok(await line.sees(() => came() === last - next, 10_000), `${came()} answers, hung up: ${line.closed}`)
  })
})
