// Over HTTP/2 the end of an answer comes with its last byte where its length is known, and a body that is not as long as
// was said has no clean end. A viewer that lets go of an answer which is whole has taken nothing back.
import { Writable } from 'node:stream'
import t from 'tap'
import { OutgoingBody } from '../../src/listener/bodies.ts'
import { isComplete } from '../../src/listener/http2-stream.ts'
import {
  block,
  data,
  endHeaders,
  endStream,
  frame,
  headers,
  reset,
  settings,
  windowUpdate,
  word,
} from '../attack/http2-frames.ts'
import { withHttp2 } from '../attack/http2-line.ts'
import { endingOf, protocols, startApp } from '../behaviour/app.ts'
import { reply, resetMidBody } from '../fixture/upstream-answers.ts'

const frameBytes = Buffer.alloc(512 * 1024, 'pixels ')

t.test('on the wire', async t => {
  const app = await startApp(
    t,
    ({ target }) => {
      if (target === '/one-byte-short') return resetMidBody(frameBytes.subarray(1), frameBytes.length)
      return reply({ body: frameBytes, ...(target === '/chunked' ? { chunk: 64 * 1024 } : {}) })
    },
    { answerAt: 'head' },
  )
  const { gateway } = app
  /** @param uploads  the request goes on while it is answered */
  const answerTo = (path: string, uploads = false) =>
    withHttp2({ port: gateway.port, ca: gateway.authority.caPem }, async line => {
      const fields = line
        .fields(uploads ? 'POST' : 'GET')
        .map(([name, value]) => [name, name === ':path' ? path : value] as const)
      await line.say(
        frame(settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), word(2 ** 20)])),
        frame(windowUpdate, 0, 0, word(2 ** 20)),
        frame(headers, uploads ? endHeaders : endHeaders | endStream, 1, block(fields)),
        ...(uploads ? [frame(data, 0, 1, Buffer.alloc(10_000))] : []),
      )
      const isOver = (type: number, flags: number) => type === reset || (type === data && (flags & endStream) !== 0)
      t.ok(await line.sees(frames => frames.some(({ type, flags }) => isOver(type, flags)), 5_000), path)
      const pieces = line.frames.filter(({ type }) => type === data)
      const last = pieces.at(-1)
      return {
        bytes: Buffer.concat(pieces.map(({ payload }) => payload)),
        endsCleanly: last !== undefined && (last.flags & endStream) !== 0,
        atLast: last?.payload.length ?? 0,
        isReset: line.frames.some(({ type }) => type === reset),
      }
    })
  const seeResets = async (path: string) => {
    const answer = await answerTo(path, true)
    t.ok(answer.bytes.equals(frameBytes), path)
    t.ok(answer.endsCleanly, `${path}: the rest of an upload is refused behind the end, and not in its place`)
  }

  const known = await answerTo('/known')
  t.ok(known.bytes.equals(frameBytes))
  t.match(known, { endsCleanly: true, isReset: false })
  t.ok(known.atLast > 0, 'the end has no frame of its own')
  // Where nobody knows the length it comes by itself: Node would end a body that is cut.
  const chunked = await answerTo('/chunked')
  t.ok(chunked.bytes.equals(frameBytes))
  t.match(chunked, { endsCleanly: true, isReset: false })
  await seeResets('/known')
  await seeResets('/chunked')
  for (const protocol of protocols)
    t.match(await endingOf(app, '/one-byte-short', protocol), { ending: 'cut' }, protocol)
})

t.test('a body that is not as long as was said is cut', async t => {
  for (const [pieces, how] of [
    [['four', 'four'], 'whole'],
    [['four', 'fou'], 'cut'],
    [['four', 'four', '!'], 'cut'],
    [['four', 'fours'], 'cut'],
  ] as const) {
    const taken: string[] = []
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken.push(String(chunk))
        done()
      },
    })
    const ending = await new Promise<string>(resolve => {
      const body = new OutgoingBody(sink, () => resolve('cut'), 8)
      body.on('finish', () => resolve('whole'))
      for (const piece of pieces) body.write(piece)
      body.end()
    })
    t.equal(ending, how, String(pieces))
    t.ok(taken.join('').length <= 8, 'never more than was said')
    if (how === 'whole') t.equal(sink.writableFinished, true)
  }
})

t.test('a client that cancels an answer which is whole has taken nothing back', async t => {
  const whole = { rstCode: 0, aborted: false, headersSent: true, writableFinished: true }
  t.equal(isComplete(whole), true)
  t.equal(isComplete({ ...whole, rstCode: 8 }), true)
  for (const less of [{ aborted: true }, { headersSent: false }, { writableFinished: false }])
    t.equal(isComplete({ ...whole, rstCode: 8, ...less }), false, JSON.stringify(less))
  t.equal(isComplete({ ...whole, rstCode: 2 }), false, 'what we have cut')
})
