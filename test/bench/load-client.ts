/**
 * A load generator of our own, for what the usual ones do not do: handshakes told apart, and client certificates.
 * Runs as a program, so that it can be pinned. The environment's TERMS is JSON; prints one line.
 *
 * Not to forget: it is slower than wrk and h2load. Where it is the limit, only the CPU of the gateway tells something.
 */
import { readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { Agent, request } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { type ConnectionOptions, connect } from 'node:tls'

const terms = JSON.parse(process.env['TERMS'] ?? '{}') as {
  readonly work: 'http1' | 'http2' | 'full' | 'resumed' | 'steady'
  /** A path, or requests a second. */
  readonly about: string
  readonly port: number
  readonly seconds: number
  /** Milliseconds at the beginning that do not count, where latencies are asked for. */
  readonly settling: number
  readonly headers: Readonly<Record<string, string>>
  readonly ca: string
  readonly cert?: string
  readonly key?: string
} // load.ts wrote it
const { work, about, port, seconds, settling, headers } = terms

const tls: ConnectionOptions = {
  ...{ host: '127.0.0.1', port, servername: 'localhost', ca: readFileSync(terms.ca), minVersion: 'TLSv1.3' },
  // The group that all peers have: a post-quantum one would be other work.
  ecdhCurve: 'X25519',
  ...(terms.cert && terms.key ? { cert: readFileSync(terms.cert), key: readFileSync(terms.key) } : {}),
}
const end = performance.now() + seconds * 1000
const isOver = () => performance.now() > end
const host = `localhost:${port}`

class WrongAnswer extends Error {}

/** One answer over HTTP/1.1 on a connection of its own; the last ticket that came with it. */
function once(session: Buffer | undefined): Promise<Buffer | undefined> {
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return new Promise((resolve, reject) => {
    let [answer, ticket] = ['', session]
    const socket = connect({ ...tls, ALPNProtocols: ['http/1.1'], ...(session && { session }) })
    socket.once('secureConnect', () => {
      if (socket.isSessionReused() !== (session !== undefined))
        return socket.destroy(new WrongAnswer(`the handshake was ${session === undefined ? '' : 'not '}resumed`))
      socket.write(`GET /1k HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${head.join('')}\r\n`)
    })
    socket.on('session', given => {
      ticket = given
    })
    socket.setEncoding('latin1').on('data', text => {
      answer += text
    })
    socket.once('error', reject)
    socket.once('end', () => socket.end())
    socket.once('close', () => {
      const [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? []
      if (status !== '200' || answer.length < 1024) reject(new WrongAnswer(`answered: ${answer.slice(0, 200)}`))
      else resolve(ticket)
    })
  })
}

/** @returns how many connections were made and answered */
async function handshakes(): Promise<number> {
  let made = 0
  const one = async () => {
    let ticket = work === 'resumed' ? await once(undefined) : undefined
    if (work === 'resumed' && ticket === undefined) throw new WrongAnswer('no ticket was given')
    while (!isOver()) {
      const next = await once(ticket)
      if (work === 'resumed') ticket = next
      made++
    }
  }
  await Promise.all(Array.from({ length: 8 }, one))
  return made
}

/** Kept connections, one request at a time on each. */
async function http1(): Promise<number> {
  let answers = 0
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const question = `GET ${about} HTTP/1.1\r\nHost: ${host}\r\n${head.join('')}\r\n`
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ ...tls, ALPNProtocols: ['http/1.1'] }, () => socket.write(question))
      const wrong = (what: string) => socket.destroy(new WrongAnswer(what))
      let left = 0
      socket.on('data', (chunk: Buffer) => {
        if (left === 0) {
          const end = chunk.indexOf('\r\n\r\n')
          const text = chunk.toString('latin1', 0, end)
          const length = /^content-length: *(\d+)/im.exec(text)?.[1]
          if (end < 0 || !/^HTTP\/1\.1 200 /.test(text) || length === undefined)
            return wrong(`answered: ${text.slice(0, 200)}`)
          left = end + 4 + Number(length)
        }
        left -= chunk.length
        if (left > 0) return
        if (left < 0) return wrong('more than the answer')
        answers++
        if (isOver()) socket.end()
        else socket.write(question)
      })
      socket.once('error', reject)
      socket.once('close', () => (isOver() ? resolve() : reject(new WrongAnswer('the connection was closed'))))
    })
  await Promise.all(Array.from({ length: 32 }, one))
  return answers
}

async function http2(): Promise<number> {
  let answers = 0
  const ask = (session: ReturnType<typeof connectHttp2>) =>
    new Promise<void>((resolve, reject) => {
      let [status, bytes] = [0, 0]
      const stream = session.request({ ':path': about, ':authority': host, ...headers })
      stream.on('response', head => {
        status = Number(head[':status'])
      })
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      stream.once('error', reject)
      stream.once('close', () =>
        status === 200 && bytes >= 1024 ? resolve() : reject(new WrongAnswer(`answered ${status}, ${bytes} bytes`)),
      )
    })
  const one = async () => {
    const settings = { initialWindowSize: 6 * 1024 * 1024 }
    const session = connectHttp2(`https://${host}`, {
      createConnection: () => connect({ ...tls, ALPNProtocols: ['h2'] }),
      settings,
    })
    session.on('connect', () => session.setLocalWindowSize(15 * 1024 * 1024))
    session.on('error', () => undefined) // its streams tell
    const loop = async () => {
      for (; !isOver(); answers++) await ask(session)
    }
    await Promise.all(Array.from({ length: about === '/1k' ? 32 : 8 }, loop))
    session.close()
  }
  await Promise.all(Array.from({ length: 4 }, one))
  return answers
}

/** Requests begin by the clock, whether earlier ones are answered or not. @returns ms of each that came once it was settled, sorted */
async function steady(): Promise<{ readonly answers: number; readonly times: readonly number[] }> {
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets: 20 })
  const times: number[] = []
  let answers = 0
  const startedAt = performance.now()
  const ask = (begin: number) =>
    new Promise<void>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path: '/1k', agent, headers: { host, ...headers } }, answer => {
        answer.resume().once('end', () => {
          answers++
          if (begin - startedAt >= settling) times.push(performance.now() - begin)
          if (answer.statusCode === 200) resolve()
          else reject(new WrongAnswer(`answered ${answer.statusCode}`))
        })
      })
      sent.once('error', reject)
      sent.end()
    })
  const asked: Promise<void>[] = []
  while (!isOver()) {
    for (; asked.length < ((performance.now() - startedAt) / 1000) * Number(about); ) asked.push(ask(performance.now()))
    await pause(1)
  }
  await Promise.all(asked)
  agent.destroy()
  return { answers, times: times.toSorted((a, b) => a - b) }
}

const startedAt = performance.now()
try {
  const { answers: atRate, times } = work === 'steady' ? await steady() : { answers: 0, times: [] }
  const works = { http1, http2, full: handshakes, resumed: handshakes, steady: async () => atRate }
  const answers = await works[work]()
  const at = (share: number) => times[Math.floor((times.length - 1) * share)] ?? 0
  const latency = work === 'steady' ? { latency: { p50: at(0.5), p99: at(0.99) } } : {}
  console.log(JSON.stringify({ answers, seconds: (performance.now() - startedAt) / 1000, ...latency }))
} catch (error) {
  console.log(JSON.stringify({ answers: 0, seconds: 0, failure: String(error) }))
  process.exit(0) // load.ts reads the failure; connections would keep the process
}
