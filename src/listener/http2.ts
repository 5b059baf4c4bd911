/**
 * HTTP/2 behind the Exchange interface: Node's core stream API, without the compatibility layer.
 *
 * A request is begun a moment after its head came (fair-start.ts), and not at all if it was taken back by then: a client
 * that resets what it asks for in one breath (CVE-2023-44487) gets no further than the parser. Source: RFC 9113.
 */
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { Limits } from '../config/listener.ts'
import { every } from '../kernel/every.ts'
import { Settleable } from '../kernel/outcome.ts'
import { Departure } from '../kernel/signal.ts'
import { IncomingBody } from './bodies.ts'
import type { Engine, Take } from './engine.ts'
import type { Connection, Ending } from './exchange.ts'
import { exchangeId } from './exchange-id.ts'
import { createFairStart } from './fair-start.ts'
import { createGuard } from './http2-guard.ts'
import { Reply2 } from './http2-reply.ts'
import { headerBytes, RequestReader } from './http2-request.ts'
import {
  type CarryingStream,
  countPieces,
  isComplete,
  type Line,
  sourceOf,
  unwanted,
  windowSize,
} from './http2-stream.ts'
import { asHandshake, upgradeOf } from './http2-tunnel.ts'
import { closeSoon } from './last-words.ts'

/** Milliseconds in which streams still come in on a connection that was asked to leave. */
const lastStreams = 10_000
/** Of all uploads of a connection together: what waits to be read is held in memory. */
const connectionWindow = 8 * 1024 * 1024
/** Requests that are begun before the network is looked at again. */
const begunAtOnce = 16
/**
 * Streams that a client is told that it may open, for each that may run: Node counts those that were just cancelled, and
 * turns away what is opened in their place.
 */
