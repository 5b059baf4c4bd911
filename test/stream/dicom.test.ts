/**
 * A DICOM stream over real TLS, with bytes that no honest node sends. Source: DICOM PS3.8 9.1.4, 9.2, 9.3.
 */
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import type { RawTls } from '../fixture/raw-tls.ts'
import { startStream } from '../fixture/stream.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { abortByUser, accept, fragment, pdu, refusalIn, releaseRequest, releaseResponse, request } from './pdus.ts'

const refusal = async (client: RawTls) => refusalIn((await client.read({ until: /^[\s\S]{10}/ })).bytes)
const open = '{ protocol: dicom, access: authenticated }'

t.test('an association goes through unchanged, and its ends are told once', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: open, clients: 'required' })
  const ct1 = await stream.authority.client('ct-scanner-1')
  using client = await stream.open(ct1, { alpn: ['dicom'] })
  t.equal(client.socket.alpnProtocol, 'dicom')
  const asked = request({ calling: ' CT1 ', called: 'PACS' })
  await client.write(asked)
  const came = await upstream.next()
  t.ok((await came.has(asked.length)).equals(asked), 'byte by byte, padding and all')
  came.socket.write(accept())
  t.ok((await client.read({ until: /\x00\x03?$/, timeout: 200 })).bytes.equals(accept()))
  await client.write(Buffer.concat([fragment(16_384), fragment(100), releaseRequest]))
  await came.has(asked.length + 16_384 + 100 + 12 + releaseRequest.length)
  came.socket.write(releaseResponse)
  await client.read({ until: /\x06/ })
  client.end()
  t.equal(await came.ended, 'end')
  came.socket.end()
  t.match(await stream.ended(), {
    ...{ stream: 's', calling: 'CT1', called: 'PACS', user: 'ct-scanner-1', proof: 'certificate', ending: undefined },
    toUpstream: asked.length + 16_384 + 100 + 12 + 10,
    toClient: accept().length + 10,
  })
  const who = { name: 'ct-scanner-1', realm: 'certificate', proof: 'certificate' }
  t.same(stream.events, [{ kind: 'stream', who, address: '127.0.0.1', stream: 's', calling: 'CT1', called: 'PACS' }])
})

t.test('a request in pieces of one byte is a request', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: open, clients: 'required' })
  using client = await stream.open(await stream.authority.client('ct'))
  const asked = request()
  for (const byte of asked) await client.write(Buffer.from([byte]))
  const came = await upstream.next()
  t.ok((await came.has(asked.length)).equals(asked))
})

t.test('a certificate calls itself by its titles, and by no other', async t => {
  const upstream = await startTcpUpstream(t)
  const authority = await startAuthority(t)
  const clients = {
    'ct-scanner-1': await authority.client('ct-scanner-1'),
    'mr-scanner-1': await authority.client('mr-scanner-1'),
    stranger: await authority.client('stranger'),
  }
  const pin = new X509Certificate(clients['mr-scanner-1'].certPem).fingerprint256
  const yaml = `{ protocol: dicom, access: authenticated,
    titles: { "CN=ct-scanner-1": [CT1, " CT 2 "], "sha256:${pin}": MR1, "CN=nobody": [CT9] } }`
  const rows: [keyof typeof clients, title: string, expected: string][] = [
    ['ct-scanner-1', 'CT1', 'in'],
    ['ct-scanner-1', ' CT1', 'in'],
    ['ct-scanner-1', 'CT 2', 'in'],
    ['ct-scanner-1', 'ct1', '3 1 1 3'],
    ['ct-scanner-1', 'CT', '3 1 1 3'],
    ['ct-scanner-1', 'MR1', '3 1 1 3'],
    ['ct-scanner-1', 'CT9', '3 1 1 3'],
    ['mr-scanner-1', 'MR1', 'in'],
    ['mr-scanner-1', 'CT1', '3 1 1 3'],
    ['stranger', 'CT1', '3 1 1 3'],
  ]
  for (const [who, calling, expected] of rows) {
    await t.test(`${who} as "${calling}": ${expected}`, async t => {
      const stream = await startStream(t, { upstream: upstream.port, yaml, clients: 'required', authority })
      const before = upstream.came.length
      using client = await stream.open(clients[who])
      await client.write(request({ calling }))
      if (expected === 'in') {
        await (await upstream.next()).has(request({ calling }).length)
        return t.match(stream.events, [{ kind: 'stream', who: { name: who }, calling: calling.trim() }])
      }
      t.equal(await refusal(client), expected)
      t.equal(upstream.came.length, before)
      const detail = new RegExp(`^CN=${who} called itself ${calling}; (none is named for it|its own: )`)
      t.match(stream.events, [
        { kind: 'stream-denial', reason: 'title-not-allowed', who: { name: who }, calling, detail },
      ])
      client.end()
      t.match(await stream.ended(), { ending: 'denied', denied: 'title-not-allowed', calling })
    })
  }
})

