// The body of an answer on its way out: no faster than it is taken, and what breaks ends both sides.
import { once } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { pour } from '../../src/forward/pour.ts'
import { ClientGone, OutgoingBody } from '../../src/listener/bodies.ts'
import { UpstreamBody } from '../../src/upstream/body.ts'

/** Takes a piece when it is told to. */
function slowSink() {
  const taken: Buffer[] = []
  const waiting: (() => void)[] = []
  const sink = new Writable({
    highWaterMark: 4,
    write(chunk: Buffer, _encoding, done) {
      waiting.push(() => {
        taken.push(chunk)
        done()
      })
    },
  })
  sink.on('error', () => undefined)
  return { sink, text: () => Buffer.concat(taken).toString(), take: () => waiting.shift()?.() }
}

t.test('a body is read no faster than it is taken, and is whole', async t => {
  let read = 0
  const body = new Readable({
    highWaterMark: 4,
    read() {
      read++
      this.push(read > 50 ? null : Buffer.from(`piece ${read} `))
    },
  })
  const { sink, text, take } = slowSink()
  const poured = pour(body, sink)
  for (let turns = 0; turns < 10; turns++) await turn()
  t.ok(read < 10, `${read} pieces were read while none was taken`)
  const finished = once(sink, 'finish')
  for (let left = 100; left > 0; left--) {
    take()
    await turn()
  }
  await Promise.all([poured, finished])
  t.equal(text(), Array.from({ length: 50 }, (_, at) => `piece ${at + 1} `).join(''))
})

t.test('what breaks upstream cuts the client, at whatever time it is told', async t => {
  const broken = new Error('the upstream broke off')
  for (const when of ['before', 'after'] as const) {
    const body = new PassThrough()
    const { sink } = slowSink()
    body.write('half')
    if (when === 'before') {
      body.on('error', () => undefined).destroy(broken)
      await turn()
    }
    const poured = pour(body, sink)
    if (when === 'after') setImmediate(() => body.destroy(broken))
    await t.rejects(poured, broken, when)
    t.ok(sink.destroyed && !sink.writableFinished, 'cut, and not ended')
  }
})

t.test('a body that is let go without a word, or is not whole at its end, is no whole answer', async t => {
  const gone = new PassThrough()
  const first = slowSink()
  const poured = pour(gone, first.sink)
  setImmediate(() => gone.destroy())
  await t.rejects(poured, { message: 'the body was let go before its end' })
  t.ok(first.sink.destroyed && !first.sink.writableFinished)

  const second = slowSink()
  const seen: string[] = []
  const looked = pour(Readable.from([Buffer.from('ab')]), second.sink, {
    saw: chunk => seen.push(chunk.toString()),
    atEnd: () => new Error('no end mark'),
  })
  await t.rejects(looked, { message: 'no end mark' })
  t.same(seen, ['ab'])
  t.ok(second.sink.destroyed && !second.sink.writableFinished)
})

t.test('a client that goes ends the answer of the upstream', async t => {
  for (const when of ['before', 'after'] as const) {
    const body = new PassThrough()
    body.write('half')
    const { sink } = slowSink()
    if (when === 'before') sink.destroy()
    const poured = pour(body, sink)
    if (when === 'after') setImmediate(() => sink.destroy())
    await t.rejects(poured, ClientGone, when)
    t.ok(body.destroyed, when)
  }
})

t.test('what an upstream lends is given back when its write is done, and never when the client has gone', async t => {
  for (const ending of ['whole', 'gone', 'failed'] as const) {
    const { sink: client, text, take } = slowSink()
    const sink = new OutgoingBody(client, () => client.destroy())
    const body = new UpstreamBody({ resume: () => undefined, abort: () => undefined })
    const back: string[] = []
    const receive = (piece: string) => body.receive(Buffer.from(piece), () => () => back.push(piece))
    receive('one ')
    const seen: string[] = []
    const poured = pour(body, sink, { saw: chunk => seen.push(chunk.toString()), atEnd: () => undefined })
    receive('two ')
    await turn()
    t.same([back, seen], [[], ['one ', 'two ']], 'seen at once')
    take()
    await turn()
    t.same(back, ['one '], 'the first is out')
    if (ending === 'whole') {
      take()
      receive('three')
      body.finish()
      t.ok(body.destroyed)
      await turn()
      take()
      await poured
      t.same([back, text()], [['one ', 'two ', 'three'], 'one two three'])
    } else {
      const ended = t.rejects(poured, ending === 'gone' ? ClientGone : { message: 'the upstream broke off' })
      if (ending === 'gone') sink.destroy(new ClientGone())
      else body.break(new Error('the upstream broke off'))
      await turn()
      take()
      await ended
      await turn()
      t.same(back, ['one '], ending)
      t.ok(body.destroyed && sink.destroyed)
    }
  }
})

t.test('whoever changes a body on its way gets a copy', async t => {
  const through = new PassThrough()
  const body = new UpstreamBody({ resume: () => undefined, abort: () => undefined })
  const lent = Buffer.from('all of it')
  let isBack = false
  body.receive(lent, () => () => {
    isBack = true
  })
  const poured = pour(body, through)
  await turn()
  t.ok(isBack)
  lent.fill(0)
  body.finish()
  t.equal((await through.toArray()).toString(), 'all of it')
  await poured
})
