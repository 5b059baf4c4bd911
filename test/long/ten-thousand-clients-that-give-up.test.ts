// F06: ten thousand requests given up midway, as a viewer that is scrolled and a network that breaks do it: downloads, seeks in
// a film, uploads, requests that nobody has answered yet, over both protocols. They leave no connection to the upstream, no
// descriptor and no memory.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Answer, hang, json } from '../fixture/upstream-answers.ts'
import { scalesFor, weighable } from '../fixture/weigh.ts'

const minutes = 60_000
t.setTimeout(20 * minutes)

const all = 10_000
/** Over HTTP/1.1 each has a connection of its own. */
const overHttp1 = 2_000
const rounds = 10
/**
 * HTTP/2 connections in a round. Node's client ends an upload that it gives up before it resets it, short of the length that it
 * promised: a malformed request, and a connection of more than a hundred is ended.
 */
const lines = 4
/** Connections that have ended are held by their last timers for so long. */
const settles = 25_000
const together = 20
/** More than fits into all buffers on the way. */
const length = 64 * 1024 * 1024
const block = Buffer.alloc(65_536, 'x')

const body = async (line: Parameters<Answer>[0], from: number) => {
  for (let sent = from; sent < length; sent += block.length) await line.write(block)
}
const download: Answer = async line => {
  await line.write(`HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: ${length}\r\n\r\n`)
  await body(line, 0)
}
const film: Answer = async line => {
  const from = Number(/^bytes=(\d+)-$/.exec(line.request.header('range') ?? '')?.[1])
  const range = `bytes ${from}-${length - 1}/${length}`
  await line.write(`HTTP/1.1 206 OK\r\nContent-Range: ${range}\r\nContent-Length: ${length - from}\r\n\r\n`)
  await body(line, from)
}

interface Visit {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly uploads: boolean
  /** It leaves with the first bytes of the answer; otherwise when the upstream has its request. */
  readonly reads: boolean
}

const kinds: readonly ((nth: number) => Pick<Visit, 'path' | 'headers'>)[] = [
  () => ({ path: '/download', headers: {} }),
  nth => ({ path: '/film', headers: { range: `bytes=${(nth * 7_919 * 64) % (length / 2)}-` } }),
  () => ({ path: '/upload', headers: { 'content-length': String(length) } }),
  () => ({ path: '/unanswered', headers: {} }),
]

function visitOf(nth: number): Visit {
  const { path = '/', headers = {} } = kinds[nth % kinds.length]?.(nth) ?? {}
  return { path, headers, uploads: path === '/upload', reads: path === '/download' || path === '/film' }
}

t.test('ten thousand', async t => {
  t.setTimeout(20 * minutes)
  const upstream = await startUpstream(
    t,
    ({ target }) =>
      ({ '/download': download, '/film': film, '/upload': hang, '/unanswered': hang })[target] ?? json({ all: 'well' }),
    { answerAt: 'head' },
  )
  const site = await makeSite(t, {
    yaml: `
log: { level: warn }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site, { env: weighable })
  const weigh = scalesFor(served)
  const descriptors = () => readdirSync(`/proc/${served.pid}/fd`).length
  const well = async () => t.equal((await askSite(site, served, '/x')).resume().statusCode, 200)
  await well()
  const atFirst = descriptors()

  async function visitHttp1({ path, headers, uploads, reads }: Visit): Promise<void> {
    const to = { host: '127.0.0.1', port: served.port, servername: 'localhost', ca: site.authority.caPem }
    const method = uploads ? 'POST' : 'GET'
    const sent = request({
      ...to,
      agent: false,
      method,
      path,
      headers: { host: `localhost:${served.port}`, ...headers },
    })
    sent.on('error', () => undefined)
    if (uploads) sent.write(block)
    else sent.end()
    if (reads) {
      const [answer] = await once(sent, 'response')
      await once(answer, 'data')
      answer.on('error', () => undefined)
    } else {
      await once(sent, 'socket')
      await pause(10)
    }
    sent.destroy()
  }
  async function visitHttp2(line: ClientHttp2Session, { path, headers, uploads, reads }: Visit): Promise<void> {
    const stream = line.request(
      { ':path': path, ':method': uploads ? 'POST' : 'GET', ...headers },
      { endStream: !uploads },
    )
    stream.on('error', () => undefined)
    if (uploads) stream.write(block)
    if (reads) await new Promise<unknown>(resolve => stream.once('data', resolve).once('close', resolve))
    else await pause(10)
    stream.close(8)
  }
  const give = async (from: number, times: number, visit: (one: Visit) => Promise<void>) => {
    for (let done = 0; done < times; done += together)
      await Promise.all(Array.from({ length: together }, (_, at) => visit(visitOf(from + done + at))))
  }
  const round = async (nth: number) => {
    await give(nth, overHttp1 / rounds, visitHttp1)
    for (let line = 0; line < lines; line++) {
      const session = connectHttp2(served.url, { ca: site.authority.caPem })
      session.on('error', error => t.fail(`an HTTP/2 connection: ${error}`))
      await give(nth, (all - overHttp1) / rounds / lines, one => visitHttp2(session, one))
      t.notOk(session.closed || session.destroyed, 'the HTTP/2 connection lives')
      session.close()
    }
    await well()
  }
  const settled = async () => {
    await pause(settles)
    return await weigh()
  }
  for (let nth = 0; nth < rounds / 2; nth++) await round(nth)
  const half = await settled()
  for (let nth = rounds / 2; nth < rounds; nth++) await round(nth)
  t.ok(await within(5_000, () => upstream.openConnections <= 1), `${upstream.openConnections} connections are open`)
  const whole = await settled()
  t.ok(descriptors() <= atFirst + 2, `${descriptors()} descriptors, ${atFirst} at first`)
  t.ok(whole.heap < half.heap * 1.1, `${half.heap} MB are reachable after half of them, ${whole.heap} after all`)
  // The allocator gives pages back as it likes: twenty thousand were weighed as 247, 250, 228, 277 MB.
  t.ok(whole.rss < half.rss * 1.25, `${half.rss} MB after half of them, ${whole.rss} after all`)
  for (const path of ['/download', '/film']) {
    const came = upstream.received.filter(({ target }) => target === path).length
    t.equal(came, all / 4, `${path}: each reached the upstream, once`)
  }
  t.notOk(
    upstream.received.some(({ target, complete }) => target === '/upload' && complete),
    'no upload looks whole',
  )
  served.signal('SIGTERM')
  const { exitCode, stderr } = await served.ended
  t.equal(exitCode, 0)
  t.notMatch(stderr, /"fault":"bug"|a bug:/)
})
