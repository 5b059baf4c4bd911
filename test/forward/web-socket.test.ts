// The end of a WebSocket: a closing frame at the end of the frame that is under way, each way, and never torn bytes.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { carryWebSocket, closingFrame } from '../../src/forward/web-socket.ts'
import { within } from '../behaviour/app.ts'

/** Two ends of one TCP connection: the far one is the test's. */
async function pair(t: Test): Promise<{ near: Socket; far: Socket; came: () => Buffer; ended: () => boolean }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const far = connect({ port: typeof address === 'object' && address !== null ? address.port : 0, allowHalfOpen: true })
  const [near] = (await once(server, 'connection')) as [Socket] // the only argument of this event
  server.close()
  const parts: Buffer[] = []
  let isEnded = false
  far.on('data', bytes => parts.push(bytes))
  far.on('error', () => undefined) // told by 'close'
  for (const event of ['end', 'close'] as const)
    far.once(event, () => {
      isEnded = true
    })
  t.teardown(() => {
    near.destroy()
    far.destroy()
  })
  return { near, far, came: () => Buffer.concat(parts), ended: () => isEnded }
}

async function start(t: Test) {
  const [client, upstream] = [await pair(t), await pair(t)]
  const none = Buffer.alloc(0)
  const carried = carryWebSocket({
    ...{ client: client.near, upstream: upstream.near },
    first: { fromClient: none, fromUpstream: none },
  })
  let isClosed = false
  void carried.closed.then(() => {
    isClosed = true
  })
  return { client, upstream, carried, isClosed: () => isClosed }
}

const expired = { code: 1008, reason: 'the session has ended' } as const
const goodbye = closingFrame(expired)
/** Of a client that knows its manners; and of an upstream. */
const [clientsAnswer, upstreamsAnswer] = [Buffer.of(0x88, 0x80, 1, 2, 3, 4), Buffer.of(0x88, 0)]
const head = (length: number) => {
  const bytes = Buffer.of(0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0)
  bytes.writeBigUInt64BE(BigInt(length), 2)
  return bytes
}

/** What the upstream was told: code, without a reason. */
function codeIn(bytes: Buffer): number | undefined {
  const at = bytes.length - 8
  if (at < 0 || bytes[at] !== 0x88 || bytes[at + 1] !== 0x82) return undefined
  const mask = bytes.subarray(at + 2, at + 6)
  return ((bytes[at + 6] ?? 0) ^ (mask[0] ?? 0)) * 256 + ((bytes[at + 7] ?? 0) ^ (mask[1] ?? 0))
}

/** For what follows from what was said, however slow the machine is. */
const soon = 5_000
/** For what the gate's patience would bring about as well, two seconds after the goodbye. */
const sooner = 1_500
/** The same, where a frame that does not come to its end is cut after one. */
const atOnce = 800

t.test('between two frames both sides hear it at once, and are hung up on when they have answered', async t => {
  const { client, upstream, carried, isClosed } = await start(t)
  client.far.write(Buffer.of(0x81, 0x80, 0, 0, 0, 0))
  t.ok(await within(soon, () => upstream.came().length === 6))
  carried.end(expired)
  t.ok(await within(soon, () => client.came().equals(goodbye)), client.came().toString('hex'))
  t.ok(await within(soon, () => codeIn(upstream.came()) === 1001), 'the upstream: going away')
  t.equal(upstream.came().length, 6 + 8)
  client.far.write(Buffer.concat([Buffer.of(0x81, 0x80, 0, 0, 0, 0), clientsAnswer]))
  upstream.far.write(Buffer.concat([Buffer.from([0x81, 2, 1, 2]), upstreamsAnswer]))
  t.ok(await within(sooner, () => client.ended() && upstream.ended()))
  t.ok(client.came().equals(goodbye), 'and nothing behind it')
  t.equal(upstream.came().length, 14)
  for (const { far } of [client, upstream]) far.end()
  t.ok(await within(soon, isClosed))
})

