/**
 * One HTTP/2 connection on which a test says frames of its own making, and what comes back as frames.
 *
 * The preface and SETTINGS are said and acknowledged first, unless the test says them itself. Source: RFC 9113 3.4.
 */
import { type RawTls, rawTls } from '../fixture/raw-tls.ts'
import {
  ack,
  block,
  endHeaders,
  endStream,
  frame,
  type Http2Field,
  type Http2Frame,
  headers,
  preface,
  readFrames,
  settings,
} from './http2-frames.ts'

export interface Http2Server {
  readonly port: number
  readonly ca: string
}

export interface Http2Line {
  readonly frames: readonly Http2Frame[]
  /** The server has hung up. */
  readonly closed: boolean
  say(...frames: readonly Buffer[]): Promise<void>
  /** Whether it came true before the time was over or the server hung up. */
  sees(what: (frames: readonly Http2Frame[]) => boolean, milliseconds?: number): Promise<boolean>
  /** HEADERS of a good request, with a priority or not: `GET /` when nothing is said. */
  request(stream?: number, options?: RequestOptions): Buffer
  fields(method?: string): Http2Field[]
}

export interface RequestOptions {
  readonly method?: string
  readonly flags?: number
  readonly more?: readonly Http2Field[]
}

/** How long a server may take to answer, or to notice that something is wrong. */
const patience = 1_500

export async function withHttp2<T>(
  { port, ca }: Http2Server,
  work: (line: Http2Line) => Promise<T>,
  greeting: 'said' | 'left out' = 'said',
): Promise<T> {
  using raw = await rawTls(port, { ca, alpn: ['h2'] })
  const line = lineOn(raw, port)
  if (greeting === 'said') {
    await line.say(Buffer.from(preface), frame(settings, 0, 0))
    await line.sees(frames => frames.some(({ type, flags }) => type === settings && flags === 0))
    await line.say(frame(settings, ack, 0))
    await line.sees(frames => frames.some(({ type, flags }) => type === settings && flags === ack))
  }
  return await work(line)
}

function lineOn(raw: RawTls, port: number): Http2Line {
  const frames: Http2Frame[] = []
  let rest: Buffer = Buffer.alloc(0)
  let closed = false
  const fields = (method = 'GET'): Http2Field[] => [
    [':method', method],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', `localhost:${port}`],
  ]
  return {
    frames,
    fields,
    get closed() {
      return closed
    },
    request: (stream = 1, { method = 'GET', flags = endHeaders | endStream, more = [] } = {}) =>
      frame(headers, flags, stream, block([...fields(method), ...more])),
    // A server that has hung up already is what many cases wait for.
    say: (...said) => raw.write(Buffer.concat(said)).catch(() => undefined),
    async sees(what, milliseconds = patience) {
      for (const deadline = Date.now() + milliseconds; ; ) {
        if (what(frames)) return true
        if (closed || Date.now() >= deadline) return false
        const { bytes, ended } = await raw.read({ timeout: deadline - Date.now(), until: /[\s\S]/ })
        const read = readFrames(Buffer.concat([rest, bytes]))
        rest = read.rest
        frames.push(...read.frames)
        closed = ended === 'end' || ended === 'error'
      }
    },
  }
}