t.test('a policy that says no is an A-ASSOCIATE-RJ; a certificate that does not hold is the end of TLS', async t => {
  const upstream = await startTcpUpstream(t)
  const authority = await startAuthority(t)
  const ct = await authority.client('ct')
  const rogue = await authority.rogueClient('ct')
  const rows: [string, clients: 'required' | 'optional', typeof ct | undefined, expected: string, reason: string][] = [
    ['[{ people: [mr] }]', 'required', ct, '3 1 1 1', 'not-a-member'],
    ['authenticated', 'optional', undefined, '3 1 1 1', 'no-identity'],
    ['authenticated', 'required', undefined, 'the end', 'certificate-missing'],
    ['authenticated', 'optional', rogue, 'the end', 'certificate-not-trusted'],
    ['everyone', 'required', rogue, 'the end', 'certificate-not-trusted'],
  ]
  for (const [access, certificate, pair, expected, reason] of rows) {
    await t.test(`${access}, ${certificate}: ${reason}`, async t => {
      const yaml = `{ protocol: dicom, access: ${access} }`
      const stream = await startStream(t, { upstream: upstream.port, yaml, clients: certificate, authority })
      using client = await stream.open(pair)
      // With an answer to come, it waits for the question; else not.
      if (expected !== 'the end') await client.write(request())
      const answer = await client.read({ until: /^[\s\S]{10}/ })
      t.equal(answer.ended === 'end' ? 'the end' : refusalIn(answer.bytes), expected)
      t.match(stream.events, [{ kind: 'stream-denial', reason }])
      t.same(upstream.came, [])
    })
  }
})

t.test('what is no A-ASSOCIATE-RQ is answered and goes nowhere', async t => {
  const upstream = await startTcpUpstream(t)
  const authority = await startAuthority(t)
  const ct = await authority.client('ct')
  const stream = await startStream(t, { upstream: upstream.port, yaml: open, clients: 'required', authority })
  const rows: [string, Buffer, string][] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), '7 2 1'],
    ['TLS in TLS', Buffer.from('160301000100', 'hex'), '7 2 1'],
    ['zeros', Buffer.alloc(100), '7 2 1'],
    ['an answer', accept(), '7 2 2'],
    ['data', fragment(100), '7 2 2'],
    ['an abort', abortByUser, '7 2 2'],
    ['a request of 4 GB', pdu(1, Buffer.alloc(0), 0xffffffff), '7 2 6'],
    ['a request of 256 KB and a byte', pdu(1, Buffer.alloc(0), 256 * 1024 + 1), '7 2 6'],
    ['a request of nothing', pdu(1, Buffer.alloc(0)), '7 2 6'],
    ['a request that ends before its titles', pdu(1, Buffer.alloc(20, 1)), '7 2 6'],
    ['items that do not fit', request({ tail: Buffer.from([0x50, 0, 0, 9]) }), '7 2 6'],
    ['a version to come', request({ version: 2 }), '3 1 2 2'],
    ['a calling title of control characters', request({ calling: Buffer.from('CT1\r\n'.padEnd(16)) }), '3 1 1 3'],
    ['no called title', request({ called: '' }), '3 1 1 7'],
  ]
  for (const [what, bytes, expected] of rows) {
    using client = await stream.open(ct)
    await client.write(bytes)
    t.equal(await refusal(client), expected, what)
    client.end()
    t.match(await stream.ended(), { ending: 'malformed' }, what)
  }
  t.same(upstream.came, [])
  t.ok(stream.events.length > 0, 'who is known is told of, and the same not twice in a minute')
  t.ok(stream.events.every(({ kind, reason }) => kind === 'stream-denial' && reason === 'not-an-association'))
  t.match((await stream.metrics.trouble.get()).values, [{ labels: { kind: 'malformed' }, value: rows.length }])
})

t.test('who is slow with its request is cut, whether silent or dripping, and one that leaves is let go', async t => {
  const upstream = await startTcpUpstream(t)
  const yaml = '{ protocol: dicom, access: authenticated, limits: { associate: 300 ms } }'
  const stream = await startStream(t, { upstream: upstream.port, yaml, clients: 'required' })
  const ct = await stream.authority.client('ct')
  for (const bytes of [Buffer.alloc(0), request().subarray(0, 100), pdu(1, Buffer.alloc(0), 200_000)]) {
    using client = await stream.open(ct)
    await client.write(bytes)
    const before = Date.now()
    t.match(await client.read(), { ended: 'end', bytes: Buffer.alloc(0) })
    t.ok(Date.now() - before < 1_000)
    client.close()
    t.match(await stream.ended(), { ending: 'slow' })
  }
  using leaving = await stream.open(ct)
  await leaving.write(request().subarray(0, 30))
  leaving.close()
  t.match(await stream.ended(), { ending: 'client-gone' })
  t.same(upstream.came, [])
})

