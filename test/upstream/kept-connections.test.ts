/**
 * Which connection a request goes out on: a kept one, the one that was used last, as long as its server keeps it; and what is
 * waited for, and for how long, while a body goes up.
 */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, reply } from '../fixture/upstream-answers.ts'
import { trustOf } from '../tls/trusted.ts'
import { asking, eventually, faultOf, open, textOf } from './opened.ts'

t.jobs = 4

const host = ['host', 'pacs.example.org'] as const
const bodyOf = (size: number) => Readable.from([Buffer.alloc(size, 'x'), Buffer.alloc(size, 'y')])

t.test(
  'one connection carries one request after the other, whatever their bodies are, in clear and over TLS',
  async t => {
    const authority = await startAuthority(t)
    const { chainPem: cert, keyPem: key } = await authority.server(['localhost'])
    for (const tls of [undefined, { cert, key }]) {
      const there = await startUpstream(
        t,
        ({ target }) => reply({ body: 'x'.repeat(100), chunk: target === '/chunked' ? 7 : 100 }),
        {
          ...(tls && { tls }),
        },
      )
      const upstream = open(t, there.url, '', tls && trustOf({ ca: authority.caFile }))
      for (const target of ['/chunked', '/whole']) {
        for (const size of [1, 100_000]) {
          const length = ['content-length', String(2 * size)] as const
          t.equal((await textOf((await upstream.send(asking({ target }))).body)).length, 100)
          for (const headers of [[host], [host, length]]) {
            const answer = await upstream.send(asking({ method: 'POST', target, headers, body: bodyOf(size) }))
            t.equal((await textOf(answer.body)).length, 100)
          }
        }
      }
      t.equal(there.received.length, 12)
      t.equal(there.connections, 1, there.url)
      t.ok(there.received.every(({ complete }) => complete))
    }
  },
)

t.test('those that were used last are used first', async t => {
  const both = Promise.withResolvers<void>()
  const there = await startUpstream(t, ({ target }) => async line => {
    if (target !== '/') await both.promise
    await json({})(line)
  })
  const upstream = open(t, there.url)
  const ask = async (target: string) => textOf((await upstream.send(asking({ target }))).body)
  const five = ['/1', '/2', '/3', '/4', '/5'].map(ask)
  t.ok(await eventually(() => there.received.length === 5))
  both.resolve()
  await Promise.all(five)
  for (let times = 0; times < 10; times++) await ask('/')
  const used = new Set(there.received.slice(5).map(({ connection }) => connection))
  t.ok(used.size <= 2, 'the last one, and the one before where the last has only just become free')
  t.equal(there.connections, 5)
})

t.test('it is closed before its server closes it, as far as the server tells', async t => {
  const there = await startUpstream(t, ({ target }) =>
    reply({ headers: [['Keep-Alive', `timeout=${target.slice(1)}`]] }),
  )
  const upstream = open(t, there.url)
  await textOf((await upstream.send(asking({ target: '/0' }))).body)
  t.ok(await eventually(() => there.openConnections === 0), 'no time at all')
  await textOf((await upstream.send(asking({ target: '/1' }))).body)
  await pause(200)
  t.equal(there.openConnections, 1)
  t.ok(await eventually(() => there.openConnections === 0))
  await textOf((await upstream.send(asking({ target: '/5' }))).body)
  t.equal(there.connections, 3)
})