t.test('a frame in the middle comes to its end first, and no other begins', async t => {
  const { client, upstream, carried } = await start(t)
  const payload = Buffer.alloc(500_000, Buffer.of(0x88, 0, 0x81))
  upstream.far.write(Buffer.concat([head(payload.length), payload.subarray(0, 200_000)]))
  client.far.write(Buffer.concat([Buffer.of(0x82, 0x84, 9, 9, 9, 9, 1, 2)]))
  t.ok(await within(soon, () => client.came().length === 200_010 && upstream.came().length === 8))
  carried.end(expired)
  await pause(100)
  t.equal(client.came().length, 200_010, 'it waits')
  upstream.far.write(Buffer.concat([payload.subarray(200_000), Buffer.of(0x81, 1, 0x21)]))
  client.far.write(Buffer.of(3, 4, 0x81, 0x80, 0, 0, 0, 0))
  const whole = Buffer.concat([head(payload.length), payload, goodbye])
  t.ok(await within(soon, () => client.came().length >= whole.length))
  t.ok(await within(soon, () => codeIn(upstream.came()) === 1001))
  await pause(50)
  t.ok(client.came().equals(whole))
  t.equal(upstream.came().length, 10 + 8)
})

t.test('a frame that does not come to its end is cut a second later, with nothing put into it', async t => {
  const { client, upstream, carried, isClosed } = await start(t)
  upstream.far.write(Buffer.concat([head(1_000), Buffer.alloc(10)]))
  client.far.write(Buffer.of(0x82, 0xfe))
  t.ok(await within(soon, () => client.came().length === 20 && upstream.came().length === 2))
  const began = Date.now()
  carried.end(expired)
  t.ok(await within(2_000, () => client.ended() && upstream.ended() && isClosed()))
  t.ok(Date.now() - began >= 900, `${Date.now() - began} ms`)
  t.equal(client.came().length, 20)
  t.equal(upstream.came().length, 2)
})

t.test('who neither answers nor reads is cut within three seconds', async t => {
  const { client, upstream, carried, isClosed } = await start(t)
  client.far.pause()
  upstream.far.write(Buffer.concat([head(64 * 1024 * 1024), Buffer.alloc(64 * 1024 * 1024)]))
  await pause(200)
  carried.end(expired)
  t.ok(await within(3_000, isClosed))
})

t.test('where nobody can tell any more where frames end, both are cut at once', async t => {
  const { client, upstream, carried, isClosed } = await start(t)
  const impossible = Buffer.concat([Buffer.of(0x82, 127), Buffer.alloc(8, 0xff), Buffer.alloc(100, 1)])
  upstream.far.write(impossible)
  t.ok(await within(soon, () => client.came().equals(impossible)), 'it passes as it is')
  carried.end(expired)
  t.ok(await within(atOnce, isClosed))
  t.ok(client.came().equals(impossible))
})

t.test('where the upstream has said goodbye itself, its word stands', async t => {
  const { client, upstream, carried } = await start(t)
  const own = closingFrame({ code: 1001, reason: 'its own' })
  upstream.far.write(own)
  t.ok(await within(soon, () => client.came().length === own.length))
  carried.end(expired)
  client.far.write(clientsAnswer)
  t.ok(await within(sooner, () => client.ended()))
  t.ok(client.came().equals(own))
})

t.test('an end is passed on behind everything that was on its way', async t => {
  const { client, upstream, isClosed } = await start(t)
  const last = Buffer.concat([head(3_000_000), Buffer.alloc(3_000_000, 7)])
  client.far.pause()
  upstream.far.end(last)
  await pause(100)
  client.far.resume()
  t.ok(await within(2_000, () => client.ended()))
  t.ok(client.came().equals(last))
  client.far.end()
  upstream.far.end()
  t.ok(await within(soon, isClosed))
})

t.test('a side that breaks takes the other one along', async t => {
  for (const which of ['client', 'upstream'] as const) {
    const sides = await start(t)
    sides[which].far.resetAndDestroy()
    t.ok(await within(soon, sides.isClosed), which)
  }
})

t.test('one that went before bytes could flow leaves nothing open', async t => {
  const [client, upstream] = [await pair(t), await pair(t)]
  client.near.destroy()
  await once(client.near, 'close')
  const none = Buffer.alloc(0)
  const sides = { client: client.near, upstream: upstream.near }
  const { closed } = carryWebSocket({ ...sides, first: { fromClient: none, fromUpstream: none } })
  await closed
  t.ok(await within(soon, () => upstream.ended()))
})

t.test('messages either way are told from pings', async t => {
  const { client, upstream, carried } = await start(t)
  upstream.far.write(Buffer.of(0x89, 0))
  client.far.write(Buffer.of(0x8a, 0x80, 0, 0, 0, 0))
  t.ok(await within(soon, () => client.came().length === 2 && upstream.came().length === 6))
  t.equal(carried.moved(), false)
  client.far.write(Buffer.of(0x81, 0x80, 0, 0, 0, 0))
  t.ok(await within(soon, () => upstream.came().length === 12))
  t.equal(carried.moved(), true)
  t.equal(carried.moved(), false)
})
