/**
 * A raw stream: who gets in, what is carried, and how it ends.
 */
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startStream } from '../fixture/stream.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'

t.test('the upstream may speak first: it is connected right after the handshake', async t => {
  const upstream = await startTcpUpstream(t, { onConnection: socket => socket.write('IceP hello') })
  const stream = await startStream(t, { upstream: upstream.port, yaml: '{ protocol: raw, access: everyone }' })
  using client = await stream.open()
  t.equal((await client.read({ until: 'hello' })).text, 'IceP hello')
  await client.write('back')
  const came = await upstream.next()
  t.equal((await came.has(4)).toString(), 'back')
  client.end()
  t.equal(await came.ended, 'end')
  came.socket.end()
  t.match(await client.read(), { ended: 'end' })
  t.match(await stream.ended(), {
    client: '127.0.0.1',
    stream: 's',
    toUpstream: 4,
    toClient: 10,
    ending: undefined,
    user: undefined,
  })
  t.match(stream.events, [{ kind: 'stream', stream: 's', address: '127.0.0.1' }])
  t.notMatch(stream.events, [{ who: Object }])
})

t.test('half-close is passed on in both directions', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: '{ protocol: raw, access: everyone }' })

  await t.test('the client has said all, and is answered afterwards', async t => {
    using client = await stream.open(undefined, { tls: { minVersion: 'TLSv1.3' } })
    await client.write('question')
    client.end()
    const came = await upstream.next()
    t.equal(await came.ended, 'end')
    came.socket.end('answer')
    t.match(await client.read(), { text: 'answer', ended: 'end', error: undefined })
    t.match(await stream.ended(), { ending: undefined })
  })
  await t.test('the upstream has said all, and still listens', async t => {
    using client = await stream.open(undefined, { tls: { minVersion: 'TLSv1.3' } })
    const came = await upstream.next()
    came.socket.end('greeting')
    t.match(await client.read(), { text: 'greeting', ended: 'end' })
    await client.write('more')
    client.end()
    t.equal((await came.has(4)).toString(), 'more')
    t.equal(await came.ended, 'end')
    t.match(await stream.ended(), { ending: undefined, toUpstream: 4 })
  })
})

t.test('what breaks on one side ends the other within a second, and is no orderly end there', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: '{ protocol: raw, access: everyone }' })
  await t.test('the client', async t => {
    const client = await stream.open()
    await client.write('half an ima')
    const came = await upstream.next()
    await came.has(11)
    const before = Date.now()
    // What is on its way to it makes the system answer with a reset.
    came.socket.write(Buffer.alloc(100_000))
    client.close()
    came.socket.write(Buffer.alloc(100_000))
    await came.ended
    t.ok(Date.now() - before < 1_000)
    await stream.ended()
  })
  await t.test('the upstream', async t => {
    using client = await stream.open()
    const came = await upstream.next()
    came.socket.write('half an ima')
    await client.read({ until: 'ima' })
    const before = Date.now()
    came.socket.resetAndDestroy()
    t.match(await client.read(), { bytes: Buffer.alloc(0) })
    t.ok(Date.now() - before < 1_000)
    t.match(await stream.ended(), { ending: 'upstream-gone', detail: 'ECONNRESET' })
  })
  await t.test('the gate, when a certificate is taken back: its upstream half goes with it', async t => {
    using client = await stream.open()
    const came = await upstream.next()
    for (const socket of stream.bound.sockets()) socket.destroy()
    t.equal(await came.ended, 'reset')
    await client.read()
    t.match(await stream.ended(), { ending: 'client-gone' })
  })
})

