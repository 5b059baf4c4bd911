/**
 * What each failure of an upstream is called, before its answer and in it, and whether it proved who it is.
 */
import { createServer } from 'node:net'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { closeDelimited, hang, raw, reply, resetMidBody } from '../fixture/upstream-answers.ts'
import { trustOf } from '../tls/trusted.ts'
import { asking, faultOf, open, textOf } from './opened.ts'

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

  const silent = createServer(socket => socket.resume()).listen(0, '127.0.0.1')
  t.teardown(() => silent.close())
  await new Promise(resolve => silent.once('listening', resolve))
  const address = silent.address()
  const port = typeof address === 'object' ? address?.port : 0
  const stuck = open(t, `https://127.0.0.1:${port}`, ', timeouts: { connect: 300 ms }')
  t.equal(await faultOf(stuck.send(asking())), 'upstream-timeout', 'a handshake that never comes')
})

t.test('an answer that breaks off is an error for its reader, never a clean end', async t => {
  const there = await startUpstream(t, ({ target }) =>
    target === '/reset' ? resetMidBody('half', 100) : raw('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
  )
  const upstream = open(t, there.url, ', timeouts: { idle: 300 ms }')
  const read = async (target: string) => faultOf(textOf((await upstream.send(asking({ target }))).body))
  t.equal(await read('/reset'), 'upstream-broken')
  t.equal(await read('/stuck'), 'upstream-timeout')
})

t.test('an answer whose end is the end of its connection says so', async t => {
  const there = await startUpstream(t, ({ target }) =>
    target === '/close' ? closeDelimited('all of it') : reply({ body: 'x', chunk: 1 }),
  )
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
  const tls = {
    cert: server.chainPem,
    key: server.keyPem,
    ca: authority.caPem,
    requestCert: true,
    // The upstream lets everybody in: what is judged here is how we judge it.
    rejectUnauthorized: false,
  }
  const there = await startUpstream(t, undefined, { tls })
  const bare = there.url.replace('localhost', '127.0.0.1')
  const ask = (trust: object, { url = there.url, host = '' } = {}) => {
    const headers = [['host', host === '' ? new URL(url).host : host] as const]
    return faultOf(
      open(t, url, '', trustOf(trust))
        .send(asking({ headers }))
        .then(({ body }) => textOf(body)),
    )
  }

  const good = { ca: authority.caFile }
  t.equal(await ask(good), 'none')
  t.equal(await ask({ ...good, certificate: client.certFile, key: client.keyFile }), 'none')
  t.equal(there.received.at(-1)?.peer, 'gateway', 'our certificate was shown')
  const before = there.received.length
  t.equal(await ask({ ...good, ca: rogue.caFile }), 'upstream-untrusted', 'another authority of the same name')
  t.equal(await ask({}), 'upstream-untrusted', 'without an authority of its own')
  t.equal(await ask(good, { url: bare }), 'upstream-untrusted', 'another name')
  t.equal(there.received.length, before, 'nothing was said to a server that did not prove itself')
  t.equal(await ask({ ...good, checkName: false }, { url: bare }), 'none')
  t.equal(await ask({ ...good, name: 'localhost' }, { url: bare }), 'none', 'a name of its own')

  await t.test("the name that counts is the upstream's, whatever Host the client sent", async t => {
    t.equal(await ask(good, { host: 'imaging.example.org' }), 'none')
    t.equal(await ask({ ...good, name: 'localhost' }, { url: bare, host: 'imaging.example.org' }), 'none')
    t.equal(await ask({ ...good, name: 'pacs.example.org' }, { host: 'localhost' }), 'upstream-untrusted')
    t.equal(await ask(good, { url: bare, host: 'localhost' }), 'upstream-untrusted', 'a client cannot choose it')
  })
})
