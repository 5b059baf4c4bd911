/**
 * HTTP/1.1 behind the Exchange interface: Node's own server and its strict llhttp parser, fed with sockets.
 *
 * llhttp strict is the defence against request smuggling; `insecureHTTPParser` is never set. The few things that it
 * lets through and an upstream might read differently are marked malformed here. Source: RFC 9112.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Limits } from '../config/listener.ts'
import { createMembers, type Member, type Members } from '../kernel/members.ts'
import { Departure } from '../kernel/signal.ts'
import type { IncomingBody } from './bodies.ts'
import type { Engine, Take } from './engine.ts'
import type { Connection, Ending, Exchange } from './exchange.ts'
import { Reply1 } from './http1-reply.ts'
import { readRequest } from './http1-request.ts'
import { isWebSocket, upgradeOf } from './http1-upgrade.ts'
import { closeSoon, sayLast } from './last-words.ts'

/** Requests of a connection that may be unanswered at one time. Browsers send one, and the few others that do not wait ten. */
const mostAtOnce = 32

interface Answering extends Member {
  readonly response: ServerResponse
}

const noError = () => undefined

/** @param connectionOf  the facts of a socket, kept by the listener since it came in */
export function createHttp1(take: Take, connectionOf: (socket: Duplex) => Connection, limits: Limits): Engine<Socket> {
  let leaving = false
  /** Of what stands behind these in the same read Node loses all: the next request would begin somewhere in the middle. */
  const declined = new WeakSet<IncomingMessage>()
  const server: Server = createServer({
    maxHeaderSize: limits.headerSize,
    headersTimeout: limits.headers,
    // Node's limit for a whole request would kill large uploads; idle time and pace are watched by pace.ts.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAlive,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
    // Node would answer a request without Host by itself, and read on behind it.
    requireHostHeader: false,
    shouldUpgradeCallback(message) {
      const wanted = isWebSocket(message)
      if (!wanted) declined.add(message)
      return wanted
    },
  })
  // Node would leave out what is over its count without a word; ours is counted and refused.
  server.maxHeadersCount = 0

  /** Connections that have made a request, and those that were told their last word. */
  const [spoken, told] = [new WeakSet<Duplex>(), new WeakSet<Duplex>()]
  /** Connections on which nothing more is read: where the next request begins is not certain (RFC 9112 6.3, 9.6). */
  const over = new WeakSet<Duplex>()
  /** The last answer on a connection that was to tell a client to go on with its body. */
  const expecting = new WeakMap<Duplex, Reply1>()
  /** Answers under way. */
  const answering = new WeakMap<Duplex, Members<Answering>>()
  const isAnswering = (socket: Duplex): boolean => (answering.get(socket)?.size ?? 0) > 0
  /** Node has let go of a socket with an upgrade on it: of the answers under way only the first would learn of its end. */
  const cutAll = (socket: Duplex): void => {
    for (const { response } of answering.get(socket)?.all() ?? []) response.destroy()
    socket.destroy()
  }
  const isOver = (socket: Duplex): boolean => {
    // Who sends its body unasked, and another request behind it, may be refused with the end of the connection.
    const first = expecting.get(socket)
    if (first?.continued === false) {
      first.last = true
      over.add(socket)
    }
    return over.has(socket)
  }

  const exchangeOf = (
    message: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): Exchange & { body: IncomingBody | undefined; reply: Reply1 } => {
    const { request, body } = readRequest(message, expectsContinue, limits)
    const reply = new Reply1(message, response, () => leaving)
    reply.last = request.malformed !== undefined || declined.has(message)
    if (reply.last) over.add(message.socket)
    if (expectsContinue) expecting.set(message.socket, reply)
    const gone = new Departure()
    const { promise: finished, resolve } = Promise.withResolvers<Ending>()
    response.once('close', () => {
      const complete = response.writableFinished
      resolve(complete ? 'complete' : reply.aborted ? 'aborted' : 'client-gone')
      if (complete) return
      body?.cut()
      gone.abort()
      reply.body?.destroy()
    })
    // A body that breaks off (reset, broken chunk) is told to whoever reads it.
    message.on('error', body === undefined ? noError : () => body.cut())
    return {
      id: randomUUID(),
      startedAt: Date.now(),
      connection: connectionOf(message.socket),
      request,
      reply,
      signal: gone,
      finished,
      body,
    }
  }

  const open = (message: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => {
    response.on('error', noError) // told by 'close'
    const { socket } = message
    if (socket.destroyed) return
    if (isOver(socket)) return // the answer before this one says close
    spoken.add(socket)
    let running = answering.get(socket)
    if (running === undefined) {
      running = createMembers()
      answering.set(socket, running)
    }
    const member = { response, at: -1 }
    running.join(member)
    // Node reads a thousand in one go, and everybody else would wait until all of them are begun.
    if (running.size > mostAtOnce) {
      take.malformed(connectionOf(socket), 'requests that wait for no answer')
      return cutAll(socket)
    }
    response.once('close', () => running.leave(member))
    const exchange = exchangeOf(message, response, expectsContinue)
    take.exchange(exchange, () => [exchange.body, exchange.reply.progress])
  }
  server.on('request', (message, response) => open(message, response, false))
  server.on('checkContinue', (message, response) => open(message, response, true))
  server.on('checkExpectation', (message, response: ServerResponse) => {
    if (isOver(message.socket)) return
    over.add(message.socket)
    response.writeHead(417, { connection: 'close', 'content-length': '0' }).end()
  })
  server.on('connect', (_message, socket) => {
    if (isAnswering(socket)) return cutAll(socket)
    return sayLast(socket, 'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
  server.on('upgrade', (message, socket, early) => {
    if (isOver(socket)) {
      socket.on('error', () => undefined).once('close', () => cutAll(socket))
      return closeSoon(socket)
    }
    // It would overtake the answer under way, which would then be written into the tunnel.
    if (isAnswering(socket)) return cutAll(socket)
    spoken.add(socket)
    take.upgrade(upgradeOf(message, socket, early, connectionOf, limits))
  })
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    // What follows on a connection that was told its last word is wrong once more, and says nothing new.
    if (told.has(socket) || over.has(socket)) return
    // In the middle of an answer, a 400 would pass for more of its body.
    if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) {
      socket.destroy()
      return
    }
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
    told.add(socket)
    sayLast(socket, `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    take.malformed(connectionOf(socket), error.code ?? error.message)
  })
  // Node starts its watch over slow headers on this event, which a server that never listens itself does not get.
  server.emit('listening')

  return {
    accept(socket) {
      server.emit('connection', socket)
      // Node begins to count with the first byte: who never says anything would keep the connection for ever.
      setTimeout(() => spoken.has(socket) || socket.destroy(), limits.headers + 2_000).unref()
    },
    retire() {
      leaving = true
    },
    drain() {
      leaving = true
      server.closeIdleConnections()
    },
    close() {
      leaving = true
      server.close(() => undefined)
    },
  }
}