t.test('who may come by a raw stream is decided before a byte reaches the upstream', async t => {
  const upstream = await startTcpUpstream(t)
  const authority = await startAuthority(t)
  const clients = {
    none: undefined,
    alice: await authority.client('alice'),
    mallory: await authority.client('mallory'),
    rogue: await authority.rogueClient('alice'),
    expired: await authority.client('alice', { days: 1, now: new Date(Date.now() - 3 * 86_400_000) }),
    'a server': await authority.server(['alice']),
  }
  const proven = { name: 'alice', realm: 'certificate', proof: 'certificate' }
  const rows: [
    access: string,
    certificate: 'required' | 'optional',
    client: keyof typeof clients,
    expected: string,
    event: object,
  ][] = [
    ['everyone', 'required', 'none', 'no', { kind: 'stream-denial', reason: 'certificate-missing' }],
    ['everyone', 'required', 'alice', 'yes', { kind: 'stream', who: proven }],
    ['everyone', 'optional', 'none', 'yes', { kind: 'stream' }],
    ['everyone', 'optional', 'rogue', 'no', { kind: 'stream-denial', reason: 'certificate-not-trusted' }],
    ['everyone', 'optional', 'expired', 'no', { kind: 'stream-denial', reason: 'certificate-expired' }],
    ['everyone', 'required', 'a server', 'no', { kind: 'stream-denial', reason: 'certificate-wrong-use' }],
    ['authenticated', 'optional', 'none', 'no', { kind: 'stream-denial', reason: 'no-identity' }],
    ['authenticated', 'required', 'mallory', 'yes', { kind: 'stream', who: { name: 'mallory' } }],
    ['authenticated', 'required', 'rogue', 'no', { kind: 'stream-denial', reason: 'certificate-not-trusted' }],
    ['[{ people: [alice] }]', 'required', 'alice', 'yes', { kind: 'stream', who: proven }],
    ['[{ people: [alice] }]', 'required', 'mallory', 'no', { kind: 'stream-denial', reason: 'not-a-member' }],
    ['[{ groups: [nodes] }]', 'required', 'mallory', 'yes', { kind: 'stream' }],
    ['[{ groups: [staff] }]', 'required', 'alice', 'no', { kind: 'stream-denial', reason: 'not-a-member' }],
    ['[{ groups: [nodes], realms: [other] }]', 'required', 'alice', 'no', { reason: 'not-a-member' }],
  ]
  for (const [access, certificate, who, expected, event] of rows) {
    for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
      await t.test(`${access}, certificate ${certificate}, ${who}, ${maxVersion}: ${expected}`, async t => {
        const before = upstream.came.length
        const stream = await startStream(t, {
          ...{ upstream: upstream.port, authority, clients: certificate, groups: ['nodes'] },
          yaml: `{ protocol: raw, access: ${access} }`,
        })
        using client = await stream.open(clients[who], { tls: { maxVersion } })
        if (expected === 'yes') {
          await client.write('in')
          const came = await upstream.next()
          t.equal((await came.has(2)).toString(), 'in')
        } else {
          const answer = await client.read()
          t.match(answer, { ended: 'end', error: undefined, bytes: Buffer.alloc(0) }, 'close_notify, which is an end')
          t.match(await stream.ended(), { ending: 'denied' })
          t.equal(upstream.came.length, before, 'the upstream was not even connected')
          const denied = await stream.metrics.denials.get()
          t.equal(denied.values[0]?.value, 1)
        }
        t.equal(stream.events.length, 1, 'one line for each connection')
        t.match(stream.events, [{ stream: 's', address: '127.0.0.1', ...event }])
      })
    }
  }
})

t.test('an upstream that is not there ends the connection, and is a fault', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: 1, yaml: '{ protocol: raw, access: everyone }' })
  using client = await stream.open()
  t.match(await client.read(), { ended: 'end', bytes: Buffer.alloc(0) })
  t.match(await stream.ended(), { ending: 'fault', fault: 'upstream-unreachable' })
  t.match(stream.lines, [{ level: 'warn', message: 'fault', fault: 'upstream-unreachable', cause: /ECONNREFUSED/ }])
  t.match((await stream.metrics.faults.get()).values, [{ labels: { code: 'upstream-unreachable' }, value: 1 }])
  t.same(upstream.came, [])
})

t.test('an audit trail that cannot be written lets care go on, unless the site chose to refuse', async t => {
  const upstream = await startTcpUpstream(t)
  const yaml = '{ protocol: raw, access: everyone }'
  const refusing = await startStream(t, { upstream: upstream.port, yaml, audit: 'refuse' })
  using turnedAway = await refusing.open()
  t.match(await turnedAway.read(), { ended: 'end' })
  t.match(await refusing.ended(), { ending: 'fault', fault: 'audit-unavailable' })
  t.same(upstream.came, [])
  const going = await startStream(t, { upstream: upstream.port, yaml, audit: 'continue' })
  using client = await going.open()
  await client.write('in')
  t.equal((await (await upstream.next()).has(2)).toString(), 'in')
})

