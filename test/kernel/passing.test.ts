// Bodies, streams and WebSockets that only pass through do not make V8 look at its whole heap.
import { PerformanceObserver } from 'node:perf_hooks'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { carryWebSocket } from '../../src/forward/web-socket.ts'
import { passes } from '../../src/kernel/passing.ts'
import { startStream } from '../fixture/stream.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'

const piece = 16 * 1024
const gigabyte = 2 ** 30

/** @returns how often V8 marked its whole heap */
async function marked(during: () => Promise<void>): Promise<number> {
  let times = 0
  const watch = new PerformanceObserver(list => {
    for (const { detail } of list.getEntries() as { detail?: { kind?: number } }[]) if (detail?.kind === 4) times++ // a major one
  })
  watch.observe({ entryTypes: ['gc'] })
  await during()
  await turn()
  watch.disconnect()
  return times
}

async function pass(told: (read: Buffer) => void): Promise<void> {
  for (let passed = 0; passed < gigabyte; passed += piece) {
    told(Buffer.allocUnsafeSlow(piece).fill(1, 0, 1))
    if (passed % 2 ** 20 === 0) await turn()
  }
}

t.test('a GB passes through', async t => {
  const untold = await marked(() => pass(() => undefined))
  t.ok(untold >= 4, `${untold} times where nobody tells`)
  const seldom = (times: number, of: string) => t.ok(times <= untold / 3, `${times} times of ${of}`)

  seldom(await marked(() => pass(({ length }) => passes(length))), 'a body')

  const [client, upstream] = [{}, {}].map(
    () => new Duplex({ read: () => undefined, write: (_bytes, _as, done) => done() }),
  )
  if (client === undefined || upstream === undefined) throw new Error('two are two')
  carryWebSocket({ client, upstream, first: { fromClient: Buffer.alloc(0), fromUpstream: Buffer.alloc(0) } })
  // A binary frame of a GB.
  upstream.push(Buffer.of(0x82, 127, 0, 0, 0, 0, 0x40, 0, 0, 0))
  seldom(await marked(() => pass(read => upstream.push(read))), 'a WebSocket')

  const server = await startTcpUpstream(t, { keeps: false, onConnection: socket => socket.resume() })
  const stream = await startStream(t, { upstream: server.port, yaml: '{ protocol: raw, access: everyone }' })
  using line = await stream.open()
  const bytes = Buffer.alloc(2 ** 20)
  const streamed = marked(async () => {
    for (let passed = 0; passed < gigabyte; passed += bytes.length) await line.write(bytes)
  })
  seldom(await streamed, 'a stream')
})
