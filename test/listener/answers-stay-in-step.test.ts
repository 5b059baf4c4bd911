// Over HTTP/1.1 each request has one answer, in its place: whatever a handler does with the body, however late an end comes,
// and whatever the client was told of the connection.
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { Limits } from '../../src/config/listener.ts'
import type { Connection, Exchange } from '../../src/listener/exchange.ts'
import { createHttp1 } from '../../src/listener/http1.ts'
import { Wire } from './differential/reading.ts'

const turns = async (count = 10) => {
  for (let left = count; left > 0; left--) await new Promise(resolve => setImmediate(resolve))
}
const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`

/** One connection. @param answer  what is done with each exchange */
async function start(answer: (exchange: Exchange, all: readonly Exchange[]) => void) {
  const wire = new Wire()
  const taken: Exchange[] = []
  const engine = createHttp1(
    {
      exchange(exchange) {
        taken.push(exchange)
        answer(exchange, taken)
      },
      upgrade: () => undefined,
      malformed: () => undefined,
    },
    () => ({}) as Connection, // nobody asks about it
    Limits.parse({}),
  )
  engine.accept(wire as Duplex as Socket)
  await turns(1)
  const say = async (...pieces: (string | Buffer)[]) => {
    for (const piece of pieces) {
      wire.feed([Buffer.from(piece)])
      await turns()
    }
  }
  return { wire, engine, say, targets: () => taken.map(({ request }) => request.target) }
}

t.test('an empty piece is none: neither an end, nor a second one behind it', async t => {
  for (const length of ['5', undefined]) {
    const { wire, say, targets } = await start(({ reply }, all) => {
      if (all.length > 1) return
      const sink = reply.head(200, length === undefined ? [] : [['content-length', length]])
      sink.write(Buffer.alloc(0))
      sink.write('hello')
      setImmediate(() => sink.write(Buffer.alloc(0), () => length === undefined && sink.end()))
    })
    await say(get('/1') + get('/2') + get('/3'))
    await turns()
    t.same(targets(), ['/1', '/2'], 'the second one has no answer yet, and the third is not begun')
    t.match(wire.said, length === undefined ? /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/ : /\r\n\r\nhello$/)
  }
  const { wire, say } = await start(({ reply }) => {
    const sink = reply.head(200, [['content-length', '0']])
    sink.write(Buffer.alloc(0))
    sink.end()
  })
  await say(get('/', 'Connection: close\r\n'))
  t.match(wire.said, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/, 'nor does it swallow the head')
})

t.test('a body that is longer or shorter than it says ends the connection', async t => {
  for (const body of ['hell', 'hello!']) {
    const { wire, say, targets } = await start(({ reply }) => {
      reply.head(200, [['content-length', '5']]).end(body)
    })
    await say(get('/1') + get('/2'))
    t.ok(wire.destroyed, body)
    t.same(targets(), ['/1'])
  }
})

t.test('a header that would end its line is a bug, and never written', async t => {
  const thrown: unknown[] = []
  const { wire, say } = await start(({ reply }) => {
    for (const [name, value] of [
      ['x', 'a\r\nset-cookie: b'],
      ['x', 'a\nb'],
      ['x\r\ny', 'a'],
      ['x', '\0'],
      ['x', '\u010a'],
    ] as const)
      try {
        reply.send(200, [[name, value]], '')
      } catch (error) {
        thrown.push(error)
      }
  })
  await say(get('/'))
  t.equal(wire.said, '')
  t.match(thrown, [TypeError])
})

t.test('an answer has one date: that of whoever gave it, or ours', async t => {
  const given = 'Mon, 01 Jan 2001 00:00:00 GMT'
  const { wire, say } = await start(({ reply, request: { target } }) =>
    reply.send(200, target === '/dated' ? [['date', given]] : [], ''),
  )
  await say(get('/dated'))
  t.same(wire.said.match(/^date: .*/gim), [`date: ${given}`])
  wire.said = ''
  await say(get('/'))
  t.match(wire.said.match(/^date: .*/gim), [/^Date: \w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT/])
})

t.test('a client that goes is seen also when its upload was read slowly at the end', async t => {
  let bytes = 0
  const { wire, say } = await start(({ request: { body } }) => {
    body?.read(0)
    setTimeout(() => body?.on('data', (piece: Buffer) => (bytes += piece.length)), 50)
  })
  await say('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n', Buffer.alloc(300_000))
  await new Promise(resolve => setTimeout(resolve, 100))
  t.equal(bytes, 300_000)
  wire.hangUp()
  await turns()
  t.ok(wire.readableEnded)
})

t.test('what an answer said of its connection holds, whatever comes before its end', async t => {
  const { wire, say, targets } = await start(({ reply, request: { body } }, all) => {
    if (all.length > 1) return reply.send(200, [], '')
    const sink = reply.head(200, [])
    body?.resume().on('end', () => sink.end('x'))
  })
  // Nobody knows whether the body comes: the answer says close, and then it comes all the same.
  await say('POST /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n', 'hello', get('/2'))
  t.match(wire.said, /\r\nConnection: close\r\n/)
  t.same(targets(), ['/1'], 'it said close: nothing is read behind it')

  const kept = await start(({ reply }, all) => {
    if (all.length > 1) return reply.send(200, [], 'last')
    const sink = reply.head(200, [['content-length', '1']])
    setTimeout(() => sink.end('x'), 50)
  })
  await kept.say(get('/1'))
  kept.engine.retire()
  await new Promise(resolve => setTimeout(resolve, 100))
  t.notOk(kept.wire.writableEnded, 'it said keep-alive: the next request may be on its way')
  await kept.say(get('/2'))
  t.same(kept.targets(), ['/1', '/2'])
  t.match(kept.wire.said, /keep-alive[\s\S]*HTTP\/1\.1 200 OK[\s\S]*Connection: close\r\n[\s\S]*last$/)
  t.ok(kept.wire.writableEnded)
})

t.test('a body whose request was answered has no say in the next one', async t => {
  const bodies: Exchange['request']['body'][] = []
  const { say, targets } = await start(({ reply, request: { body } }, all) => {
    bodies.push(body)
    body?.read(0)
    if (all.length === 1) return reply.send(200, [], '')
    body?.resume().on('end', () => reply.send(200, [], ''))
  })
  const post = (target: string) => `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n`
  await say(`${post('/1')}0123`, `456789${post('/2')}0123`)
  bodies[0]?.destroy()
  bodies[0]?.pause()
  await say('456789', get('/3'))
  t.same(targets(), ['/1', '/2', '/3'])
})
