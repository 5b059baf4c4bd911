// An upstream has few connections (Orthanc: 40). Whoever reads nothing of large answers, or stops in the middle of uploads,
// holds some of them, and never all: everybody else is served at once.
import t, { type Test } from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import type { TestGateway } from '../fixture/gateway.ts'
import { type Answer, json } from '../fixture/upstream-answers.ts'
import { head, openRaw } from './raw-request.ts'

t.jobs = 2

/** More than fits into all buffers on the way. */
const large: Answer = async line => {
  const length = 64 * 1024 * 1024
  await line.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
  const block = Buffer.alloc(65_536, 'x')
  for (let sent = 0; sent < length; sent += block.length) await line.write(block)
}

/** Each holds a connection to the upstream for as long as the client likes. */
const ways = {
  'reads nothing of what it asked for': (gateway: TestGateway) => head(gateway, 'GET /large HTTP/1.1'),
  'stops in the middle of an upload': (gateway: TestGateway) =>
    `${head(gateway, 'POST /upload HTTP/1.1', ['Content-Length: 1000000'])}some`,
}

for (const [title, bytes] of Object.entries(ways)) {
  t.test(`who ${title} leaves connections for others`, async t => {
    const { gateway, upstream } = await startApp(t, ({ target }) => (target === '/large' ? large : json({})), {
      answerAt: 'end',
      settings: 'connections: 16',
    })
    await hold(t, gateway, bytes(gateway), 60)
    t.ok(await within(3_000, () => upstream.received.length === 14), `${upstream.received.length} are under way`)
    for (let times = 0; times < 10; times++) {
      const start = performance.now()
      t.equal((await gateway.ask('/small')).status, 200)
      t.ok(performance.now() - start < 2_000, 'at once')
    }
    t.equal(upstream.received.filter(({ target }) => target !== '/small').length, 14, 'and no more of the others')
  })
}

async function hold(t: Test, gateway: TestGateway, bytes: string, lines: number): Promise<void> {
  for (let line = 0; line < lines; line++) {
    const { socket } = await openRaw(gateway, { localAddress: '127.0.0.7' })
    t.teardown(() => socket.destroy())
    socket.pause().write(bytes, 'latin1')
  }
}