t.test('whoever says nothing, and hears nothing, for the idle limit is cut on both sides', async t => {
  const upstream = await startTcpUpstream(t)
  const yaml = '{ protocol: raw, access: everyone, limits: { idle: 300 ms } }'
  const stream = await startStream(t, { upstream: upstream.port, yaml })
  using client = await stream.open()
  const came = await upstream.next()
  for (let count = 0; count < 4; count++) {
    came.socket.write('.')
    await client.read({ until: '.' })
    await new Promise(resolve => setTimeout(resolve, 150))
  }
  t.equal(await came.ended, 'reset', 'after more than the limit in all')
  t.match(await client.read(), { ended: /end|error/ })
  t.match(await stream.ended(), { ending: 'idle', toClient: 4 })
})

t.test('new terms are for new connections; those that run keep theirs', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: '{ protocol: raw, access: everyone }' })
  using before = await stream.open()
  const came = await upstream.next()
  const next = stream.terms('{ protocol: raw, access: authenticated }', 'required')
  stream.bound.replace(next.section, next.trust)
  using after = await stream.open()
  t.match(await after.read(), { ended: 'end' })
  t.match(stream.events.at(-1), { kind: 'stream-denial', reason: 'certificate-missing' })
  await before.write('still here')
  t.equal((await came.has(10)).toString(), 'still here')
  using alice = await stream.open(await stream.authority.client('alice'))
  await alice.write('in')
  t.equal((await (await upstream.next()).has(2)).toString(), 'in')
})

t.test('a drain accepts nobody, lets what runs finish, and cuts what does not', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: '{ protocol: raw, access: everyone }' })
  using finishing = await stream.open()
  using staying = await stream.open()
  const [one, other] = [await upstream.next(), await upstream.next()]
  const before = Date.now()
  const drained = stream.bound.drain(600)
  await t.rejects(stream.open())
  await finishing.write('last words')
  finishing.end()
  const last = await Promise.race([one.ended.then(() => one), other.ended.then(() => other)])
  t.equal(last.bytes().toString(), 'last words')
  last.socket.end()
  t.match(await finishing.read(), { ended: 'end' })
  await drained
  t.ok(Date.now() - before >= 590, 'the other one had its time')
  t.match(await staying.read(), { ended: /end|error/ })
})

t.test('plain bytes on the port get no connection behind the gate', async t => {
  const { connect } = await import('node:net')
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: '{ protocol: raw, access: everyone }' })
  for (const [bytes, kind] of [
    ['\x01\x00\x00\x00\x00\xcd\x00\x01', 'handshake'],
    ['GET / HTTP/1.1\r\n\r\n', 'plain-http'],
  ] as const) {
    const socket = connect(stream.port, '127.0.0.1')
    socket.on('error', () => undefined) // a reset is an end as well
    socket.resume()
    socket.end(bytes)
    await new Promise(resolve => socket.once('close', resolve))
    const troubles = (await stream.metrics.trouble.get()).values.map(({ labels }) => labels)
    t.match(troubles.at(-1), { listener: 'streams.s', kind })
  }
  t.same(upstream.came, [])
  t.same(stream.events, [])
})

t.test('who stalls in the handshake is cut, and no more come in than may', async t => {
  const { connect } = await import('node:net')
  const upstream = await startTcpUpstream(t)
  const yaml = '{ protocol: raw, access: everyone, limits: { handshake: 300 ms, connections: 2 } }'
  const stream = await startStream(t, { upstream: upstream.port, yaml })
  for (const bytes of [Buffer.alloc(0), Buffer.from('1603010200', 'hex')]) {
    const socket = connect(stream.port, '127.0.0.1')
    socket.on('error', () => undefined) // a reset is an end as well
    socket.resume()
    if (bytes.length > 0) socket.write(bytes)
    const before = Date.now()
    await new Promise(resolve => socket.once('close', resolve))
    t.ok(Date.now() - before < 1_500)
  }
  using one = await stream.open()
  using two = await stream.open()
  // To a client of TLS 1.3 its handshake may seem over before we have heard of it.
  const third = await stream.open().then(
    line => line.read(),
    () => ({ ended: 'error' }),
  )
  t.match(third.ended, /end|error/)
  t.notOk(one.socket.destroyed || two.socket.destroyed)
})
