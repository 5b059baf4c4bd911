/**
 * HTTP/1.1 behind the Exchange interface: Node's own server and its strict llhttp parser, fed with sockets.
 *
 * llhttp strict is the defence against request smuggling; `insecureHTTPParser` is never set. The few things that it
 * lets through and an upstream might read differently are marked malformed here. Source: RFC 9112.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Limits } from '../config/listener.ts'
import { createMembers, type Member, type Members } from '../kernel/members.ts'
import { Settleable } from '../kernel/outcome.ts'
import { Departure } from '../kernel/signal.ts'
import type { Engine, Take } from './engine.ts'
import type { Connection, Ending } from './exchange.ts'
import { exchangeId } from './exchange-id.ts'
import { Reply1 } from './http1-reply.ts'
import { readRequest } from './http1-request.ts'
import { isWebSocket, upgradeOf } from './http1-upgrade.ts'
import { closeSoon, sayLast } from './last-words.ts'

/** Requests of a connection that may be unanswered at one time. Browsers send one, and the few others that do not wait ten. */
const mostAtOnce = 32

interface Answering extends Member {
  readonly response: ServerResponse
}

/** A connection. */
interface Line {
  readonly connection: Connection
  /** Until a request comes: who never says anything would keep the connection for ever. */
  silence: NodeJS.Timeout | undefined
  /** It was told its last word. */
  isTold: boolean
  /** Nothing more is read: where the next request begins is not certain (RFC 9112 6.3, 9.6). */
  isOver: boolean
  /** The last answer that was to tell the client to go on with its body. */
  expecting: Reply1 | undefined
  /** Answers under way. */
  readonly answering: Members<Answering>
}

const noError = () => undefined

/** @param connectionOf  the facts of a socket, kept by the listener since it came in */
export function createHttp1(take: Take, connectionOf: (socket: Duplex) => Connection, limits: Limits): Engine<Socket> {
  let leaving = false
  const lines = new WeakMap<Duplex, Line>()
  const lineOf = (socket: Duplex): Line => {
    const line = lines.get(socket)
    if (line === undefined) throw new Error('a socket that was never accepted')
    return line
  }
  /** Of what stands behind it in the same read Node loses all: the next request would begin somewhere in the middle. */
  let declined: IncomingMessage | undefined
  const server: Server = createServer({
    maxHeaderSize: limits.headerSize,
    headersTimeout: limits.headers,
    // Node's limit for a whole request would kill large uploads; idle time and pace are watched by pace.ts.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAlive,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
    // What announces no body is no stream that somebody must read to its end.
    optimizeEmptyRequests: true,
    // Node would answer a request without Host by itself, and read on behind it.
    requireHostHeader: false,
    shouldUpgradeCallback(message) {
      const wanted = isWebSocket(message)
      if (!wanted) declined = message
      return wanted
    },
  })
  // Node would leave out what is over its count without a word; ours is counted and refused.
  server.maxHeadersCount = 0

  /** Node has let go of a socket with an upgrade on it: of the answers under way only the first would learn of its end. */
  const cutAll = (socket: Duplex): void => {
    for (const { response } of lineOf(socket).answering.all()) response.destroy()
    socket.destroy()
  }
  const speaks = (line: Line): void => {
    if (line.silence === undefined) return
    clearTimeout(line.silence)
    line.silence = undefined
  }
  const isOver = (line: Line): boolean => {
    // Who sends its body unasked, and another request behind it, may be refused with the end of the connection.
    if (line.expecting?.continued === false) {
      line.expecting.last = true
      line.isOver = true
    }
    return line.isOver
  }

  const open = (message: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => {
    const wasDeclined = declined === message
    declined = undefined
    response.on('error', noError) // told by 'close'
    const { socket } = message
    if (socket.destroyed) return
    const line = lineOf(socket)
    if (isOver(line)) return // the answer before this one says close
    speaks(line)
    const { connection, answering } = line
    const member = { response, at: -1 }
    answering.join(member)
    // Node reads a thousand in one go, and everybody else would wait until all of them are begun.
    if (answering.size > mostAtOnce) {
      take.malformed(connection, 'requests that wait for no answer')
      return cutAll(socket)
    }
    const { request, body } = readRequest(message, expectsContinue, limits)
    const reply = new Reply1(message, response, () => leaving)
    reply.last = request.malformed !== undefined || wasDeclined
    if (reply.last) line.isOver = true
    if (expectsContinue) line.expecting = reply
    const gone = new Departure()
    const finished = new Settleable<Ending>()
    response.on('close', () => {
      answering.leave(member)
      const complete = response.writableFinished
      const ending = complete ? 'complete' : reply.aborted ? 'aborted' : 'client-gone'
      if (!complete) {
        body?.cut()
        gone.abort()
        reply.body?.destroy()
      }
      finished.settle(ending)
    })
    // A body that breaks off (reset, broken chunk) is told to whoever reads it.
    message.on('error', body === undefined ? noError : () => body.cut())
    const id = exchangeId()
    const exchange = { id, startedAt: Date.now(), connection, request, reply, signal: gone, finished }
    take.exchange(exchange, () => [body, reply.progress])
  }
  server.on('request', (message, response) => open(message, response, false))
  server.on('checkContinue', (message, response) => open(message, response, true))
  server.on('checkExpectation', (message, response: ServerResponse) => {
    const line = lineOf(message.socket)
    if (isOver(line)) return
    line.isOver = true
    response.writeHead(417, { connection: 'close', 'content-length': '0' }).end()
  })
  server.on('connect', (_message, socket) => {
    if (lineOf(socket).answering.size > 0) return cutAll(socket)
    return sayLast(socket, 'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
  server.on('upgrade', (message, socket, early) => {
    const line = lineOf(socket)
    if (isOver(line)) {
      socket.on('error', () => undefined).once('close', () => cutAll(socket))
      return closeSoon(socket)
    }
    // It would overtake the answer under way, which would then be written into the tunnel.
    if (line.answering.size > 0) return cutAll(socket)
    speaks(line)
    take.upgrade(upgradeOf(message, socket, early, line.connection, limits))
  })
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    const line = lineOf(socket)
    // What follows on a connection that was told its last word is wrong once more, and says nothing new.
    if (line.isTold || line.isOver) return
    // In the middle of an answer, a 400 would pass for more of its body.
    if (!socket.writable || error.code === 'ECONNRESET' || line.answering.size > 0) {
      socket.destroy()
      return
    }
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
    line.isTold = true
    sayLast(socket, `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    take.malformed(line.connection, error.code ?? error.message)
  })
  // Node starts its watch over slow headers on this event, which a server that never listens itself does not get.
  server.emit('listening')

  return {
    accept(socket) {
      const line: Line = {
        ...{ connection: connectionOf(socket), answering: createMembers() },
        ...{ silence: undefined, isTold: false, isOver: false, expecting: undefined },
      }
      lines.set(socket, line)
      server.emit('connection', socket)
      // Node begins to count with the first byte.
      line.silence = setTimeout(() => socket.destroy(), limits.headers + 2_000).unref()
      socket.once('close', () => speaks(line))
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
