// F12: an upstream that fails when all is over, or when nobody is there to hear of it: behind a whole answer, while the client
// hangs up, while the next request is on its way. For each pair of moments the process stays, meets no bug and keeps nothing.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { askSite, makeSite, type ServedSite, type Site, serveSite } from '../fixture/site.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'

const large = 768 * 1024
/** How far an upstream comes before it fails. */
const failures = ['asked', 'head', 'some', 'whole', 'more'] as const
type Failure = (typeof failures)[number]
/** How it fails. */
const ways = ['FIN', 'RST'] as const
/** What the client has when it goes. */
const leavings = ['nothing', 'head', 'whole'] as const
type Leaving = (typeof leavings)[number]

/** The path says how far it comes and how it fails. */
async function startFailing(t: Pick<Test, 'teardown'>) {
  const onConnection = (socket: Socket) => {
    socket.once('end', () => socket.end())
    let seen = ''
    socket.on('data', bytes => {
      seen = `${seen}${bytes.toString('latin1')}`.slice(-20_000)
      const [, failure, way] = / \/(\w+)\/(\d) HTTP/.exec(seen) ?? []
      if (!/\r\n\r\n(the end)?$/.test(seen)) return
      seen = ''
      if (failure === undefined) return void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin')
      if (failure !== 'asked') socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`)
      const length = { asked: 0, head: 0, some: large / 2, whole: large, more: large + 100 }[failure as Failure] // by the test
      if (length > 0) socket.write(Buffer.alloc(length, 'x'), fail)
      else fail()
      function fail() {
        if (ways[Number(way)] === 'FIN') socket.end()
        else if (!socket.destroyed && !socket.readableEnded) socket.resetAndDestroy()
      }
    })
  }
  const { port, came } = await startTcpUpstream(t, { keeps: false, onConnection })
  return { port, connections: () => came.filter(({ socket }) => !socket.destroyed).length }
}

interface Visit {
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly leaving: Leaving
}

/** Resolves when it has left. */
async function visitHttp1(site: Site, { port }: ServedSite, { path, method, leaving }: Visit): Promise<void> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: site.authority.caPem })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  const length = method === 'POST' ? 'Content-Length: 7\r\n' : ''
  const gone = new Promise<void>(resolve => socket.once('close', () => resolve()))
  let came = 0
  socket.on('data', bytes => {
    came += bytes.length
    // Bytes are left unread: the kernel makes a reset of it.
    if (leaving === 'head' || (leaving === 'whole' && came >= large)) socket.destroy()
  })
  socket.once('end', () => socket.destroy())
  socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n${length}\r\n${method === 'POST' ? 'the end' : ''}`,
  )
  if (leaving === 'nothing') setImmediate(() => socket.destroy())
  await gone
}

async function visitHttp2(line: ClientHttp2Session, { path, method, leaving }: Visit): Promise<void> {
  const stream = line.request({ ':path': path, ':method': method }, { endStream: method === 'GET' })
  stream.on('error', () => undefined)
  if (method === 'POST') stream.end('the end')
  const gone = new Promise<void>(resolve => stream.once('close', resolve))
  if (leaving === 'nothing') setImmediate(() => stream.close(8))
  if (leaving === 'head') stream.once('response', () => stream.close(8))
  stream.resume()
  await gone
}

t.test('each pair of moments', async t => {
  const upstream = await startFailing(t)
  const site = await makeSite(t, {
    yaml: `
log: { level: info }
upstreams: { app: { kind: generic, url: "http://127.0.0.1:${upstream.port}", connections: 4 } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  const descriptors = () => readdirSync(`/proc/${served.pid}/fd`).length
  const line = connectHttp2(served.url, { ca: site.authority.caPem })
  line.on('error', () => undefined)
  t.teardown(() => line.destroy())
  await once(line, 'connect')
  const well = async () => t.equal((await askSite(site, served, '/well')).resume().statusCode, 200)
  await well()
  const atFirst = descriptors()
  const visits = failures
    .flatMap(failure => ways.flatMap((_, way) => leavings.map(leaving => ({ path: `/${failure}/${way}`, leaving }))))
    .map((visit, at) => ({ ...visit, method: at % 2 === 0 ? ('GET' as const) : ('POST' as const) }))
  // Four at a time share four connections: whatever one leaves behind meets the next one.
  const each = async (visit: (one: Visit) => Promise<void>) => {
    const waiting = visits.toReversed()
    const work = async () => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) await visit(one)
    }
    await Promise.all(Array.from({ length: 4 }, work))
  }
  await each(one => visitHttp1(site, served, one))
  await well()
  await each(one => visitHttp2(line, one))
  t.notOk(line.closed || line.destroyed, 'the HTTP/2 connection lives')
  await well()
  t.ok(await within(3_000, () => upstream.connections() <= 4), `${upstream.connections()} connections to the upstream`)
  line.close()
  t.ok(await within(3_000, () => descriptors() <= atFirst + 4), `${descriptors()} descriptors, ${atFirst} at first`)
  served.signal('SIGTERM')
  const { exitCode, stderr } = await served.ended
  t.equal(exitCode, 0)
  t.notMatch(stderr, /"fault":"bug"|unhandled|uncaught|TypeError|a bug:/i, 'no bug is in the log')
  t.match(stderr, /"ending":"client-gone"/)
  t.match(stderr, /"fault":"upstream-broken"/)
})
