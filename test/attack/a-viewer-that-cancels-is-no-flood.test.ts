// What a viewer does while somebody scrolls: two hundred requests at once, cancelled, fifty times in a row and twenty times
// a second, far faster than a hand. It keeps its connection, its next study loads well, and what was taken back is let go at
// the archive too. And what a sender does whose uploads are not wanted.
import { connect } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { json } from '../fixture/upstream-answers.ts'

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
