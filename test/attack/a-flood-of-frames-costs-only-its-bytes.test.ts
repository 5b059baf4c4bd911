// F07: a hundred thousand tiny fragments and pings, messages that unpack to a thousand times their size, and closing frames
// that say nothing sensible pass byte for byte: the gate reads no more of them than where they end. Where the upstream
// does not read, the flood waits at the client, and the gate's memory stays as it was.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { within } from '../behaviour/app.ts'
import { type RawTls, rawTls } from '../fixture/raw-tls.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Answer, type AnswerLine, json } from '../fixture/upstream-answers.ts'
import { acceptKey } from '../fixture/websocket-echo.ts'
import { statuses, webSocketKey, webSocketLines } from './raw-request.ts'

const megabyte = 1024 * 1024
const switching = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(webSocketKey)}\r\n\r\n`

/** What came through, without being kept. */
const arrived = { bytes: 0, digest: createHash('sha256') }
let flooding: AnswerLine | undefined

const swallow: Answer = async line => {
  await line.write(switching)
  flooding = line
  line.takeOver(bytes => {
    arrived.bytes += bytes.length
    arrived.digest.update(bytes)
  })
  await line.gone
}
/** A real server: at /deaf it never reads; else it unpacks, sends back, and takes a megabyte at most. */
const packing = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true, maxPayload: megabyte })
packing.on('connection', (socket, { url }) => {
  socket.on('error', () => undefined) // told by its close
  if (url === '/deaf') socket.pause()
  else socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
})
await once(packing, 'listening')
t.teardown(() => {
  for (const socket of packing.clients) socket.terminate()
  packing.close()
})
const packingAddress = packing.address()

const upstream = await startUpstream(t, ({ target }) => (target === '/x' ? json({ all: 'well' }) : swallow))
const site = await makeSite(t, {
  yaml: `
log: { level: warn }
upstreams:
  app: { kind: generic, url: "${upstream.url}" }
  packing: { kind: generic, url: "http://127.0.0.1:${typeof packingAddress === 'object' ? packingAddress?.port : 0}" }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /deaf, upstream: packing, access: everyone }
  - { path: /packing, upstream: packing, access: everyone }`,
})
const served = await serveSite(t, site)
const memory = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${served.pid}/status`, 'utf8'))?.[1]) / 1024

async function open(t: Test, path: string): Promise<RawTls> {
  const line = await rawTls(served.port, { ca: site.authority.caPem })
  t.teardown(() => line.close())
  await line.write([`GET ${path} HTTP/1.1`, `Host: localhost:${served.port}`, ...webSocketLines, '', ''].join('\r\n'))
  t.same(statuses((await line.read({ until: '\r\n\r\n' })).text), [101])
  return line
}
/** Another client, while all that goes on. */
async function isServed(t: Test) {
  const began = Date.now()
  t.equal((await askSite(site, served, '/x')).resume().statusCode, 200)
  t.ok(Date.now() - began < 2_000, `another client is served after ${Date.now() - began} ms`)
}

const masked = (first: number, payload: Buffer | string): Buffer => {
  const bytes = Buffer.from(payload)
  const head = Buffer.alloc(bytes.length < 126 ? 2 : 10)
  head[0] = first
  head[1] = 0x80 | (head.length === 2 ? bytes.length : 127)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(bytes.length), 2)
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, Buffer.alloc(4), bytes])
}
const many = (frame: Buffer, times: number) => Buffer.concat(Array.from({ length: times }, () => frame))

const floods = {
  'a message in 100 000 fragments': many(masked(0x00, 'x'), 100_000),
  '100 000 empty fragments': many(masked(0x00, ''), 100_000),
  '100 000 pings': many(masked(0x89, 'ping'), 100_000),
  'three gigabytes packed into three megabytes': many(masked(0xc2, deflateRawSync(Buffer.alloc(64 * megabyte))), 48),
  'reserved opcodes and bits': many(Buffer.concat([masked(0xf3, 'x'), masked(0x7f, 'y')]), 10_000),
  'closing frames that say nothing sensible': Buffer.concat(
    [
      Buffer.of(3),
      Buffer.from([0, 0]),
      Buffer.from([0x40, 0x8f, 0x40, 0, 0, 0, 0, 0]),
      Buffer.from([0xff, 0xff, 0xff]),
    ].map(payload => masked(0x88, payload)),
  ),
}

t.test('what is odd passes as it is, and costs no memory', async t => {
  await isServed(t)
  const before = memory()
  for (const [what, bytes] of Object.entries(floods)) {
    Object.assign(arrived, { bytes: 0, digest: createHash('sha256') })
    const line = await open(t, '/flood')
    const written = line.write(bytes)
    await isServed(t)
    await written
    t.ok(await within(10_000, () => arrived.bytes >= bytes.length), `${what}: ${arrived.bytes} of ${bytes.length}`)
    t.equal(arrived.digest.digest('hex'), createHash('sha256').update(bytes).digest('hex'), `${what}, byte for byte`)
    line.close()
  }
  t.ok(memory() - before < 100, `from ${before.toFixed(0)} to ${memory().toFixed(0)} MB`)
})

t.test('the other way: an upstream floods its client', async t => {
  const line = await open(t, '/flood')
  const pings = many(Buffer.of(0x89, 1, 0x21), 100_000)
  await flooding?.write(pings)
  let came = 0
  for (const deadline = Date.now() + 10_000; came < pings.length && Date.now() < deadline; )
    came += (await line.read({ until: /./s, timeout: 500 })).bytes.length
  t.equal(came, pings.length)
})

t.test('where the upstream does not read, the flood waits at the client', async t => {
  const before = memory()
  const line = await open(t, '/deaf')
  const flood = many(masked(0x89, 'x'.repeat(100)), 10_000)
  let taken = 0
  const push = () => {
    while (!line.socket.destroyed && taken < 200 * megabyte) {
      taken += flood.length
      if (!line.socket.write(flood)) return
    }
  }
  line.socket.on('drain', push)
  push()
  await within(1_500, () => taken >= 200 * megabyte)
  t.ok(taken < 100 * megabyte, `${(taken / megabyte).toFixed(0)} MB were taken`)
  t.ok(memory() - before < 50, `from ${before.toFixed(0)} to ${memory().toFixed(0)} MB`)
  await isServed(t)
})

t.test(
  'a client and a server agree on compression over the head of the gate, and the limit of the server is felt',
  async t => {
    const socket = new WebSocket(`${served.url.replace('https:', 'wss:')}/packing`, { ca: site.authority.caPem })
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    t.equal(socket.extensions, 'permessage-deflate')
    const before = memory()
    const message = Buffer.alloc(megabyte, 'a patient ')
    const echo = once(socket, 'message')
    socket.send(message)
    t.ok(Buffer.from((await echo)[0]).equals(message))
    const closed = once(socket, 'close')
    socket.send(Buffer.alloc(64 * megabyte))
    t.equal((await closed)[0], 1009, 'too big, says the server')
    t.ok(memory() - before < 20, `from ${before.toFixed(0)} to ${memory().toFixed(0)} MB`)
  },
)
