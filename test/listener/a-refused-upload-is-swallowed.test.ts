// Who is refused while the body waits in all buffers on the way gets the answer, and is heard again behind the body; whether nobody
// has begun to read it, or somebody has and stopped. A body that is too long for that ends the connection.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { Limits } from '../../src/config/listener.ts'
import type { Connection, Exchange } from '../../src/listener/exchange.ts'
import { createHttp1 } from '../../src/listener/http1.ts'
import { statuses } from '../attack/raw-request.ts'
import { startAuthority } from '../fixture/authority.ts'
import { rawTls } from '../fixture/raw-tls.ts'

const authority = await startAuthority(t)
const server = await authority.server(['localhost'])

/** An upload that is read to its end, slowly. */
async function swallow({ request: { body }, reply }: Exchange): Promise<void> {
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    await pause(1)
  }
  reply.send(200, [], `${bytes} came`)
}

/** @param refuse  what is done with a POST; a PUT is swallowed */
async function listen(t: Test, refuse: (exchange: Exchange) => Promise<void>): Promise<number> {
  const connection: Connection = {
    ...{ address: '127.0.0.1', listener: 'web', serverName: 'localhost', publicOrigin: undefined },
    ...{ certificate: 'none', protocol: 'HTTP/1.1', socket: undefined as unknown as Connection['socket'] }, // nobody asks
  }
  const failed = () => t.fail('all that is asked here is well formed')
  const engine = createHttp1(
    {
      ...{ malformed: failed, upgrade: failed },
      exchange(exchange) {
        void (exchange.request.method === 'POST' ? refuse(exchange) : swallow(exchange))
      },
    },
    () => connection,
    Limits.parse({}),
  )
  const door = createServer({ cert: server.chainPem, key: server.keyPem }, socket => {
    socket.on('error', () => undefined)
    engine.accept(socket)
  }).listen(0, '127.0.0.1')
  await once(door, 'listening')
  t.teardown(() => {
    engine.close()
    door.close()
  })
  return (door.address() as AddressInfo).port // bound to TCP
}

const upload = (method: string, size: number) =>
  Buffer.concat([Buffer.from(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`), Buffer.alloc(size)])

const refusals: Readonly<Record<string, (exchange: Exchange) => Promise<void>>> = {
  async 'nobody has begun to read it'({ reply }) {
    await pause(200)
    reply.send(401, [], 'no')
  },
  async 'somebody has begun, and waits'({ reply, request: { body } }) {
    body?.once('data', () => body.pause())
    await pause(200)
    reply.send(413, [], 'no')
    body?.destroy()
  },
}

for (const [title, refuse] of Object.entries(refusals)) {
  t.test(title, async t => {
    const port = await listen(t, refuse)
    {
      using line = await rawTls(port, { ca: authority.caPem })
      await line.write(Buffer.concat([upload('POST', 400 * 1024), upload('PUT', 2 * 1024 * 1024)]))
      const { text } = await line.read({ until: /came/, timeout: 4_000 })
      t.match(statuses(text), [/4../, 200])
      t.match(text, `${2 * 1024 * 1024} came`)
    }
    using line = await rawTls(port, { ca: authority.caPem })
    const before = performance.now()
    line.write(upload('POST', 16 * 1024 * 1024)).catch(() => undefined)
    await Promise.race([new Promise(closed => line.socket.once('close', closed)), pause(4_000)])
    t.ok(performance.now() - before < 3_000, 'too much: it is what was sent that ends it, and not the time')
  })
}
