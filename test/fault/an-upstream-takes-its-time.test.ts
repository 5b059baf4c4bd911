// F05: an upstream that is silent, slow or gone in the middle of its handshake, its head or its body. Silence has an end, which
// the site sets (`connect`, `idle`); slowness has none while bytes come; afterwards the same upstream is good again.
import { createConnection, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { endingOf, protocols, startApp, within } from '../behaviour/app.ts'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Answer, json, trickle } from '../fixture/upstream-answers.ts'

t.jobs = 4

/** What a server does in the middle of a handshake, once it has seen the first bytes, and what the client is told. */
const handshakes: Readonly<Record<string, readonly [act: (socket: Socket) => void, status: number, reason: string]>> = {
  'FIN instead of an answer': [socket => socket.end(), 502, 'upstream-broken'],
  'RST instead of an answer': [socket => socket.resetAndDestroy(), 502, 'upstream-broken'],
  'half of a record, then FIN': [socket => socket.end(Buffer.from('160303007a020000', 'hex')), 502, 'upstream-broken'],
  'half of a record, then silence': [
    socket => socket.write(Buffer.from('160303007a02', 'hex')),
    504,
    'upstream-timeout',
  ],
  'an alert': [socket => socket.end(Buffer.from('15030300020228', 'hex')), 502, 'upstream-broken'],
  'words of HTTP': [socket => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), 502, 'upstream-broken'],
  silence: [() => undefined, 504, 'upstream-timeout'],
}

/** A port before a real server: the first bytes are answered by the test, or everything goes through. */
async function startDoor(t: Pick<Test, 'teardown'>, behind: number) {
  let act: ((socket: Socket) => void) | undefined
  let connections = 0
  const onConnection = (socket: Socket) => {
    connections++
    const doing = act
    if (doing !== undefined) return void socket.once('data', () => doing(socket)).once('end', () => socket.end())
    const through = socket.pipe(createConnection(behind, '127.0.0.1'))
    through.on('error', () => socket.destroy()).pipe(socket)
    socket.once('close', () => through.destroy())
  }
  const server = await startTcpUpstream(t, { keeps: false, onConnection })
  return {
    port: server.port,
    get connections() {
      return connections
    },
    does(next: typeof act) {
      act = next
      connections = 0
    },
    isAlone: () => within(1_000, () => server.came.every(({ socket }) => socket.destroyed)),
  }
}

t.test('a handshake that comes to no end', async t => {
  const authority = await startAuthority(t)
  const { certPem, keyPem } = await authority.server(['localhost'], ['127.0.0.1'])
  const upstream = await startUpstream(t, () => json({ all: 'well' }), { tls: { cert: certPem, key: keyPem } })
  const door = await startDoor(t, upstream.port)
  const gateway = await startTestGateway(t, {
    authority,
    yaml: `
upstreams:
  app:
    kind: generic
    url: https://localhost:${door.port}
    tls: { ca: ${authority.caFile} }
    timeouts: { connect: 400 ms, idle: 5 s }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  for (const [name, [act, status, reason]] of Object.entries(handshakes)) {
    for (const method of ['GET', 'POST']) {
      door.does(act)
      const began = Date.now()
      const body = method === 'POST' ? { body: 'an image' } : {}
      const answer = await gateway.ask('/x', { method, ...body, headers: { accept: 'application/json' } })
      t.match([answer.status, JSON.parse(answer.text)], [status, { reason, upstream: 'app' }], `${name}: ${method}`)
      t.ok(Date.now() - began < 2_000, `${name}: ${method} took ${Date.now() - began} ms`)
      t.ok(await door.isAlone(), `${name}: no connection is left`)
      // Nothing was written before the handshake, so a POST may be tried on a second connection as well as a GET.
      t.ok(door.connections <= 2, `${name}: ${method} made ${door.connections} connections`)
      t.same(upstream.received, [], 'and nothing of it is at the upstream')
    }
  }
  door.does(undefined)
  t.match(await gateway.ask('/x', { method: 'POST', body: 'an image' }), { status: 200, text: '{"all":"well"}' })
  t.equal(upstream.received.length, 1)
})

const bytes = 12
const interval = 100
const idle = 400
/** Longer than `idle` as a whole, and never as long without a byte. */
const text = 'x'.repeat(bytes)
const slowHead =
  (head: string): Answer =>
  async line => {
    for (const byte of head) {
      await line.write(byte)
      await pause(interval)
    }
  }
const stops =
  (written: string): Answer =>
  async line => {
    await line.write(written)
    await line.gone
  }

for (const protocol of protocols) {
  t.test(`over ${protocol}, slow answers come to their end, and silent ones to ours`, async t => {
    const answers: Readonly<Record<string, readonly [Answer, status: number, ending: 'whole' | 'cut']>> = {
      '/a-byte-now-and-then': [trickle(text, interval), 200, 'whole'],
      '/silence-in-the-body': [stops(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${text}`), 200, 'cut'],
      '/silence-after-the-head': [stops('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'), 200, 'cut'],
      '/silence-in-the-head': [stops('HTTP/1.1 200 OK\r\nContent-Le'), 504, 'whole'],
      // A head has no reason to be slow: `idle` holds for the whole of it.
      '/a-slow-head': [slowHead('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 504, 'whole'],
    }
    const app = await startApp(t, ({ target }) => answers[target]?.[0] ?? json({ all: 'well' }), {
      settings: `timeouts: { connect: 1 s, idle: ${idle} ms }`,
    })
    await Promise.all(
      Object.entries(answers).map(async ([path, [, status, ending]]) => {
        const began = Date.now()
        const got = await endingOf(app, path, protocol)
        t.match(got, { status, ending }, path)
        if (status === 200 && ending === 'whole') t.equal(got.bytes.toString(), text, `${path}: every byte`)
        if (status === 504) t.match(JSON.parse(got.bytes.toString()), { reason: 'upstream-timeout' }, path)
        const took = Date.now() - began
        t.ok(took >= idle - 50 && took < 4_000, `${path}: ${took} ms`)
      }),
    )
    t.ok(await within(2_000, () => app.upstream.openConnections <= 1), 'what came to no end is closed')
    for (const path of Object.keys(answers))
      t.equal(app.upstream.received.filter(({ target }) => target === path).length, 1, `${path}: asked once`)
    t.match(await endingOf(app, '/x', protocol), { status: 200, ending: 'whole' })
  })
}