t.test('one that was refused and does not hang up is cut', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: open, clients: 'required' })
  using client = await stream.open(await stream.authority.client('ct'))
  await client.write(Buffer.alloc(6))
  t.equal(await refusal(client), '7 2 1')
  const before = Date.now()
  await client.read({ timeout: 5_000 })
  t.ok(Date.now() - before < 4_000)
})

t.test('an upstream that is not there is a rejection that invites to try again', async t => {
  const stream = await startStream(t, { upstream: 1, yaml: open, clients: 'required' })
  using client = await stream.open(await stream.authority.client('ct'))
  await client.write(request())
  t.equal(await refusal(client), '3 2 3 1')
  client.end()
  t.match(await stream.ended(), { ending: 'fault', fault: 'upstream-unreachable', calling: 'CT1' })
  t.match(stream.events, [{ kind: 'stream', calling: 'CT1' }], 'who wanted to come by stands in the trail')
})

t.test('a decision that cannot be written down is not acted on where the site chose to refuse', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: open, clients: 'required', audit: 'refuse' })
  using client = await stream.open(await stream.authority.client('ct'))
  await client.write(request())
  t.equal(await refusal(client), '3 2 3 1')
  t.same(upstream.came, [])
})

t.test('nonsense in an association is aborted on both sides', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: open, clients: 'required' })
  const ct = await stream.authority.client('ct')
  const begin = async () => {
    const client = await stream.open(ct)
    await client.write(request())
    const came = await upstream.next()
    await came.has(request().length)
    return { client, came }
  }
  const rows: [string, Buffer, string][] = [
    ['a second request under another title', request({ calling: 'OTHER' }), '7 2 2'],
    ['data longer than was agreed', pdu(4, Buffer.alloc(0), 1_000_000), '7 2 6'],
    ['a type that does not exist', Buffer.from('ffffffffffff', 'hex'), '7 2 1'],
  ]
  for (const [what, bytes, expected] of rows) {
    const { client, came } = await begin()
    came.socket.write(accept())
    await client.read({ timeout: 5_000, until: /1\.2\.3$/ })
    await client.write(Buffer.concat([fragment(50), bytes]))
    t.equal(await refusal(client), expected, what)
    const all = await came.has(request().length + 56 + 10)
    t.equal(refusalIn(all.subarray(-10)), '7 2 0', `${what}: the upstream is told, and sees nothing of it`)
    client.close()
    came.socket.destroy()
    t.match(await stream.ended(), { ending: 'nonsense', detail: /^the client sent / }, what)
  }
  await t.test('data together with the request, before there is an association', async t => {
    using client = await stream.open(ct)
    await client.write(Buffer.concat([request(), fragment(50)]))
    t.equal(await refusal(client), '7 2 2')
    const came = await upstream.next()
    t.equal((await came.has(request().length + 10)).length, request().length + 10)
    came.socket.destroy()
    client.close()
    t.match(await stream.ended(), { ending: 'nonsense' })
  })
  await t.test('an end in the middle of a PDU is no end for the upstream', async t => {
    const { client, came } = await begin()
    came.socket.write(accept())
    await client.read({ until: /1\.2\.3$/ })
    await client.write(fragment(5_000).subarray(0, 3_000))
    await came.has(request().length + 3_000)
    client.end()
    t.equal(await came.ended, 'reset')
    t.match(await stream.ended(), { ending: 'broken-off' })
    client.close()
  })
  await t.test('an upstream that answers with something else is not believed', async t => {
    const { client, came } = await begin()
    came.socket.write('HTTP/1.1 400 Bad Request\r\n')
    t.equal(await refusal(client), '7 2 0')
    came.socket.destroy()
    client.close()
    t.match(await stream.ended(), { ending: 'nonsense', detail: /^the upstream sent a PDU of type 72/ })
  })
})

t.test('a browser that found the port is told at the handshake', async t => {
  const upstream = await startTcpUpstream(t)
  const stream = await startStream(t, { upstream: upstream.port, yaml: open, clients: 'required' })
  await t.rejects(stream.open(undefined, { alpn: ['h2', 'http/1.1'] }), { code: /ALERT_NO_APPLICATION_PROTOCOL/ })
})
