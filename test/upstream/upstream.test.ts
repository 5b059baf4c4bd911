/**
 * One upstream as the gateway meets it: what is tried again, what is cut, what waits, and what each failure is called.
 */
import { createServer } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { HttpUpstreamSection } from '../../src/config/upstream.ts'
import { Fault } from '../../src/kernel/fault.ts'
import type { PeerTrust } from '../../src/tls/peer-trust.ts'
import { openUpstream, type Upstream, type UpstreamRequest } from '../../src/upstream/upstream.ts'
import { configOf } from '../config/written.ts'
import { startAuthority } from '../fixture/authority.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { closeDelimited, hang, interim, json, raw, reply, resetBeforeHead, resetMidBody, trickle } from '../fixture/upstream-answers.ts'

function open(t: Test, url: string, more = '', trust?: PeerTrust): Upstream {
  const section = configOf(`upstreams: { one: { kind: generic, url: "${url}"${more} } }`).upstreams['one']
  // The text above says generic, so it is one for HTTP.
  const upstream = openUpstream('one', section as HttpUpstreamSection, trust, () => 0)
  t.teardown(() => upstream[Symbol.asyncDispose]())
  return upstream
}

const asking = (more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  method: 'GET',
  target: '/',
  headers: [['host', 'pacs.example.org']],
  body: undefined,
  signal: new AbortController().signal,
  ...more,
})

async function textOf(body: Readable): Promise<string> {
  let text = ''
  for await (const chunk of body) text += chunk
  return text
}

/** Code of the fault that a promise ends in. */
const faultOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    error => (error instanceof Fault ? error.code : `no fault: ${error}`),
  )

const eventually = async (what: () => boolean) => {
  for (let tries = 0; tries < 100 && !what(); tries++) await pause(20)
  return what()
}

