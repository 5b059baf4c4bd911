// What is lent stays as it is until it is given back, and what was given back is used again.
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { copyInto, UpstreamBody } from '../../src/upstream/body.ts'
import { type GiveBack, ReadBuffers } from '../../src/upstream/read-buffers.ts'
import { createRandom } from '../attack/differential/random.ts'

/** As Node reads a socket into what it is given: every byte of one read has the same value. */
function readingInto(buffers: ReadBuffers) {
  let room = buffers.onread.buffer()
  const seen = new Set([room.buffer])
  return {
    /** All memory that was ever given. */
    seen,
    read(value: number, count: number) {
      const length = Math.min(count, room.length)
      room.fill(value, 0, length)
      buffers.onread.callback(length)
      room = buffers.onread.buffer()
      seen.add(room.buffer)
      return room.length
    },
  }
}

t.test('whatever is lent, and in whatever order it comes back, nothing is read over it', async t => {
  const random = createRandom(11)
  const buffers = new ReadBuffers()
  const loans: { bytes: Buffer; value: number; giveBack: GiveBack }[] = []
  let value = 0
  const wrong: string[] = []
  const check = ({ bytes, value }: { bytes: Buffer; value: number }) =>
    bytes.equals(Buffer.alloc(bytes.length, value)) || wrong.push(`${value}: written over`)
  buffers.reader = bytes => {
    check({ bytes, value })
    // In pieces, as chunks of a body are, or not at all.
    for (let at = 0; at < bytes.length && !random.oneIn(3); ) {
      const length = 1 + random.below(bytes.length - at)
      loans.push({ bytes: bytes.subarray(at, at + length), value, giveBack: buffers.lend() })
      at += length
    }
  }
  const { read, seen } = readingInto(buffers)
  const ended: GiveBack[] = []
  for (let reads = 0; reads < 1_500; reads++) {
    value = (value + 1) % 251
    const room = read(value, random.pick([1, 500, 16_384, 40_000, 65_536]))
    if (room < 16_384) wrong.push(`room for ${room} bytes`)
    while (loans.length > 12 || (loans.length > 0 && random.oneIn(2))) {
      const [loan] = loans.splice(random.oneIn(2) ? 0 : random.below(loans.length), 1)
      if (loan === undefined) continue
      check(loan)
      loan.giveBack()
      ended.push(loan.giveBack)
    }
    // Once more, and late: of a loan that is over nothing is left to give.
    if (ended.length > 0) ended[random.below(ended.length)]?.()
  }
  t.same(wrong, [])
  t.ok(seen.size < 500, `${seen.size} pieces of memory for 1500 reads`)
})

t.test('who gives back at once is read into the same memory for ever; who never does gets new memory', async t => {
  const buffers = new ReadBuffers()
  const { read, seen } = readingInto(buffers)
  buffers.reader = () => buffers.lend()()
  for (let reads = 0; reads < 100; reads++) read(1, 65_536)
  t.equal(seen.size, 1)

  let late: GiveBack[] = []
  buffers.reader = () => late.push(buffers.lend())
  for (let reads = 0; reads < 100; reads++) {
    read(1, 65_536)
    if (reads % 12 === 11) late = late.flatMap(giveBack => giveBack() ?? [])
  }
  t.equal(seen.size, 4)

  buffers.reader = () => buffers.lend()
  for (let reads = 0; reads < 40; reads++) read(1, 65_536)
  t.ok(seen.size >= 10)
})

t.test('what comes before there is a reader is nobody’s, and is not forgotten', async t => {
  const buffers = new ReadBuffers()
  const { read } = readingInto(buffers)
  t.notOk(buffers.hasMissed)
  read(1, 5)
  t.ok(buffers.hasMissed)
})

t.test('a body gives its readers bytes of their own, and its borrower what was read', async t => {
  const buffers = new ReadBuffers()
  const { read } = readingInto(buffers)
  const source = { resume: () => undefined, abort: () => undefined }
  const letters = (...bytes: Buffer[]) =>
    Buffer.concat(bytes)
      .toString()
      .replace(/(.)\1+/g, '$1')

  for (const when of ['before', 'after'] as const) {
    const body = new UpstreamBody(source)
    buffers.reader = bytes => body.receive(bytes, buffers.lend)
    const chunks: Buffer[] = []
    const listen = () => body.on('data', (chunk: Buffer) => chunks.push(chunk))
    if (when === 'after') listen()
    await turn()
    for (const letter of 'abcdefgh') read(letter.charCodeAt(0), 50_000)
    body.finish()
    if (when === 'before') listen()
    await turn()
    await turn()
    t.ok(body.readableEnded)
    buffers.reader = () => undefined
    for (let reads = 0; reads < 10; reads++) read(0x78, 65_536)
    t.equal(letters(...chunks), 'abcdefgh', `heard ${when} it came`)
  }

  for (const when of ['before', 'after'] as const) {
    const body = new UpstreamBody(source)
    buffers.reader = bytes => body.receive(bytes, buffers.lend)
    const taken: Buffer[] = []
    const loans: GiveBack[] = []
    let isEnded = false
    const borrow = () =>
      body.lendTo({
        take: (bytes, giveBack) => taken.push(bytes) > 0 && loans.push(giveBack) > 0,
        end: () => {
          isEnded = true
        },
      })
    if (when === 'after') borrow()
    for (const letter of 'abcdefgh') read(letter.charCodeAt(0), 50_000)
    body.finish()
    t.equal(isEnded, when === 'after')
    if (when === 'before') borrow()
    t.ok(isEnded && body.destroyed && body.errored === null)
    buffers.reader = () => undefined
    for (let reads = 0; reads < 10; reads++) read(0x78, 65_536)
    t.equal(letters(...taken), 'abcdefgh', `lent ${when} it came`)
    for (const giveBack of loans) giveBack()
    t.throws(() => body.lendTo({ take: () => true, end: () => undefined }), 'once')
  }
})

t.test('a body is copied whole into the memory of its reader, or breaks for him too', async t => {
  const buffers = new ReadBuffers()
  const { read, seen } = readingInto(buffers)
  const source = { resume: () => undefined, abort: () => undefined }
  const begun = () => {
    const body = new UpstreamBody(source)
    buffers.reader = bytes => body.receive(bytes, buffers.lend)
    read(1, 60_000)
    return body
  }
  const room = Buffer.alloc(150_000)
  const body = begun()
  const copied = copyInto(body, room)
  read(2, 60_000)
  body.finish()
  t.equal(await copied, 120_000)
  t.ok(room.equals(Buffer.concat([Buffer.alloc(60_000, 1), Buffer.alloc(60_000, 2), Buffer.alloc(30_000)])))
  t.equal(seen.size, 1, 'given back at once')

  const large = begun()
  large.finish()
  t.equal(await copyInto(large, Buffer.alloc(100)), 60_000, 'more than there is room for')

  const reason = new Error('the upstream broke off')
  for (const when of ['before', 'after'] as const) {
    const broken = begun()
    if (when === 'before') broken.break(reason)
    const failed = t.rejects(copyInto(broken, room), reason, when)
    if (when === 'after') broken.break(reason)
    await failed
  }
})
