/**
 * One upstream as the gateway meets it: what is tried again, what is cut, and what waits.
 */
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { dropBody } from '../../src/upstream/upstream.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { hang, interim, json, reply, resetBeforeHead, trickle } from '../fixture/upstream-answers.ts'
import { asking, eventually, faultOf, open, textOf } from './opened.ts'

t.test('a request and its answer pass as they are', async t => {
  const there = await startUpstream(t, () =>
    interim(
      [[103, [['Link', '</x>']]]],
      reply({
        status: 201,
        headers: [
          ['X-A', '1'],
          ['x-a', '2'],
        ],
        body: 'hello',
      }),
    ),
  )
  const upstream = open(t, there.url)
  const answer = await upstream.send(
    asking({
      target: '/a%2Fb?c=%zz',
      headers: [
        ['host', 'pacs.example.org'],
        ['x-b', '\xe4'],
      ],
    }),
  )
  t.equal(answer.status, 201)
  t.same(answer.headers, [
    ['x-a', '1'],
    ['x-a', '2'],
    ['content-length', '5'],
  ])
  t.equal(answer.closeDelimited, false)
  t.equal(await textOf(answer.body), 'hello')
  t.match(there.received, [{ method: 'GET', target: '/a%2Fb?c=%zz', framing: 'none' }])
  t.equal(there.received[0]?.header('host'), 'pacs.example.org')
  t.equal(there.received[0]?.header('x-b'), '\xe4')
  t.equal(upstream.health.state, 'up')
})

t.test('bodies are framed anew, one request for each, whatever the method', async t => {
  const there = await startUpstream(t)
  const upstream = open(t, there.url)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const body = Readable.from([Buffer.from('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')])
    await textOf((await upstream.send(asking({ method, body }))).body)
  }
  const known = asking({
    method: 'POST',
    body: Readable.from([Buffer.from('12345')]),
    headers: [
      ['host', 'a'],
      ['content-length', '5'],
    ],
  })
  await textOf((await upstream.send(known)).body)
  t.same(there.malformed, [])
  t.same(
    there.received.map(({ method, framing }) => `${method} ${framing}`),
    [...['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].map(method => `${method} chunked`), 'POST length'],
  )
})

t.test('a head and its small body go out in one write', async t => {
  const fixture = await startUpstream(t)
  const port = Number(new URL(fixture.url).port)
  const writes: string[] = []
  for (const name of ['_write', '_writev'] as const) {
    const genuine: (this: Socket, ...given: unknown[]) => unknown = Socket.prototype[name] as never
    t.intercept(Socket.prototype, name, {
      configurable: true,
      value(this: Socket, ...given: unknown[]) {
        if (this.remotePort === port) writes.push(name)
        return genuine.apply(this, given)
      },
    })
  }
  const upstream = open(t, fixture.url)
  for (const text of ['first', 'over a kept connection']) {
    const headers = [
      ['host', 'pacs.example.org'],
      ['content-length', String(text.length)],
    ] as const
    const body = Readable.from([Buffer.from(text)], { objectMode: false })
    await upstream.send(asking({ method: 'POST', headers, body }))
  }
  t.same(writes, ['_writev', '_writev'])
  t.same(
    fixture.received.map(({ body }) => String(body)),
    ['first', 'over a kept connection'],
  )
})

t.test('an idle connection that was just closed is no reason to fail: GET is tried once more', async t => {
  let seen = 0
  const there = await startUpstream(t, () => (++seen % 2 === 0 ? resetBeforeHead : json({ seen })))
  const upstream = open(t, there.url)
  await textOf((await upstream.send(asking())).body)
  t.equal(await textOf((await upstream.send(asking())).body), '{"seen":3}')
  t.equal(there.received.length, 3)
})

t.test('it is tried once more and not twice', async t => {
  const there = await startUpstream(t, () => resetBeforeHead)
  t.equal(await faultOf(open(t, there.url).send(asking())), 'upstream-broken')
  t.equal(there.received.length, 2)
})

t.test('what may have been done is never done again', async t => {
  const there = await startUpstream(t, () => resetBeforeHead)
  const upstream = open(t, there.url)
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    t.equal(await faultOf(upstream.send(asking({ method }))), 'upstream-broken', method)
  }
  t.equal(await faultOf(upstream.send(asking({ body: Readable.from(['x']) }))), 'upstream-broken', 'GET with a body')
  t.equal(there.received.length, 5)
})

t.test('a connection is kept for a minute, however busy it is: a name that moves is followed', async t => {
  let time = 1_000_000
  const there = await startUpstream(t)
  const upstream = open(t, there.url, ', connections: 1', undefined, () => time)
  const ask = async (method: string) => {
    const body = method === 'POST' ? Readable.from([Buffer.from('an image')]) : undefined
    await textOf((await upstream.send(asking({ method, body }))).body)
    return there.received.at(-1)?.connection
  }
  for (const passed of [0, 30_000, 29_999]) {
    time += passed
    t.equal(await ask('POST'), 1, `${passed} ms later`)
  }
  time += 1
  t.equal(await ask('POST'), 1, 'the last one')
  t.equal(there.received.at(-1)?.header('connection'), 'close', 'and says so')
  t.ok(await eventually(() => there.openConnections === 0))
  for (const method of ['POST', 'GET']) t.equal(await ask(method), 2, 'the next one is as new')
  t.equal(there.received.length, 6, 'nothing was asked twice')
  time -= 3_600_000
  await ask('GET')
  t.equal(there.received.at(-1)?.header('connection'), 'close', 'a clock that is set back does not lengthen it')
})