const openPerStream = 2
/** More than the guard lets pass: it counts what is taken back, and knows what was answered. */
const nativeResets = 100_000
/** What nghttp2 and Node call a flood. */
const flooding: ReadonlySet<number | string | undefined> = new Set([-904, -905, 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES'])
export interface Take2 extends Take {
  /** A connection that costs more than its requests are worth; it has been closed. */
  flood(connection: Connection, why: string): void
}

const noError = () => undefined

class Flood extends Error {
  override readonly name = 'Flood'
}

export function createHttp2(take: Take2, connectionOf: (socket: TLSSocket) => Connection, limits: Limits): Engine {
  const sessions = new Map<ServerHttp2Session, Line>()
  const starts = createFairStart<ServerHttp2Session>(begunAtOnce, limits.streams)
  const guard = createGuard()
  let leaving = false
  const askToLeave = (session: ServerHttp2Session) => {
    // RFC 9113 6.8: no stream is turned away by this first GOAWAY, so that none is lost that is on its way already.
    if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1)
    setTimeout(() => session.close(), lastStreams).unref()
  }
  // Node's own timer of a session outlives it, and keeps all that hung on it for as long as it would have been kept.
  const looks = every(Math.min(1_000, Math.max(20, limits.keepAlive / 4)), () => {
    const now = performance.now()
    for (const [session, line] of sessions) {
      if (line.running > 0 || now - line.quietSince < limits.keepAlive) continue
      line.quietSince = Number.POSITIVE_INFINITY
      session.close()
      closeSoon(session)
    }
  })
  const settings = {
    maxConcurrentStreams: openPerStream * limits.streams,
    initialWindowSize: windowSize,
    maxHeaderListSize: limits.headerSize,
    enablePush: false,
    enableConnectProtocol: true,
  }

  const begin = (
    carrying: CarryingStream,
    flags: number,
    raw: readonly string[],
    { connection, account, reader }: Line,
  ) => {
    const { stream } = carrying
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    const body = isWhole ? undefined : new IncomingBody(sourceOf(stream))
    const { protocol, request: read } = reader.read(raw, body)
    const isTunnel = protocol === 'websocket'
    const request = isTunnel ? asHandshake(read, isWhole) : read
    if (request.malformed !== undefined) account.malformed(headerBytes(raw))
    const id = exchangeId()
    // RFC 9113 8.1: an answer that is complete before the request is, ends the stream without an error.
    const letGo = () => {
      if (isWhole || reply.tunnel !== undefined || stream.readableEnded || stream.destroyed || stream.closed) return
      unwanted(carrying, account)
      stream.close(constants.NGHTTP2_NO_ERROR)
    }
    const reply = new Reply2(stream, id, read.method, letGo)
    carrying.reply = reply
    const gone = new Departure()
    const finished = new Settleable<Ending>()
    carrying.ended = () => {
      const complete = reply.tunnel === undefined ? isComplete(stream) : !reply.aborted
      const ending = complete ? 'complete' : reply.aborted ? 'aborted' : 'client-gone'
      if (!complete || reply.tunnel !== undefined) {
        body?.cut()
        gone.abort()
        reply.body?.destroy()
      }
      finished.settle(ending)
    }
    if (body !== undefined) stream.on('aborted', () => body.cut())
    if (!isWhole)
      stream.on('finish', () => {
        if (!reply.endsApart) letGo()
      })
    const made = { id, startedAt: Date.now(), connection, request, reply, signal: gone, finished }
    if (isTunnel) take.upgrade({ ...made, upgrade: upgradeOf(stream, reply) }, () => [reply.progress])
    else take.exchange(made, () => [body, reply.progress])
  }

  const arrive = (
    session: ServerHttp2Session,
    stream: ServerHttp2Stream,
    flags: number,
    raw: readonly string[],
    line: Line,
  ) => {
    const { account, flooded } = line
    stream.on('error', noError) // told by 'close'
    // Node waits until everything is written, which never is where a client resets without an error.
    stream.on('aborted', () => setImmediate(() => stream.destroy()))
    if (session.destroyed) return
    const uploads = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0
    const carrying: CarryingStream = { stream, came: 0, whole: !uploads, at: -1 }
    account.opened(headerBytes(raw), carrying)
    if (uploads) countPieces(carrying, line)
    let isBegun = false
    stream.on('close', () => {
      if (--line.running === 0) line.quietSince = performance.now()
      if (isBegun) starts.ended(session)
      const now = performance.now()
      const complete = isComplete(stream)
      const byUs = complete || carrying.reply?.aborted === true
      if (byUs) unwanted(carrying, account)
      account.ended(carrying)
      if (complete) account.completed(now)
      const why = byUs ? undefined : account.takenBack(now, takeBack())
      if (why !== undefined) flooded(why)
      // Node's table of streams may keep it until the old generation is collected, and must not keep all that hung on it.
      // With a listener for that, each of them would be taken off by itself.
      stream.removeAllListeners('removeListener')
      stream.removeAllListeners()
      stream.on('error', noError)
      carrying.ended?.()
    })
    const takeBack = starts.add(session, () => {
      if (stream.destroyed || stream.closed) return false
      isBegun = true
      begin(carrying, flags, raw, line)
      return true
    })
  }

  return {
    accept(socket) {
      const connection = connectionOf(socket)
      const budget = guard.budget(connection.address)
      const session = performServerHandshake(socket, {
        settings,
        maxHeaderListPairs: limits.headerCount + 4,
        maxSessionMemory: 32,
        maxSessionInvalidFrames: 100,
        maxSessionRejectedStreams: budget.rejected,
        maxSettings: 32,
        streamResetBurst: nativeResets,
        streamResetRate: nativeResets,
        // What an upstream says twice (X-Content-Type-Options, behind another proxy) is passed on as it came.
        strictSingleValueFields: false,
      })
      const flooded = (why: string) => {
        if (session.destroyed) return
        starts.forget(session)
        // Without an error Node would say that all is well.
        session.destroy(new Flood(why), constants.NGHTTP2_ENHANCE_YOUR_CALM)
        guard.suspect(connection.address)
        take.flood(connection, why)
      }
      const account = guard.watch(session, socket, budget, limits.streams, flooded)
      const reader = new RequestReader(limits)
      // Who has not asked yet has as long as over HTTP/1.1, however short a connection is kept behind an answer.
      const quietSince = performance.now() + Math.max(0, limits.headers - limits.keepAlive)
      const line: Line = { connection, account, reader, flooded, running: 0, quietSince }
      sessions.set(session, line)
      if (leaving) askToLeave(session)
      session.on('connect', () => session.destroyed || session.setLocalWindowSize(connectionWindow))
      session.on('stream', (stream, _headers, flags, raw) => {
        line.running++
        arrive(session, stream, flags, raw, line)
      })
      session.on('error', (error: Error & { code?: string; errno?: number }) => {
        if (error.code === 'ECONNRESET' || error instanceof Flood) return
        const floods = flooding.has(error.errno) || flooding.has(error.code)
        // A line that breaks, and a client that says goodbye with an error, are nobody's fault.
        if (floods || error.code === 'ERR_HTTP2_ERROR') guard.suspect(connection.address)
        if (floods) take.flood(connection, error.message)
        else take.malformed(connection, error.code ?? error.message)
      })
      session.once('close', () => {
        sessions.delete(session)
        starts.forget(session)
      })
    },
    retire() {
      leaving = true
      for (const session of sessions.keys()) askToLeave(session)
    },
    drain() {
      for (const session of sessions.keys()) session.close()
    },
    close() {
      looks[Symbol.dispose]()
      guard[Symbol.dispose]()
    },
  }
}
