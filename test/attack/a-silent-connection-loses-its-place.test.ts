// A listener has so many places. Whoever takes one and says nothing more, or does not hang up after our last word, must
// lose it in a stated time: else a few idle sockets keep everybody out. Needs no proof of anybody.
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, openRaw, webSocketLines } from './raw-request.ts'

const places = 5
const limits = `{ handshake: 1 s, headers: 1 s, keepAlive: 1 s, idle: 2 s, connections: ${places} }`
const http2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'

interface Way {
  /** Milliseconds after which the places are free, by the limits above. */
  readonly within: number
  /** Nothing at all: not even the handshake of TLS is begun. */
  readonly plain?: true
  readonly alpn?: readonly string[]
  readonly bytes?: (gateway: TestGateway) => string
}

// By the limits above and what the gateway waits for by itself: 2 s for a first request on top of `headers`, and 2 s to
// hang up after its last word. Two seconds more are for a busy machine.
const ways: Readonly<Record<string, Way>> = {
  'who begins no handshake': { within: 3_000, plain: true },
  'who is silent after the handshake': { within: 5_000 },
  'who is silent after choosing HTTP/1.1': { within: 5_000, alpn: ['http/1.1'] },
  'who is silent after choosing HTTP/2': { within: 5_000, alpn: ['h2'] },
  'who sends the preface of HTTP/2 and nothing more': { within: 5_000, alpn: ['h2'], bytes: () => http2Preface },
  'who sends an empty line and nothing more': { within: 5_000, bytes: () => '\r\n' },
  'who sends half a head': { within: 5_000, bytes: () => 'GET /x HTTP/1.1\r\nHost: x\r\n' },
  'whose WebSocket handshake we refuse': {
    within: 4_000,
    bytes: gateway => head(gateway, 'GET /closed HTTP/1.1', webSocketLines),
  },
  'whose WebSocket handshake is none': {
    within: 4_000,
    bytes: gateway => head(gateway, 'GET /open HTTP/1.1', webSocketLines.slice(0, 2)),
  },
  'whose WebSocket handshake the upstream declines': {
    within: 4_000,
    bytes: gateway => head(gateway, 'GET /open HTTP/1.1', webSocketLines),
  },
  'who asks for CONNECT': { within: 4_000, bytes: () => 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n' },
}

const authority = await startAuthority(t)
const upstream = await startUpstream(t)

interface Seen {
  readonly title: string
  readonly within: number
  /** Whether an honest client was kept out while all places were taken. */
  readonly full: boolean
  /** Milliseconds until one got in. */
  readonly freed: number
}

async function takeAllPlaces(t: Test, gateway: TestGateway, { plain, alpn, bytes }: Way): Promise<void> {
  for (let place = 0; place < places; place++) {
    if (plain === true) {
      const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true })
      socket.on('error', () => undefined)
      t.teardown(() => socket.destroy())
      continue
    }
    const line = await openRaw(gateway, alpn === undefined ? {} : { alpn })
    t.teardown(() => line.close())
    if (bytes !== undefined) await line.write(bytes(gateway))
  }
}

const getsIn = (gateway: TestGateway): Promise<boolean> =>
  gateway.ask('/open', { headers: { connection: 'close' } }).then(
    ({ status }) => status === 200,
    () => false,
  )

// Side by side: each takes seconds, and does nothing but wait.
const seen = await Promise.all(
  Object.entries(ways).map(async ([title, way]): Promise<Seen> => {
    const gateway = await startTestGateway(t, {
      authority,
      listener: `limits: ${limits}`,
      yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /closed, upstream: app, access: authenticated }
`,
    })
    await takeAllPlaces(t, gateway, way)
    const start = performance.now()
    const full = !(await getsIn(gateway))
    let entered = false
    while (!entered && performance.now() - start < way.within + 3_000) {
      await pause(100)
      entered = await getsIn(gateway)
    }
    const freed = entered ? performance.now() - start : Number.POSITIVE_INFINITY
    return { title, within: way.within, full, freed }
  }),
)

for (const { title, within, full, freed } of seen) {
  t.test(`${title} keeps nobody out for longer than ${within / 1_000} seconds`, async t => {
    t.ok(full, 'while all places are taken, an honest client does not get in')
    t.ok(freed <= within, `it got in after ${Math.round(freed)} ms`)
  })
}
