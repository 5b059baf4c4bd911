// A listener has so many places. Whoever takes one and says nothing more, or does not hang up after our last word, loses
// it at once to whoever needs it, and else in a stated time. Needs no proof of anybody.
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, openRaw, webSocketLines } from './raw-request.ts'

const places = 4
/** More than there are places, with a handshake and without. A WebSocket takes two, and those that are at work are kept. */
const linesOf = ({ underWay }: Way) => (underWay === true ? places / 2 : 20)
const limits = `{ handshake: 1 s, headers: 1 s, keepAlive: 1 s, idle: 2 s, connections: ${places} }`
const http2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'

interface Way {
  /** Milliseconds after which we have hung up, by the limits above. */
  readonly within: number
  /** We are answering, or waiting for the upstream: the place is lost only when that is over. */
  readonly underWay?: true
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
    underWay: true,
    bytes: gateway => head(gateway, 'GET /closed HTTP/1.1', webSocketLines),
  },
  'whose WebSocket handshake is none': {
    within: 4_000,
    underWay: true,
    bytes: gateway => head(gateway, 'GET /open HTTP/1.1', webSocketLines.slice(0, 2)),
  },
  'whose WebSocket handshake the upstream declines': {
    within: 4_000,
    underWay: true,
    bytes: gateway => head(gateway, 'GET /open HTTP/1.1', webSocketLines),
  },
  'who asks for CONNECT': { within: 4_000, bytes: () => 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n' },
}

const authority = await startAuthority(t)
const upstream = await startUpstream(t)

interface Seen {
  readonly title: string
  readonly way: Way
  /** Milliseconds until an honest client got in. */
  readonly entered: number
  /** Milliseconds until the last line was hung up on. */
  readonly freed: number
}

/** @returns when we have hung up on all of them */
async function takeAllPlaces(t: Test, gateway: TestGateway, way: Way): Promise<Promise<unknown>[]> {
  const { plain, alpn, bytes } = way
  const ended: Promise<unknown>[] = []
  for (let line = 0; line < linesOf(way); line++) {
    const socket =
      plain === true
        ? connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true }).resume()
        : (await openRaw(gateway, alpn === undefined ? {} : { alpn })).socket
    // A reset is an end as well.
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
    ended.push(new Promise(resolve => socket.once('end', resolve).once('close', resolve)))
    if (bytes !== undefined) socket.write(bytes(gateway), 'latin1')
  }
  return ended
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
    const ended = await takeAllPlaces(t, gateway, way)
    const start = performance.now()
    const freed = Promise.all(ended).then(() => performance.now() - start)
    let isIn = await getsIn(gateway)
    while (!isIn && performance.now() - start < way.within + 3_000) {
      await pause(100)
      isIn = await getsIn(gateway)
    }
    const entered = isIn ? performance.now() - start : Number.POSITIVE_INFINITY
    const late = pause(way.within + 3_000, Number.POSITIVE_INFINITY, { ref: false })
    return { title, way, entered, freed: await Promise.race([freed, late]) }
  }),
)

for (const { title, way, entered, freed } of seen) {
  t.test(`${title} keeps nobody out, and its place for no longer than ${way.within / 1_000} seconds`, async t => {
    t.ok(
      entered <= (way.underWay === true ? way.within : 2_500),
      `an honest client got in after ${Math.round(entered)} ms`,
    )
    t.ok(freed <= way.within, `the last one was hung up on after ${Math.round(freed)} ms`)
  })
}
