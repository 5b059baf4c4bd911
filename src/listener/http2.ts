/**
 * HTTP/2 behind the Exchange interface: Node's core stream API, without the compatibility layer.
 *
 * Every call on a stream that is already gone throws, so each is guarded. Source: RFC 9113.
 */
import { randomUUID } from 'node:crypto'
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Writable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Limits } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import { IncomingBody, OutgoingBody } from './bodies.ts'
import type { Engine, Take } from './engine.ts'
import type { Connection, Ending, Exchange, Header, HeaderList, Reply } from './exchange.ts'
import { headerValues } from './exchange.ts'
import { closeSoon } from './last-words.ts'

/** Milliseconds in which streams still come in on a connection that was asked to leave. */
const lastStreams = 10_000
/** Fills a line of 1 Gbit/s with 10 ms of delay. */
const windowSize = 2 * 1024 * 1024

function readRequest(raw: readonly string[], ended: boolean, stream: ServerHttp2Stream, limits: Limits) {
  const pseudo = new Map<string, string>()
  const headers: Header[] = []
  let doubled = false
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    if (!name.startsWith(':')) headers.push([name, value])
    else if (pseudo.has(name)) doubled = true
    else pseudo.set(name, value)
  }
  const hosts = headerValues(headers, 'host')
  const named = pseudo.get(':authority') ?? hosts[0] ?? ''
  const authority = parseAuthority(named)
  const target = originForm(pseudo.get(':path') ?? '', authority?.text ?? '')
  const lengths = headerValues(headers, 'content-length')
  const length = lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? '') ? Number(lengths[0]) : undefined
  const method = pseudo.get(':method') ?? ''

  let malformed: string | undefined
  if (authority === undefined || hosts.length > 1 || (hosts[0] ?? named).toLowerCase() !== named.toLowerCase()) {
    malformed = 'exactly one well-formed authority is needed'
  } else if (doubled || !/^[A-Z]+$/.test(method)) malformed = 'the method or target is not clear'
  else if ('malformed' in target) malformed = target.malformed
  else if (headers.length > limits.headerCount) malformed = `more than ${limits.headerCount} headers`
  // The size is announced in SETTINGS, and Node leaves it to the client to heed it.
  else if (headerBytes(raw) > limits.headerSize) malformed = `more than ${limits.headerSize} bytes of headers`
  else if (lengths.length > 0 && length === undefined) malformed = 'the length of the body is not clear'

  const body = ended ? undefined : new IncomingBody(stream)
  const request: Exchange['request'] = {
    method,
    target: 'target' in target ? target.target : '/',
    authority: authority?.text ?? '',
    headers,
    body,
    length: ended ? (length ?? 0) : length,
    expectsContinue: headerValues(headers, 'expect').some(value => value.toLowerCase() === '100-continue'),
    malformed,
  }
  return { request, body }
}

/** As RFC 9113 6.5.2 counts them, without its 32 bytes for each field. */
const headerBytes = (raw: readonly string[]): number => raw.reduce((sum, part) => sum + part.length, 0)

/** Names with several values become a list. */
function toRecord(status: number, headers: HeaderList): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.assign(Object.create(null), { ':status': String(status) })
  for (const [name, value] of headers) {
    const earlier = record[name]
    record[name] = earlier === undefined ? value : [...[earlier].flat(), value]
  }
  return record
}

class Reply2 implements Reply {
  status: number | undefined
  body: OutgoingBody | undefined
  aborted = false
  /** END_STREAM goes out apart from the body. */
  endsApart = false
  readonly #stream: ServerHttp2Stream
  readonly #method: string

  constructor(stream: ServerHttp2Stream, method: string) {
    this.#stream = stream
    this.#method = method
  }

  get bytes(): number {
    return this.body?.bytes ?? 0
  }

