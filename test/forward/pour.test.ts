// The body of an answer on its way out: no faster than it is taken, and what breaks ends both sides.
import { once } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { pour } from '../../src/forward/pour.ts'
import { ClientGone } from '../../src/listener/bodies.ts'

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