t.test('a client that leaves takes its request along', async t => {
  const there = await startUpstream(t, ({ target }) => (target === '/slow' ? trickle('x'.repeat(100), 20) : hang))
  const upstream = open(t, there.url)
  for (const target of ['/hang', '/slow']) {
    const client = new AbortController()
    const sent = upstream.send(asking({ target, signal: client.signal }))
    if (target === '/hang') {
      t.ok(await eventually(() => there.received.length === 1))
      client.abort(new Error('left'))
      await t.rejects(sent, { message: 'left' })
    } else {
      const { body } = await sent
      client.abort(new Error('left'))
      await t.rejects(textOf(body), { message: 'left' })
    }
    t.ok(await eventually(() => there.openConnections === 0), `the connection of ${target} is closed`)
  }
  dropBody(await upstream.send(asking({ target: '/slow' })))
  t.ok(await eventually(() => there.openConnections === 0), 'also when nobody reads the rest')
})

t.test('an answer that is not read is not fetched', async t => {
  let written = 0
  const piece = Buffer.alloc(1024 * 1024)
  const there = await startUpstream(t, () => async line => {
    await line.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * piece.length}\r\n\r\n`)
    for (let count = 0; count < 64; count++) {
      await line.write(piece)
      written++
    }
  })
  const { body } = await open(t, there.url).send(asking())
  await pause(300)
  t.ok(written < 32, `${written} of 64 MB left the upstream`)
  let length = 0
  for await (const chunk of body) length += chunk.length
  t.equal(length, 64 * piece.length, 'and comes whole once it is read')
})

t.test('so many at one time, the rest waits, and past a limit nobody may', async t => {
  const free = Promise.withResolvers<void>()
  const there = await startUpstream(t, () => async line => {
    await free.promise
    await json({})(line)
  })
  const upstream = open(t, there.url, ', connections: 2')
  const client = new AbortController()
  const waiting = Array.from({ length: 51 }, () => upstream.send(asking()))
  const leaver = upstream.send(asking({ target: '/leaver', signal: client.signal }))
  t.equal(await faultOf(upstream.send(asking())), 'upstream-busy', 'one client may fill half of the queue')
  waiting.push(...Array.from({ length: 50 }, () => upstream.send(asking({ client: 'another' }))))
  waiting.push(...Array.from({ length: 2 }, () => upstream.send(asking({ client: 'a third' }))))
  t.equal(await faultOf(upstream.send(asking({ client: 'a third' }))), 'upstream-busy', 'then it is full but for a few')
  await pause(100)
  t.equal(there.received.length, 2)
  client.abort(new Error('left'))
  await t.rejects(leaver, { message: 'left' }, 'one that waits may leave')
  free.resolve()
  for (const one of waiting) await textOf((await one).body)
  t.equal(there.connections, 2)
  t.notOk(
    there.received.some(({ target }) => target === '/leaver'),
    'and never reaches the upstream',
  )
  t.equal(await faultOf(upstream.send(asking()).then(({ body }) => textOf(body))), 'none', 'then there is room again')
})

t.test('nobody has all connections, and whoever has fewest is next', async t => {
  const slow = Promise.withResolvers<void>()
  const there = await startUpstream(t, ({ target }) => async line => {
    if (target === '/slow') await slow.promise
    await json({})(line)
  })
  const upstream = open(t, there.url, ', connections: 16')
  const ask = async (client: string, target: string) =>
    await textOf((await upstream.send(asking({ client, target }))).body)
  const all = Array.from({ length: 30 }, () => ask('greedy', '/slow'))
  t.ok(await eventually(() => there.received.length === 14))
  all.push(...Array.from({ length: 5 }, () => ask('second', '/slow')))
  t.ok(await eventually(() => there.received.length === 16), 'the last two are for those who have none')
  await pause(50)
  t.equal(there.received.length, 16)
  slow.resolve()
  await Promise.all(all)
})

t.test('whoever has fewest connections is next', async t => {
  const first = Promise.withResolvers<void>()
  const there = await startUpstream(t, ({ target }) => async line => {
    if (target === '/1') await first.promise
    else if (target !== '/late') await line.gone
    await json({})(line)
  })
  const upstream = open(t, there.url, ', connections: 2')
  const ask = (client: string, target: string) => upstream.send(asking({ client, target })).catch(() => undefined)
  for (const target of ['/1', '/2', '/3', '/4']) void ask('greedy', target)
  t.ok(await eventually(() => there.received.length === 2))
  void ask('late', '/late')
  first.resolve()
  t.ok(await eventually(() => there.received.length > 2))
  t.equal(there.received[2]?.target, '/late')
})