  continue(): void {
    if (!this.#stream.destroyed && !this.#stream.headersSent) this.#stream.additionalHeaders({ ':status': 100 })
  }

  head(status: number, headers: HeaderList): Writable {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    this.status = status
    const sink = new OutgoingBody(this.#stream, clientLeft => this.#cut(!clientLeft))
    this.body = sink
    if (this.#stream.destroyed || this.#stream.closed) return sink
    const bodiless = this.#method === 'HEAD' || status === 204 || status === 304
    // Node ends a stream before it resets it, and a body that was cut would look whole. Where no length says better, the
    // end is sent by itself, once the body is out.
    this.endsApart = !bodiless && headerValues(headers, 'content-length').length === 0
    this.#stream.respond(toRecord(status, headers), { endStream: bodiless, waitForTrailers: this.endsApart })
    return sink
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const bodiless = status === 204 || status === 304
    const sink = this.head(status, bodiless ? headers : [...headers, ['content-length', String(bytes.length)]])
    if (bodiless || this.#method === 'HEAD' || bytes.length === 0) sink.end()
    else sink.end(bytes)
  }

  abort(): void {
    this.#cut(true)
  }

  #cut(byUs: boolean): void {
    // Gone already: then it was the client who went.
    if (this.#stream.destroyed || this.#stream.closed) return
    this.aborted = byUs
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}

export function createHttp2(take: Take, connectionOf: (socket: TLSSocket) => Connection, limits: Limits): Engine {
  const sessions = new Set<ServerHttp2Session>()
  let leaving = false
  const askToLeave = (session: ServerHttp2Session) => {
    // RFC 9113 6.8: no stream is turned away by this first GOAWAY, so that none is lost that is on its way already.
    if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1)
    setTimeout(() => session.close(), lastStreams).unref()
  }
  const settings = {
    maxConcurrentStreams: limits.streams,
    initialWindowSize: windowSize,
    maxHeaderListSize: limits.headerSize,
    enablePush: false,
  }

  const open = (stream: ServerHttp2Stream, flags: number, raw: readonly string[], connection: Connection) => {
    stream.on('error', () => undefined) // told by 'close'
    const { request, body } = readRequest(raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0, stream, limits)
    const reply = new Reply2(stream, request.method)
    const gone = new AbortController()
    const { promise: finished, resolve } = Promise.withResolvers<Ending>()
    stream.once('close', () => {
      const complete = stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.writableFinished
      resolve(complete ? 'complete' : reply.aborted ? 'aborted' : 'client-gone')
      if (complete) return
      body?.cut()
      gone.abort()
      reply.body?.destroy()
    })
    stream.once('aborted', () => body?.cut())
    // RFC 9113 8.1: an answer that is complete before the request is, ends the stream without an error.
    const letGo = () => {
      if (!stream.readableEnded && body !== undefined && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR)
    }
    stream.once('finish', () => {
      if (!reply.endsApart) letGo()
    })
    stream.once('wantTrailers', () => {
      if (stream.destroyed || stream.closed) return
      stream.sendTrailers({})
      letGo()
    })
    take.exchange(
      { id: randomUUID(), startedAt: Date.now(), connection, request, reply, signal: gone.signal, finished },
      () => [body, reply.body],
    )
  }

  return {
    accept(socket) {
      const session = performServerHandshake(socket, {
        settings,
        maxHeaderListPairs: limits.headerCount + 4,
        maxSessionMemory: 32,
        maxSessionInvalidFrames: 100,
        maxSettings: 32,
        // What an upstream says twice (X-Content-Type-Options, behind another proxy) is passed on as it came.
        strictSingleValueFields: false,
      })
      sessions.add(session)
      const connection = connectionOf(socket)
      session.setTimeout(limits.keepAlive, () => {
        if (session.destroyed || busy.has(session)) return
        session.close()
        closeSoon(session)
      })
      if (leaving) askToLeave(session)
      session.on('connect', () => session.destroyed || session.setLocalWindowSize(windowSize * 4))
      session.on('stream', (stream, _headers, flags, raw) => {
        busy.set(session, (busy.get(session) ?? 0) + 1)
        stream.once('close', () => {
          const left = (busy.get(session) ?? 1) - 1
          if (left === 0) busy.delete(session)
          else busy.set(session, left)
        })
        open(stream, flags, raw, connection)
      })
      session.on('error', (error: Error & { code?: string }) => {
        if (error.code !== 'ECONNRESET') take.malformed(connection, error.code ?? error.message)
      })
      session.once('close', () => sessions.delete(session))
    },
    retire() {
      leaving = true
      for (const session of sessions) askToLeave(session)
    },
    drain() {
      for (const session of sessions) session.close()
    },
    close: () => undefined,
  }
}

/** Streams that run on a session: one that is busy is not idle, however quiet its socket is. */
const busy = new WeakMap<ServerHttp2Session, number>()