t.test('one that its server closed behind a body that was taken slowly carries nothing any more', async t => {
  const size = 4 * 1024 * 1024
  const there = await startTcpUpstream(t, {
    onConnection(socket: Socket) {
      socket.once('data', () => {
        socket.end(
          Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`), Buffer.alloc(size)]),
        )
      })
    },
  })
  const upstream = open(t, `http://127.0.0.1:${there.port}`, ', connections: 1')
  const answers = [await upstream.send(asking())]
  for (let times = 0; times < 10; times++) {
    // It waits for the connection, and would not be sent twice.
    const next = upstream.send(asking({ method: 'POST', body: Readable.from(['x']) }))
    await pause(20)
    const [answer] = answers.splice(0)
    if (answer === undefined || Buffer.isBuffer(answer.body)) throw new Error('not a body that comes in pieces')
    answer.body.resume()
    answers.push(await next)
  }
  t.equal(there.came.length, 11)
  for (const { body } of answers) if (!Buffer.isBuffer(body)) body.destroy()
})

t.test('whoever meets a closed connection is asked for anew over one that was never used', async t => {
  let isClosing = false
  const there = await startTcpUpstream(t, {
    onConnection(socket: Socket) {
      let asked = 0
      socket.on('data', () => {
        // A server that closes what it has kept just as it is used, all of them alike.
        if (isClosing && asked > 0) return void socket.destroy()
        asked++
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 50)
      })
    },
  })
  const upstream = open(t, `http://127.0.0.1:${there.port}`)
  await Promise.all(Array.from({ length: 5 }, async () => textOf((await upstream.send(asking())).body)))
  isClosing = true
  t.equal((await upstream.send(asking())).status, 200)
  t.equal(there.came.length, 6)
})

t.test('a body whose first byte is late goes out on a connection that is there then', async t => {
  const there = await startTcpUpstream(t, {
    onConnection(socket: Socket) {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
    },
  })
  const upstream = open(t, `http://127.0.0.1:${there.port}`)
  await textOf((await upstream.send(asking())).body)
  const body = new Readable({ read: () => undefined })
  const sent = upstream.send(asking({ method: 'POST', body }))
  await pause(50)
  there.came[0]?.socket.end()
  await pause(50)
  body.push('at last')
  body.push(null)
  t.equal((await sent).status, 200, 'it would not have been sent twice')
  t.equal(there.came.length, 2)
})

t.test(
  'a client that takes its time over a body is no fault of the upstream; one that takes none of it is',
  async t => {
    const there = await startUpstream(t)
    const patient = open(t, there.url, ', timeouts: { idle: 200 ms }')
    const slowly = Readable.from(
      (async function* () {
        yield Buffer.from('one')
        await pause(600)
        yield Buffer.from('two')
      })(),
    )
    t.equal((await patient.send(asking({ method: 'POST', body: slowly }))).status, 200)
    t.equal(there.received[0]?.body.toString(), 'onetwo')

    const deaf = createServer(socket => socket.pause()).listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    const address = deaf.address()
    const port = typeof address === 'object' ? address?.port : 0
    const upstream = open(t, `http://127.0.0.1:${port}`, ', timeouts: { idle: 200 ms }')
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536))
      },
    })
    t.equal(await faultOf(upstream.send(asking({ method: 'POST', body: endless }))), 'upstream-timeout')
    t.ok(endless.destroyed)
    deaf.close()
  },
)

t.test('a body is exactly as long as it was announced, or there is no request', async t => {
  const there = await startUpstream(t, () => reply(), { answerAt: 'end' })
  const upstream = open(t, there.url)
  for (const length of [5, 7, 1_000]) {
    const headers = [host, ['content-length', String(length)] as const]
    const body = Readable.from([Buffer.from('abc'), Buffer.from('def')])
    t.equal(await faultOf(upstream.send(asking({ method: 'POST', headers, body }))), 'upstream-broken', `${length}`)
  }
  t.notOk(there.received.some(({ complete }) => complete))
  t.ok(await eventually(() => there.openConnections === 0))
  t.same(there.malformed, [])
})

t.test('nothing in a head can end a line: that would be a bug of ours, and nothing is sent', async t => {
  const there = await startUpstream(t)
  const upstream = open(t, there.url)
  const odd = [
    { headers: [host, ['x', 'a\r\nb: c'] as const] },
    { headers: [host, ['x\r\ny', 'a'] as const] },
    { headers: [host, ['x', '\u{1F600}'] as const] },
    { headers: [host, ['transfer-encoding', 'chunked'] as const] },
    { headers: [host, ['content-length', '1'] as const, ['content-length', '1'] as const] },
    { target: '/a b' },
    { target: '/a\r\n' },
    { method: 'GET /x' },
  ]
  for (const more of odd) await t.rejects(upstream.send(asking(more)), TypeError)
  t.equal(there.connections, 0)
  t.equal((await upstream.send(asking())).status, 200, 'and each gave its turn back')
})
