/**
 * Bytes in bulk: memory stays flat, both ways, also where one side does not read.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { startStream } from '../fixture/stream.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'

const MB = 1024 * 1024
const yaml = '{ protocol: raw, access: everyone }'
const block = randomBytes(MB)

async function send(to: Duplex, megabytes: number): Promise<void> {
  for (let count = 0; count < megabytes; count++) if (!to.write(block)) await once(to, 'drain')
  to.end()
}

/** How many bytes came until the end, and the most memory that the program had meanwhile. */
async function drink(from: Duplex): Promise<{ bytes: number; peak: number }> {
  let [bytes, peak, looked] = [0, 0, 0]
  for await (const chunk of from.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes - looked < 16 * MB) continue
    looked = bytes
    const { heapUsed, external } = process.memoryUsage()
    peak = Math.max(peak, heapUsed + external)
  }
  return { bytes, peak }
}

t.test('a gigabyte passes both ways at one time, and memory stays flat', async t => {
  const upstream = await startTcpUpstream(t, { keeps: false })
  const stream = await startStream(t, { upstream: upstream.port, yaml })
  const { connect } = await import('node:tls')
  // Without the fixture's own reading, which keeps what came.
  const client = connect({ port: stream.port, host: '127.0.0.1', servername: 'localhost', ca: stream.authority.caPem })
  client.allowHalfOpen = true
  await once(client, 'secureConnect')
  const { socket } = await upstream.next()
  const { heapUsed, external } = process.memoryUsage()
  const [up, down] = await Promise.all([drink(socket), drink(client), send(client, 512), send(socket, 512)])
  t.equal(up.bytes, 512 * MB)
  t.equal(down.bytes, 512 * MB)
  const grown = Math.max(up.peak, down.peak) - heapUsed - external
  t.ok(grown < 200 * MB, `${Math.round(grown / MB)} MB more than before`)
  t.match(await stream.ended(), { ending: undefined, toUpstream: 512 * MB, toClient: 512 * MB })
  const counted = (await stream.metrics.streamBytes.get()).values.map(({ labels, value }) => ({ ...labels, value }))
  t.strictSame(
    new Map(counted.map(({ direction, value }) => [direction, value])),
    new Map([
      ['to-client', 512 * MB],
      ['to-upstream', 512 * MB],
    ]),
  )
})

t.test('who does not read stops the other side, and gets all of it later', async t => {
  const upstream = await startTcpUpstream(t, { keeps: false })
  const stream = await startStream(t, { upstream: upstream.port, yaml })
  using client = await stream.open()
  client.socket.pause()
  const { socket } = await upstream.next()
  let sent = 0
  let stuck = false
  while (!stuck) {
    sent += MB
    if (socket.write(block)) continue
    stuck = await Promise.race([
      once(socket, 'drain').then(() => false),
      new Promise<boolean>(resolve => setTimeout(resolve, 300, true)),
    ])
    if (sent > 200 * MB) break
  }
  t.ok(stuck, 'nothing more was taken')
  t.ok(sent < 100 * MB, `${sent / MB} MB lie in the buffers of three sockets`)
  t.ok(Number((await stream.metrics.streamBytes.get()).values[0]?.value) < 50 * MB, 'and only some of it in ours')
  client.socket.resume()
  socket.end()
  const { bytes, ended } = await client.read({ timeout: 10_000 })
  t.equal(ended, 'end')
  t.equal(bytes.length, sent)
})

t.test('the last bytes reach a slow reader although the upstream has hung up long ago', async t => {
  const upstream = await startTcpUpstream(t, { keeps: false })
  const stream = await startStream(t, { upstream: upstream.port, yaml })
  using client = await stream.open()
  client.end()
  client.socket.pause()
  const { socket, ended } = await upstream.next()
  socket.resume()
  t.equal(await ended, 'end')
  socket.end(Buffer.alloc(400_000))
  await once(socket, 'close')
  await new Promise(resolve => setTimeout(resolve, 2_500)) // longer than any patience with last words
  client.socket.resume()
  t.equal((await client.read({ timeout: 5_000 })).bytes.length, 400_000)
  t.match(await stream.ended(), { ending: undefined })
})
