// Over one connection of HTTP/2 a viewer has 128 answers under way and more, and windows that fill a long line.
import { once } from 'node:events'
import { connect } from 'node:http2'
import t from 'tap'
import { frame, preface, readFrames, settings, windowUpdate } from '../attack/http2-frames.ts'
import { openRaw } from '../attack/raw-request.ts'
import { reply } from '../fixture/upstream-answers.ts'
import { startApp } from './app.ts'

const mebibyte = 1024 * 1024
const together = 128

t.test('settings and windows are said as soon as a connection opens', async t => {
  const { gateway } = await startApp(t)
  using line = await openRaw(gateway, { alpn: ['h2'] })
  await line.write(Buffer.concat([Buffer.from(preface, 'latin1'), frame(settings, 0, 0)]))
  let seen: Buffer = Buffer.alloc(0)
  const found = () => readFrames(seen).frames
  for (let turns = 0; turns < 20 && !found().some(({ type }) => type === windowUpdate); turns++)
    seen = Buffer.concat([seen, (await line.read({ timeout: 200, until: /[\s\S]/ })).bytes])
  const said = found().find(({ type, flags }) => type === settings && flags === 0)?.payload ?? Buffer.alloc(0)
  const entries = new Map(
    Array.from({ length: said.length / 6 }, (_, at) => [said.readUInt16BE(6 * at), said.readUInt32BE(6 * at + 2)]),
  )
  t.ok((entries.get(3) ?? 0) >= together, `${entries.get(3)} streams at one time`)
  t.equal(entries.get(4), 3 * mebibyte, 'the window of a stream')
  t.equal(entries.get(8), 1, 'WebSockets (RFC 8441)')
  const opened = found()
    .find(({ type, stream }) => type === windowUpdate && stream === 0)
    ?.payload.readUInt32BE(0)
  t.equal(opened, 8 * mebibyte - 65_535, 'the window of the connection')
})

t.test(`${together} requests are at the upstream before the first is answered`, async t => {
  const all = Promise.withResolvers<void>()
  let arrived = 0
  const { gateway } = await startApp(
    t,
    async ({ target }) => {
      if (++arrived === together) all.resolve()
      await all.promise
      return reply({ body: target })
    },
    { settings: 'connections: 200' },
  )
  const session = connect(`https://127.0.0.1:${gateway.port}`, { ca: gateway.authority.caPem, servername: 'localhost' })
  t.teardown(() => session.destroy())
  await once(session, 'remoteSettings')
  const answers = Array.from({ length: together }, async (_, at) => {
    const stream = session.request({ ':path': `/${at}`, ':authority': `localhost:${gateway.port}` })
    return Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)).toString() // no encoding is set
  })
  t.same(
    await Promise.all(answers),
    answers.map((_, at) => `/${at}`),
  )
})
