// Several servers behind one upstream: who is next, who is out, what is tried again elsewhere and what never is.
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { startAuthority } from '../fixture/authority.ts'
import { type Upstream as Fixture, startUpstream } from '../fixture/upstream.ts'
import { hang, json, resetBeforeHead as reset, resetMidBody } from '../fixture/upstream-answers.ts'
import { trustOf } from '../tls/trusted.ts'
import { asking, faultOf, from, isAsked, openSeveral, say, textOf } from './opened.ts'

/** A port on which nobody listens: refused at once. */
async function deadUrl(): Promise<string> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}

/** Without the questions whether they answer. */
const counts = (...fixtures: readonly Fixture[]) =>
  fixtures.map(({ received }) => received.filter(one => isAsked(one)).length)

t.test('whoever has least to do is next, and those with equally much in turns', async t => {
  const [a, b] = [
    await startUpstream(t, ({ target }) => (target === '/held' ? hang : json({}))),
    await startUpstream(t),
  ]
  const { upstream } = openSeveral(t, [a.url, b.url], ', connections: 8')
  for (let count = 0; count < 6; count++) await upstream.send(asking())
  t.same(counts(a, b), [3, 3])
  const leaving = new AbortController()
  const isHeld = () => a.received.some(({ target }) => target === '/held')
  while (!isHeld()) {
    void upstream.send(asking({ target: '/held', signal: leaving.signal })).catch(() => undefined)
    await within(100, isHeld)
  }
  const before = counts(a, b)
  for (let count = 0; count < 5; count++) await upstream.send(asking())
  t.same(counts(a, b), [before[0], (before[1] ?? 0) + 5], 'one is at work: the next are for the other')
  leaving.abort()
})

t.test('each server has its own connections, and nobody waits while one has room', async t => {
  const held = () => hang
  const [a, b] = [await startUpstream(t, held), await startUpstream(t, held)]
  const { upstream } = openSeveral(t, [a.url, b.url], ', connections: 2')
  const leaving = new AbortController()
  const all = Array.from({ length: 6 }, (_, index) =>
    upstream.send(asking({ client: `c${index}`, signal: leaving.signal })).catch(() => undefined),
  )
  t.ok(await within(2_000, () => a.received.length + b.received.length === 4))
  t.same(counts(a, b), [2, 2])
  leaving.abort()
  await Promise.all(all)
})

t.test('a request whose server is not reached goes to the next one, whatever it is, with its whole body', async t => {
  const b = await startUpstream(t, say('b'))
  const { upstream, said } = openSeveral(t, [await deadUrl(), b.url])
  const bodies: Readonly<Record<string, () => Readable>> = {
    short: () => Readable.from(['whole'], { objectMode: false }),
    'in pieces': () => {
      const body = new PassThrough()
      body.write('wh')
      setTimeout(() => body.end('ole'), 30)
      return body
    },
    'of a client that was counted': () =>
      new PassThrough()
        .on('data', () => undefined)
        .pause()
        .end('whole'),
  }
  for (const [name, make] of Object.entries(bodies)) {
    for (const headers of [[['content-length', '5']], []] as const) {
      const { upstream } = openSeveral(t, [await deadUrl(), await deadUrl(), b.url])
      const more = { method: 'POST', body: make(), headers: [['host', 'x'], ...headers] }
      t.equal(await from(upstream, more), 'b', name)
      t.equal(b.received.at(-1)?.body.toString(), 'whole')
    }
  }
  t.equal(await from(upstream), 'b')
  t.equal(await from(upstream, { method: 'DELETE' }), 'b')
  t.match(said, [/^upstream one: server 1 of 2 \(http:\/\/127\.0\.0\.1:\d+\) is out: .*ECONNREFUSED/])
  t.equal(said.length, 1, 'told once')
  t.match(upstream.servers, [
    { number: 1, isOut: true, health: { state: 'down' } },
    { number: 2, isOut: false },
  ])
  t.equal(upstream.health.state, 'up')
})

