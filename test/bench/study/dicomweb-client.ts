/**
 * A DICOMweb client that loads all frames of a study, as a program. The file that its argument names holds the terms as JSON;
 * prints one line of JSON: the outcome. Every frame is compared with what was stored, after the clock has stopped.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:http2'
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'

export interface ClientTerms {
  /** https: HTTP/2 over one connection; http: HTTP/1.1 over 40. */
  readonly origin: string
  /** Host and port that are connected to, for a line in between. */
  readonly through?: number
  /** Path -> SHA-256 of the pixels, in hexadecimal. */
  readonly frames: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** PEM file. */
  readonly ca: string
}

export interface ClientOutcome {
  readonly seconds: number
  /** The longest time in which no frame came, in seconds. */
  readonly stall: number
  /** MB of bodies as they came. */
  readonly megabytes: number
  /** Seconds of CPU that the client needed. */
  readonly cpu: number
  /** Content codings that came, '' for none. */
  readonly codings: readonly string[]
  readonly wrong?: string
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly coding: string
  readonly body: Buffer
}

const terms = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ClientTerms // study.ts wrote it
const { origin, frames, headers } = terms
const [inFlight, connections] = [100, 40]

const concat = async (stream: AsyncIterable<Buffer>) => Buffer.concat(await Array.fromAsync(stream))

function overHttp1(): (path: string) => Promise<Answer> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  /** Orthanc closes what was quiet for a second, and a request may meet that: any client asks once more then. */
  const ask = async (path: string): Promise<IncomingMessage> => {
    const sent = request(`${origin}${path}`, { agent, headers }).end()
    try {
      const [answer] = (await once(sent, 'response')) as [IncomingMessage] // the only argument of this event
      return answer
    } catch (cause) {
      if (sent.reusedSocket && (cause as NodeJS.ErrnoException).code === 'ECONNRESET') return ask(path)
      throw cause
    }
  }
  return async path => {
    const answer = await ask(path)
    const { 'content-type': type = '', 'content-encoding': coding = '' } = answer.headers
    return { status: answer.statusCode ?? 0, type, coding, body: await concat(answer) }
  }
}

function overHttp2(): (path: string) => Promise<Answer> {
  // Windows as Chrome has them.
  const settings = { initialWindowSize: 6 * 2 ** 20, enablePush: false }
  const where = terms.through === undefined ? {} : { port: terms.through }
  const session = connect(origin, { ca: readFileSync(terms.ca), settings, ...where })
  session.on('connect', () => session.setLocalWindowSize(15 * 2 ** 20))
  session.on('error', () => undefined) // its streams tell
  const authority = new URL(origin).host
  return async path => {
    const stream = session.request({ ':path': path, ':authority': authority, ...headers })
    // Of a small answer all is there, and closed, before anybody who waited for its head asks for the body.
    const whole = concat(stream)
    const [head] = await once(stream, 'response')
    const answer = { status: Number(head[':status']), type: String(head['content-type']) }
    return { ...answer, coding: String(head['content-encoding'] ?? ''), body: await whole }
  }
}

const decoders: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  '': body => body,
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
}

/** What is wrong with it; undefined: it is the frame. */
function judge({ status, type, coding, body }: Answer, hash: string): string | undefined {
  const decode = decoders[coding]
  if (status !== 200 || decode === undefined) return `answered ${status} ${coding}: ${body.toString('latin1', 0, 100)}`
  const plain = decode(body)
  const boundary = /boundary="?([^";]+)/.exec(type)?.[1] ?? ''
  const start = plain.indexOf('\r\n\r\n') + 4
  const pixels = plain.subarray(start, plain.indexOf(`\r\n--${boundary}`, start))
  return createHash('sha256').update(pixels).digest('hex') === hash ? undefined : 'other pixels'
}

const patience = 120_000
setTimeout(() => {
  throw new Error(`${answers.length} frames of ${Object.keys(frames).length} came in ${patience / 1000} s`)
}, patience)
const startedAt = performance.now()
const ask = origin.startsWith('https:') ? overHttp2() : overHttp1()
const left = Object.keys(frames)
const answers: [string, Answer][] = []
let [stall, last] = [0, startedAt]
const loader = async () => {
  for (let path = left.shift(); path !== undefined; path = left.shift()) {
    answers.push([path, await ask(path)])
    const now = performance.now()
    stall = Math.max(stall, now - last)
    last = now
  }
}
await Promise.all(Array.from({ length: inFlight }, loader))
const seconds = (performance.now() - startedAt) / 1000
const { user, system } = process.cpuUsage()
const wrong = answers.map(([path, answer]) => judge(answer, frames[path] ?? '')).find(verdict => verdict !== undefined)
const outcome: ClientOutcome = {
  ...{ seconds, stall: stall / 1000, cpu: (user + system) / 1e6 },
  megabytes: answers.reduce((sum, [, { body }]) => sum + body.length, 0) / 2 ** 20,
  codings: [...new Set(answers.map(([, { coding }]) => coding))],
  ...(wrong === undefined ? {} : { wrong }),
}
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0))
