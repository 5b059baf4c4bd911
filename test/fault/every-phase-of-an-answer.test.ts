// F05: an upstream that hangs up, orderly or by a reset, at every point at which it can: what the client gets, and how often the
// upstream is asked. Whatever happened, the connection of the client lives (HTTP/2), and the next request is answered.
import type { ClientRequest } from 'node:http'
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { protocols, within } from '../behaviour/app.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'

/** When the upstream hangs up. */
type When =
  | 'never'
  /** Before a byte has come. */
  | 'accepted'
  /** With the first bytes of a request, or of the body behind its head. */
  | 'request'
  /** When the request is whole. */
  | 'asked'
  /** When the client has the head of the answer. */
  | 'answering'
  /** When the client has the whole answer. */
  | 'answered'

interface Phase {
  readonly when: When
  /** What the upstream answers before it hangs up. */
  readonly says?: string
  /** What the client gets; `cut`: a 200 that never looks whole. */
  readonly GET?: number | 'cut'
  readonly POST: number | 'cut'
  /** How often a GET is sent; a POST never twice. */
  readonly gets?: 1 | 2
  /** Upstream and client have a connection on which all went well. */
  readonly kept?: true
  /** The client does not come to the end of its body. */
  readonly uploads?: true
}

const [beginning, theEnd] = ['a beginning', 'the end']
const ok = 'HTTP/1.1 200 OK\r\n'
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`
const whole = `${ok}Content-Length: 2\r\n\r\nin`

/** A GET whose answer has no whole head is sent once more, on a new connection. */
const phases: Readonly<Record<string, Phase>> = {
  'right after accept': { when: 'accepted', GET: 502, gets: 2, POST: 502 },
  'with the first bytes of the request': { when: 'request', GET: 502, gets: 2, POST: 502 },
  'within the body of the request': { when: 'request', POST: 502, uploads: true },
  'before the status line': { when: 'asked', GET: 502, gets: 2, POST: 502 },
  'after an interim answer': { when: 'asked', says: 'HTTP/1.1 103 Early Hints\r\n\r\n', GET: 502, gets: 2, POST: 502 },
  'within the status line': { when: 'asked', says: 'HTTP/1.1 20', GET: 502, gets: 2, POST: 502 },
  'within a header': { when: 'asked', says: `${ok}Content-Le`, GET: 502, gets: 2, POST: 502 },
  'after a header': { when: 'asked', says: `${ok}Content-Length: 2\r\n`, GET: 502, gets: 2, POST: 502 },
  'after the head': { when: 'answering', says: `${ok}Content-Length: 1000\r\n\r\n`, GET: 'cut', POST: 'cut' },
  'after the head, before a chunk': { when: 'answering', says: chunked, GET: 'cut', POST: 'cut' },
  'within a body with its length': {
    when: 'answering',
    says: `${ok}Content-Length: 9\r\n\r\nin`,
    GET: 'cut',
    POST: 'cut',
  },
  'within the size of a chunk': { when: 'answering', says: `${chunked}2\r\nin\r\n1`, GET: 'cut', POST: 'cut' },
  'within a chunk': { when: 'answering', says: `${chunked}9\r\nin`, GET: 'cut', POST: 'cut' },
  'between two chunks': { when: 'answering', says: `${chunked}2\r\nin\r\n`, GET: 'cut', POST: 'cut' },
  'within the last chunk': { when: 'answering', says: `${chunked}2\r\nin\r\n0\r\n`, GET: 'cut', POST: 'cut' },
  'within a trailer': { when: 'answering', says: `${chunked}2\r\nin\r\n0\r\nX-Trai`, GET: 'cut', POST: 'cut' },
  'after the answer': { when: 'answered', says: whole, GET: 200, POST: 200 },
  'after the last chunk': { when: 'answered', says: `${chunked}2\r\nin\r\n0\r\n\r\n`, GET: 200, POST: 200 },
  'with the next request on a kept connection': { when: 'request', kept: true, GET: 200, gets: 2, POST: 502 },
  'after a whole answer to half a request': { when: 'answered', says: whole, POST: 200, uploads: true },
}

interface Play {
  readonly phase: Phase
  readonly hangUp: 'FIN' | 'RST'
}

/** Reads requests without understanding them, and hangs up as it is told. */
async function startBreaking(t: Pick<Test, 'teardown'>) {
  let play: Play | undefined
  let asked = 0
  const hangUp = (socket: Socket) => {
    if (play?.hangUp === 'FIN') socket.end()
    // One that is over already has nothing to reset.
    else if (socket.readableEnded) socket.destroy()
    else socket.resetAndDestroy()
  }
  const onConnection = (socket: Socket) => {
    socket.once('end', () => socket.end())
    if (play?.phase.when === 'accepted') {
      asked++ // it would not be told of what it does not read
      hangUp(socket)
    }
    let seen = ''
    socket.on('data', bytes => {
      const text = bytes.toString('latin1')
      if (play?.phase.when !== 'accepted') asked += text.split(' HTTP/1.1\r\n').length - 1
      seen += text
      const isWhole = seen.endsWith('\r\n\r\n') || seen.endsWith(theEnd)
      if (play === undefined || (play.phase.kept && asked > 1)) {
        if (isWhole) socket.write(whole)
        if (isWhole) seen = ''
        return
      }
      const { when, says, uploads } = play.phase
      if (uploads ? !seen.includes(beginning) : when !== 'request' && !isWhole) return
      if (says !== undefined) socket.write(says)
      if (when === 'request' || when === 'asked') hangUp(socket)
    })
  }
  const server = await startTcpUpstream(t, { keeps: false, onConnection })
  const open = () => server.came.map(({ socket }) => socket).filter(({ destroyed }) => !destroyed)
  return {
    port: server.port,
    get asked() {
      return asked
    },
    plays(next: Play | undefined) {
      play = next
      asked = 0
    },
    /** All connections, as the play says. */
    hangUp() {
      for (const socket of open()) hangUp(socket)
    },
    isAlone: () => within(1_000, () => open().length === 0),
  }
}

interface Got {
  readonly status: number
  readonly ending: 'whole' | 'cut'
  readonly text: string
}

interface Asked {
  readonly method: 'GET' | 'POST'
  readonly uploads?: boolean
  readonly onHead?: () => void
}

/** @param session  the one HTTP/2 connection of all cases */
async function ask(gateway: TestGateway, session: ClientHttp2Session | undefined, asked: Asked): Promise<Got> {
  const { method, uploads = false, onHead } = asked
  const headers = method === 'GET' ? {} : { 'content-length': String(uploads ? 1_000 : theEnd.length) }
  let sent: ClientRequest | ClientHttp2Stream
  let answer: Readable | undefined
  let status = 0
  let isWhole = false
  const parts: Buffer[] = []
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const read = (stream: Readable, code: number) => {
    answer = stream
    status = code
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.once('end', () => {
      isWhole = true
    })
    onHead?.()
  }
  if (session === undefined) {
    const to = { host: '127.0.0.1', port: gateway.port, servername: 'localhost', ca: gateway.authority.caPem }
    sent = request({
      ...to,
      agent: false,
      method,
      path: '/x',
      headers: { host: `localhost:${gateway.port}`, ...headers },
    })
    sent.once('response', answer => {
      read(answer, answer.statusCode ?? 0)
      answer.once('error', () => undefined).once('close', end)
    })
  } else {
    const stream = session.request({ ':method': method, ':path': '/x', ...headers }, { endStream: method === 'GET' })
    stream.once('response', headers => read(stream, Number(headers[':status'])))
    sent = stream.once('close', () => {
      isWhole &&= stream.rstCode === 0
      end()
    })
  }
  sent.on('error', () => end())
  if (uploads) sent.write(beginning)
  else sent.end(method === 'GET' ? undefined : theEnd)
  await ended
  if (uploads) sent.destroy()
  return { status, ending: isWhole && answer !== undefined ? 'whole' : 'cut', text: Buffer.concat(parts).toString() }
}

t.test('at every phase, both ways, over both protocols', async t => {
  const upstream = await startBreaking(t)
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams: { app: { kind: generic, url: "http://127.0.0.1:${upstream.port}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => session.destroy())
  const well = async (line?: ClientHttp2Session) =>
    t.match(await ask(gateway, line, { method: 'GET' }), { status: 200, text: 'in' })

  for (const [name, phase] of Object.entries(phases)) {
    for (const protocol of protocols) {
      const line = protocol === 'HTTP/2' ? session : undefined
      for (const hangUp of ['FIN', 'RST'] as const) {
        for (const method of ['GET', 'POST'] as const) {
          const expected = phase[method]
          if (expected === undefined) continue
          const title = `${hangUp} ${name}: ${method} over ${protocol}`
          upstream.plays(undefined)
          if (phase.kept) await well(line)
          else {
            upstream.hangUp()
            if (!(await upstream.isAlone())) t.fail(`${title}: a connection is left from before`)
          }
          upstream.plays({ phase, hangUp })
          const got = await ask(gateway, line, {
            method,
            uploads: phase.uploads ?? false,
            onHead: () => {
              if (phase.when === 'answering') upstream.hangUp()
            },
          })
          if (phase.when === 'answered') upstream.hangUp()
          const status = expected === 'cut' ? 200 : expected
          t.match(got, { status, ending: expected === 'cut' ? 'cut' : 'whole' }, title)
          if (status === 502) t.match(JSON.parse(got.text), { reason: 'upstream-broken', upstream: 'app' }, title)
          t.equal(upstream.asked, method === 'GET' ? (phase.gets ?? 1) : 1, `${title}: requests`)
          upstream.plays(undefined)
          await well(line)
        }
      }
    }
  }
  t.notOk(session.destroyed || session.closed, 'the HTTP/2 connection saw all of it')
})