t.test('what broke off before its answer is asked of another server, once, if it may be repeated', async t => {
  const [a, b] = [await startUpstream(t, () => reset), await startUpstream(t, say('b'))]
  const opened = () => openSeveral(t, [b.url, a.url]).upstream // the second is the first to be asked
  t.equal(await from(opened()), 'b')
  t.equal(counts(a)[0], 2, 'a kept connection that had gone would have been the reason')
  for (const method of ['POST', 'DELETE']) {
    const before = counts(a, b)
    const body = method === 'POST' ? Readable.from(['x'], { objectMode: false }) : undefined
    t.equal(await faultOf(opened().send(asking({ method, body }))), 'upstream-broken')
    t.same(counts(a, b), [(before[0] ?? 0) + 1, before[1]], `${method} is never done twice`)
  }
  const [c, d, e] = [
    await startUpstream(t, () => reset),
    await startUpstream(t, () => reset),
    await startUpstream(t, () => reset),
  ]
  t.equal(await faultOf(openSeveral(t, [c.url, d.url, e.url]).upstream.send(asking())), 'upstream-broken')
  t.same(counts(c, d, e).toSorted(), [0, 1, 2], 'a request that kills servers does not kill them all')
  const cut = await startUpstream(t, () => resetMidBody('12345', 10))
  const { upstream } = openSeveral(t, [b.url, cut.url])
  const before = b.received.length
  await t.rejects(
    upstream.send(asking()).then(({ body }) => textOf(body)),
    'an answer that has begun is never mended',
  )
  t.equal(b.received.length, before)
})

t.test('behind what broke off, no more time goes to servers that cannot be reached than before', async t => {
  const authority = await startAuthority(t)
  const { chainPem, keyPem } = await authority.server(['localhost'])
  const a = await startUpstream(t, () => reset, { tls: { cert: chainPem, key: keyPem } })
  // They take connections, and say nothing in the handshake.
  let hung = 0
  const hang = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const server = createTcpServer(socket => {
        hung++
        socket.on('error', () => undefined)
        t.teardown(() => void socket.destroy())
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.teardown(() => server.close())
      return `https://localhost:${(server.address() as AddressInfo).port}` // it listens on TCP
    }),
  )
  const urls = [hang[0] ?? '', a.url, ...hang.slice(1)] // the second is the first to be asked
  const trust = trustOf({ ca: authority.caFile })
  const { upstream } = openSeveral(t, urls, ', timeouts: { connect: 500 ms }', 'generic', trust)
  t.equal(await faultOf(upstream.send(asking())), 'upstream-timeout')
  t.equal(counts(a)[0], 2)
  t.ok(hung > 0 && hung <= 3, `${hung} of six were waited for`)
})

