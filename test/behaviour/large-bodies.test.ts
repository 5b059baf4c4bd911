// A gigabyte goes through in either direction, byte for byte, in memory that does not grow with it.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import t, { type Test } from 'tap'
import { makeSite, serveSite } from '../fixture/site.ts'

const megabyte = 1024 ** 2
const gigabyte = 1024 ** 3
/** Flow control over HTTP/1.1 is TCP's own, and a quarter shows as much. */
const downloads = { 'HTTP/1.1': gigabyte / 4, 'HTTP/2': gigabyte }
/** How much the gateway may grow beyond what it needed before, whatever it carries. */
const bound = 120

/** Blocks that differ from each other, so that a lost or doubled one shows; made once, sent by reference. */
const blocks = Array.from({ length: 17 }, (_, nth) => Buffer.alloc(64 * 1024, `${nth} `.padStart(7, '-')))

interface Flow {
  bytes: number
  crc: number
}

const add = (flow: Flow, chunk: Buffer) => {
  flow.bytes += chunk.length
  flow.crc = crc32(chunk, flow.crc)
}

function source(size: number): { readonly sent: Flow; readonly body: Readable } {
  const sent = { bytes: 0, crc: 0 }
  let nth = 0
  const body = new Readable({
    highWaterMark: 256 * 1024,
    read() {
      const block = blocks[nth++ % blocks.length] ?? Buffer.alloc(0)
      const chunk = block.subarray(0, Math.min(block.length, size - sent.bytes))
      add(sent, chunk)
      this.push(chunk.length === 0 ? null : chunk)
    },
  })
  return { sent, body }
}

async function sink(stream: Readable): Promise<Flow> {
  const seen = { bytes: 0, crc: 0 }
  for await (const chunk of stream) add(seen, chunk)
  return seen
}

/** Megabytes, as the kernel counts them: what is resident now, and at most so far. */
function memoryOf(pid: number): { readonly now: number; readonly most: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const line = (name: string) => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) / 1024)
  return { now: line('VmRSS'), most: line('VmHWM') }
}

/** The gateway as a process of its own, in front of an upstream that takes, or gives, a gigabyte. */
async function start(t: Test) {
  const taken: Promise<Flow>[] = []
  const given: Flow[] = []
  const server = createServer((message: IncomingMessage, response: ServerResponse) => {
    if (message.method === 'POST') {
      const flow = sink(message)
      taken.push(flow)
      flow.then(
        ({ bytes }) => response.end(String(bytes)),
        () => response.destroy(),
      )
      return
    }
    const { sent, body } = source(Number(message.url?.slice(1)))
    given.push(sent)
    pipeline(body, response).catch(() => undefined) // the client may leave
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  t.teardown(() => server.closeAllConnections())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const site = await makeSite(t, {
    yaml: `upstreams: { app: { kind: generic, url: "http://127.0.0.1:${port}" } }\nroutes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  const tls = { ca: site.authority.caPem, servername: 'localhost' }

  const http1 = async (method: string, path: string, body?: Readable) => {
    const headers = { host: `localhost:${served.port}`, ...(body === undefined ? {} : { 'content-length': gigabyte }) }
    const sent = request({ ...tls, host: '127.0.0.1', port: served.port, method, path, headers, agent: false })
    const answer = once(sent, 'response').then(([message]) => message as IncomingMessage) // the only argument of this event
    if (body === undefined) sent.end()
    else await pipeline(body, sent)
    return await answer
  }
  const http2 = async (method: string, path: string, body?: Readable): Promise<ClientHttp2Stream> => {
    const session = connectHttp2(served.url, { ...tls, settings: { initialWindowSize: 1024 * 1024 } })
    session.once('connect', () => session.setLocalWindowSize(4 * 1024 * 1024))
    t.teardown(() => session.destroy())
    const stream = session.request({ ':method': method, ':path': path }, { endStream: body === undefined })
    const answered = once(stream, 'response')
    if (body !== undefined) await pipeline(body, stream, { end: true })
    await answered
    return stream
  }
  // What the first requests need (compiled code, pools) is no growth of a large one.
  for (const ask of [http1, http2]) await sink(await ask('GET', '/1000000'))
  given.length = 0
  return { served, taken, given, ask: { 'HTTP/1.1': http1, 'HTTP/2': http2 } }
}

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  t.test(`over ${protocol} a gigabyte is uploaded`, async t => {
    const { served, taken, ask } = await start(t)
    const before = memoryOf(served.pid)
    const { sent, body } = source(gigabyte)
    const answer = await ask[protocol]('POST', '/upload', body)
    t.equal((await sink(answer)).bytes, String(gigabyte).length)
    t.same(await taken[0], sent, 'every byte')
    t.equal(sent.bytes, gigabyte)
    const after = memoryOf(served.pid)
    t.ok(after.most - before.now < bound, `it grew from ${before.now} to at most ${after.most} MB`)
  })

  t.test(
    `over ${protocol} ${downloads[protocol] / megabyte} MB are downloaded by a reader that pauses, and the upstream waits with it`,
    async t => {
      const { served, given, ask } = await start(t)
      const before = memoryOf(served.pid)
      const answer = await ask[protocol]('GET', `/${downloads[protocol]}`)
      answer.pause()
      await pause(1_000)
      const ahead = given[0]?.bytes ?? 0
      await pause(500)
      t.equal(given[0]?.bytes, ahead, 'nothing moves')
      t.ok(ahead < 64 * megabyte, `the upstream sent ${Math.round(ahead / megabyte)} MB ahead`)
      t.same(await sink(answer), { bytes: downloads[protocol], crc: given[0]?.crc }, 'every byte')
      const after = memoryOf(served.pid)
      t.ok(after.most - before.now < bound, `it grew from ${before.now} to at most ${after.most} MB`)
    },
  )
}
