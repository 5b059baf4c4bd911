// Where the gateway says its last word and closes, the connection must go even if the client keeps its half open: else
// whoever sends nothing at all can fill the listener with dead connections. Needs no proof of anybody.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, openRaw, stillAnswers, webSocketLines } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  listener: 'limits: { handshake: 1 s, headers: 1 s, keepAlive: 1 s, idle: 2 s }',
  yaml: `
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: authenticated }
  - { path: /open, upstream: app, access: everyone }
`,
})
const admin = gateway.gateway.listeners.find(({ name }) => name === 'admin')?.urls[0] ?? ''
const open = async () =>
  Number(/^sallyport_connections\{listener="web"\} (\d+)$/m.exec(await (await fetch(`${admin}/metrics`)).text())?.[1])

const ways: Readonly<Record<string, { bytes: string; alpn?: readonly string[] }>> = {
  'who sends nothing': { bytes: '' },
  'who sends half a head': { bytes: 'GET /open HTTP/1.1\r\nHost: x\r\n' },
  'who sends no HTTP': { bytes: '\0\x01\x02\r\n\r\n' },
  'who asks for CONNECT': { bytes: 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n' },
  'whose handshake we refuse': { bytes: head(gateway, 'GET /x HTTP/1.1', webSocketLines) },
  'whose handshake the upstream declines': { bytes: head(gateway, 'GET /open HTTP/1.1', webSocketLines) },
  'who expects what nobody gives': {
    bytes: head(gateway, 'POST /open HTTP/1.1', ['Expect: gold', 'Content-Length: 5']),
  },
  'who was answered': { bytes: head(gateway, 'GET /open HTTP/1.1') },
  'who was answered and asked to close': { bytes: head(gateway, 'GET /open HTTP/1.1', ['Connection: close']) },
  'who sends half a body': { bytes: `${head(gateway, 'POST /x HTTP/1.1', ['Content-Length: 5'])}ab` },
  'who speaks no HTTP/2 after choosing it': { bytes: '', alpn: ['h2'] },
  'who sends the preface of HTTP/2 alone': {
    bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    alpn: ['h2'],
  },
  'who sends rubbish as HTTP/2': { bytes: 'GET / HTTP/1.1\r\n\r\n', alpn: ['h2'] },
}

// All at once, and looked at together: each would be cut within seconds.
const lines = await Promise.all(
  Object.entries(ways).map(async ([title, { bytes, alpn }]) => {
    const line = await openRaw(gateway, alpn === undefined ? {} : { alpn })
    let gone = false
    line.socket.once('close', () => {
      gone = true
    })
    if (bytes !== '') await line.write(bytes)
    return { title, line, isGone: () => gone }
  }),
)
t.teardown(() => {
  for (const { line } of lines) line.close()
})

/** Whether the other side is really gone: then what is sent to it comes back as a reset. */
async function isCut({ line, isGone }: (typeof lines)[number]): Promise<boolean> {
  for (let tries = 0; tries < 3 && !isGone(); tries++) {
    await line.write('x').catch(() => undefined)
    await pause(50)
  }
  return isGone()
}

t.test('within eight seconds nobody of these holds a connection any more', async t => {
  let left = await open()
  for (const deadline = Date.now() + 8_000; left > 0 && Date.now() < deadline; left = await open()) await pause(250)
  t.equal(left, 0, `of ${lines.length} connections`)
  await stillAnswers(t, gateway)
  for (const one of lines) t.equal(await isCut(one), true, one.title)
})