/** Dies of `/kill`, so long after it was asked. @returns how often it was asked */
async function startMortal(t: Pick<Test, 'teardown'>, after = 0) {
  const seen = { url: '', kills: 0 }
  const server = createHttpServer(({ url }, response) => {
    if (url !== '/kill') return void response.end('{"from":"mortal"}')
    seen.kills++
    setTimeout(() => {
      server.close()
      server.closeAllConnections()
    }, after)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  seen.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on TCP
  return seen
}

t.test(
  'a request that kills servers kills two of them, and one whose server died slowly is answered by another',
  async t => {
    const mortals = [await startMortal(t), await startMortal(t), await startMortal(t), await startMortal(t)]
    const { upstream } = openSeveral(
      t,
      mortals.map(({ url }) => url),
    )
    t.match(await faultOf(upstream.send(asking({ target: '/kill' }))), /^upstream-/)
    t.equal(
      mortals.reduce((sum, { kills }) => sum + kills, 0),
      2,
    )
    const [slow, well] = [await startMortal(t, 400), await startUpstream(t, say('well'))]
    const opened = openSeveral(t, [well.url, slow.url], ', timeouts: { connect: 100 ms }') // the second is the first to be asked
    t.equal(await from(opened.upstream, { target: '/kill' }), 'well')
    t.equal(slow.kills, 1)
  },
)

t.test('a server that is out is asked until it is back; when all are out, they are tried all the same', async t => {
  const [a, b] = [await startUpstream(t, say('a')), await startUpstream(t, say('b'))]
  const { upstream, said } = openSeveral(t, [a.url, b.url])
  for (const _ of [1, 2]) await from(upstream)
  await a.close()
  await b.close()
  t.equal(await faultOf(upstream.send(asking())), 'upstream-unreachable')
  t.equal(upstream.health.state, 'down')
  t.ok(said.length === 2 && said.every(text => /is out/.test(text)))
  const again = await startUpstream(t, say('a'), { port: a.port })
  t.equal(await from(upstream), 'a', 'at once, by the next request')
  await startUpstream(t, say('b'), { port: b.port })
  t.ok(await within(6_000, () => upstream.servers.every(({ isOut }) => !isOut)), 'and by itself')
  t.match(said.slice(2), [/server 1 of 2 .* is back/, /server 2 of 2 .* is back/])
  t.ok(again.received.length > 0)
})

t.test(
  'a server that answers with errors is out while it does so when it is asked, and not for one request',
  async t => {
    let isBroken = false
    const broken = json({ from: 'nobody' }, 503)
    const a = await startUpstream(t, ({ target }) => (isBroken || target === '/one' ? broken : json({ from: 'a' })))
    const b = await startUpstream(t, say('b'))
    const { upstream, said } = openSeveral(t, [a.url, b.url])
    for (let count = 0; count < 6; count++) await from(upstream, { target: '/one' })
    await pause(300)
    t.same(said, [], 'a request that it cannot serve is no reason')
    isBroken = true
    t.ok(
      await within(4_000, async () => {
        await from(upstream)
        return said.some(line => /server 1 of 2 .* is out: it answers with an error/.test(line))
      }),
    )
    const before = counts(a)[0] ?? 0
    for (let count = 0; count < 6; count++) t.equal(await from(upstream), 'b')
    t.equal(counts(a)[0], before, 'it draws no more')
    isBroken = false
    t.ok(await within(6_000, () => said.some(line => /server 1 of 2 .* is back/.test(line))))
    isBroken = true
    t.equal(await upstream.probe(), true)
  },
)

t.test('a question that none of them answers well says nothing of any', async t => {
  const odd = () => startUpstream(t, ({ target }) => json({ from: 'odd' }, target === '/' ? 500 : 200))
  const [a, b] = [await odd(), await odd()]
  const { upstream, said } = openSeveral(t, [a.url, b.url])
  for (let count = 0; count < 4; count++) await from(upstream)
  await pause(500)
  t.same(said, [])
  for (let count = 0; count < 4; count++) t.equal(await from(upstream, { target: '/one' }), 'odd')
})

t.test('a server that proves to be another is never used', async t => {
  const authority = await startAuthority(t)
  const good = await authority.server(['localhost'])
  const other = await authority.server(['elsewhere.example.org'])
  const tls = ({ chainPem, keyPem }: typeof good) => ({ cert: chainPem, key: keyPem })
  const a = await startUpstream(t, say('a'), { tls: tls(good) })
  const b = await startUpstream(t, say('b'), { tls: tls(other) })
  const { upstream, said } = openSeveral(t, [a.url, b.url], '', 'generic', trustOf({ ca: authority.caFile }))
  for (let count = 0; count < 6; count++) t.equal(await from(upstream), 'a')
  t.equal(b.received.length, 0)
  t.match(said, [/server 2 of 2 .* is out: .*localhost/])
})

t.test('who has a session at one server stays there, and elsewhere when that is out', async t => {
  const fixtures = [
    await startUpstream(t, say('1')),
    await startUpstream(t, say('2')),
    await startUpstream(t, say('3')),
  ]
  const { upstream } = openSeveral(
    t,
    fixtures.map(({ url }) => url),
    '',
    'omero-web',
  )
  const affinity = (server?: string, person?: string) => ({ affinity: { server, person } })
  for (const server of ['1', '2', '3', '2']) {
    const answer = await upstream.send(asking(affinity(server)))
    t.match(await textOf(answer.body), `"${server}"`)
    t.equal(answer.pin, undefined, 'it knows already')
  }
  for (const server of [undefined, '9', '0', 'x', '1; x']) {
    const answer = await upstream.send(asking(affinity(server)))
    t.match(await textOf(answer.body), `"${answer.pin}"`, 'whoever comes anew is told')
  }
  const people = Array.from({ length: 40 }, (_, index) => affinity(undefined, `local p${index}`))
  const first = await Promise.all(people.map(person => from(upstream, person)))
  t.same(await Promise.all(people.map(person => from(upstream, person))), first, 'a person has one place from anywhere')
  t.equal(new Set(first).size, 3)

  await fixtures[1]?.close()
  const moved = await upstream.send(asking(affinity('2')))
  t.not(moved.pin, undefined)
  t.not(moved.pin, 2)
  const then = await Promise.all(people.map(person => from(upstream, person)))
  t.ok(
    then.every((place, index) => first[index] === '2' || place === first[index]),
    'only those who were at the one that went have moved',
  )
  const generic = openSeveral(
    t,
    fixtures.map(({ url }) => url),
  )
  t.equal(
    (await generic.upstream.send(asking(affinity('1')))).pin,
    undefined,
    'servers of other kinds know no sessions',
  )
})

t.test('one that takes requests and answers none is out; one that is slow with a single answer is not', async t => {
  const hung = await startUpstream(t, () => hang)
  const slow = await startUpstream(t, ({ target }) => (target === '/slow' ? hang : json({ from: 'slow' })))
  const idle = ', timeouts: { connect: 1 s, idle: 400 ms }'
  const { upstream } = openSeveral(t, [slow.url, hung.url], idle)
  t.equal(await faultOf(upstream.send(asking())), 'upstream-timeout')
  t.match(upstream.servers, [{ isOut: false }, { isOut: true }])
  const late = faultOf(upstream.send(asking({ target: '/slow' })))
  await within(200, () => false)
  t.equal(await from(upstream), 'slow')
  t.equal(await late, 'upstream-timeout')
  t.match(upstream.servers, [{ isOut: false }, { isOut: true }])
  t.equal(hung.received.length, 1, 'what was too slow is not asked again')
})

t.test('a turn for a WebSocket is one at the next server when the first is not reached', async t => {
  const b = await startUpstream(t)
  const { upstream } = openSeveral(t, [b.url, await deadUrl()])
  const turn = await upstream.enter('c', new AbortController().signal)
  t.not(turn.section.url.origin, b.url)
  t.ok(turn.unreached(new Error('refused')))
  t.equal(turn.section.url.origin, b.url)
  t.notOk(turn.unreached(new Error('refused')), 'there is no third one')
  turn.leave()
  turn.leave()
})

t.test('an error in answer to the handshake of a WebSocket brings no server back', async t => {
  const { upstream } = openSeveral(t, [await deadUrl(), await deadUrl()])
  const signal = new AbortController().signal
  const turn = await upstream.enter('c', signal)
  t.ok(turn.unreached(new Error('refused')))
  t.notOk(turn.unreached(new Error('refused')))
  turn.leave()
  const outs = () => upstream.servers.filter(({ isOut }) => isOut).length
  t.equal(outs(), 2)
  const next = await upstream.enter('c', signal)
  next.answered({ status: 502 })
  t.equal(outs(), 2)
  next.answered({ status: 403 })
  t.equal(outs(), 1, 'it is there to say no')
  next.leave()
})