t.test('a request and its answer pass as they are', async t => {
  const there = await startUpstream(t, () => interim([[103, [['Link', '</x>']]]], reply({ status: 201, headers: [['X-A', '1'], ['x-a', '2']], body: 'hello' })))
  const upstream = open(t, there.url)
  const answer = await upstream.send(asking({ target: '/a%2Fb?c=%zz', headers: [['host', 'pacs.example.org'], ['x-b', '\xe4']] }))
  t.equal(answer.status, 201)
  t.same(answer.headers, [['x-a', '1'], ['x-a', '2'], ['content-length', '5']])
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
  const known = asking({ method: 'POST', body: Readable.from([Buffer.from('12345')]), headers: [['host', 'a'], ['content-length', '5']] })
  await textOf((await upstream.send(known)).body)
  t.same(there.malformed, [])
  t.same(there.received.map(({ method, framing }) => `${method} ${framing}`), [
    ...['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].map(method => `${method} chunked`),
    'POST length',
  ])
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
  const { body } = await upstream.send(asking({ target: '/slow' }))
  body.destroy()
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
  const waiting = Array.from({ length: 101 }, () => upstream.send(asking()))
  const leaver = upstream.send(asking({ target: '/leaver', signal: client.signal }))
  t.equal(await faultOf(upstream.send(asking())), 'upstream-busy')
  await pause(100)
  t.equal(there.received.length, 2)
  client.abort(new Error('left'))
  await t.rejects(leaver, { message: 'left' }, 'one that waits may leave')
  free.resolve()
  for (const one of waiting) await textOf((await one).body)
  t.equal(there.connections, 2)
  t.notOk(there.received.some(({ target }) => target === '/leaver'), 'and never reaches the upstream')
  t.equal(await faultOf(upstream.send(asking()).then(({ body }) => textOf(body))), 'none', 'then there is room again')
})

t.test('every failure before the answer has its name', async t => {
  const closed = await startUpstream(t)
  await closed.close()
  const down = open(t, closed.url)
  t.equal(await faultOf(down.send(asking())), 'upstream-unreachable')
  t.equal(down.health.state, 'down')
  t.equal(await down.probe(), false)
  t.equal(await faultOf(open(t, 'http://nowhere.invalid').send(asking())), 'upstream-unreachable')

  const there = await startUpstream(t, ({ target }) => {
    if (target === '/hang') return hang
    if (target === '/garbage') return raw('220 smtp.example ESMTP\r\n')
    return raw('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
  })
  const impatient = open(t, there.url, ', timeouts: { idle: 300 ms }')
  t.equal(await faultOf(impatient.send(asking({ target: '/hang' }))), 'upstream-timeout')
  t.equal(await faultOf(impatient.send(asking({ target: '/garbage' }))), 'upstream-broken')
  t.equal(await faultOf(impatient.send(asking({ target: '/switch' }))), 'upstream-broken')

  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  t.teardown(() => silent.close())
  await new Promise(resolve => silent.once('listening', resolve))
  const address = silent.address()
  const port = typeof address === 'object' ? address?.port : 0
  const stuck = open(t, `https://127.0.0.1:${port}`, ', timeouts: { connect: 300 ms }')
  t.equal(await faultOf(stuck.send(asking())), 'upstream-timeout', 'a handshake that never comes')
})

t.test('an answer that breaks off is an error for its reader, never a clean end', async t => {
  const there = await startUpstream(t, ({ target }) => (target === '/reset' ? resetMidBody('half', 100) : target === '/short' ? raw('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf') : trickle('abc', 60_000)))
  const upstream = open(t, there.url, ', timeouts: { idle: 300 ms }')
  const read = async (target: string) => faultOf(textOf((await upstream.send(asking({ target }))).body))
  t.equal(await read('/reset'), 'upstream-broken')
  t.equal(await read('/short'), 'upstream-timeout')
  t.equal(await read('/slow'), 'upstream-timeout')
})

t.test('an answer whose end is the end of its connection says so', async t => {
  const there = await startUpstream(t, ({ target }) => (target === '/close' ? closeDelimited('all of it') : reply({ body: 'x', chunk: 1 })))
  const upstream = open(t, there.url)
  const closing = await upstream.send(asking({ target: '/close' }))
  t.equal(closing.closeDelimited, true)
  t.equal(await textOf(closing.body), 'all of it')
  const chunked = await upstream.send(asking())
  t.equal(chunked.closeDelimited, false)
  await textOf(chunked.body)
})

t.test('over TLS the upstream proves itself on every connection', async t => {
  const authority = await startAuthority(t)
  const rogue = await startAuthority(t)
  const server = await authority.server(['localhost'])
  const client = await authority.client('gateway')
  const tls = { cert: server.chainPem, key: server.keyPem, ca: authority.caPem, requestCert: true, rejectUnauthorized: false }
  const there = await startUpstream(t, undefined, { tls })
  const ask = (trust: PeerTrust, url = there.url) => faultOf(open(t, url, '', trust).send(asking()).then(({ body }) => textOf(body)))

  const good: PeerTrust = { ca: [authority.caPem], minVersion: 'TLSv1.2' }
  t.equal(await ask(good), 'none')
  t.equal(await ask({ ...good, cert: client.chainPem, key: client.keyPem }), 'none')
  t.equal(there.received.at(-1)?.peer, 'gateway', 'our certificate was shown')
  const before = there.received.length
  t.equal(await ask({ ...good, ca: [rogue.caPem] }), 'upstream-untrusted', 'another authority of the same name')
  t.equal(await ask({}), 'upstream-untrusted', 'without an authority of its own')
  t.equal(await ask(good, there.url.replace('localhost', '127.0.0.1')), 'upstream-untrusted', 'another name')
  t.equal(await ask({ ...good, servername: 'pacs.example.org' }), 'upstream-untrusted', 'a name that was asked for')
  t.equal(there.received.length, before, 'nothing was said to a server that did not prove itself')
  t.equal(await ask({ ...good, servername: 'localhost' }, there.url.replace('localhost', '127.0.0.1')), 'none')
  t.equal(await ask({ ...good, checkServerIdentity: () => undefined }, there.url.replace('localhost', '127.0.0.1')), 'none')
})
