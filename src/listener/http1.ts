/**
 * HTTP/1.1 behind the Exchange interface: Node's own server and its strict llhttp parser, fed with TLS sockets.
 *
 * llhttp strict is the defence against request smuggling; `insecureHTTPParser` is never set. The few things that it
 * lets through and an upstream might read differently are marked malformed here. Source: RFC 9112.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex, Writable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Limits } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import { IncomingBody, OutgoingBody } from './bodies.ts'
import type { Connection, Ending, Exchange, Header, HeaderList, Reply, UpgradeExchange } from './exchange.ts'
import { headerValues } from './exchange.ts'
import type { Engine, Take } from './engine.ts'

/** Bytes that a client may still send after it was answered early, before the connection is cut. */
const lingering = 512 * 1024

const pairs = (raw: readonly string[]): Header[] => {
  const list: Header[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) list.push([(raw[at] ?? '').toLowerCase(), raw[at + 1] ?? ''])
  return list
}

const flat = (headers: HeaderList): string[] => headers.flatMap(([name, value]) => [name, value])

function readRequest(message: IncomingMessage, expectsContinue: boolean, limits: Limits): { request: Exchange['request']; body: IncomingBody | undefined } {
  const headers = pairs(message.rawHeaders)
  const hosts = headerValues(headers, 'host')
  const authority = hosts.length === 1 ? parseAuthority(hosts[0] ?? '') : undefined
  const target = originForm(message.url ?? '', authority?.text ?? '')
  const codings = headerValues(headers, 'transfer-encoding')
  const lengths = headerValues(headers, 'content-length')
  const length = lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? '') ? Number(lengths[0]) : undefined

  let malformed: string | undefined
  if (authority === undefined) malformed = 'exactly one well-formed Host is needed'
  else if ('malformed' in target) malformed = target.malformed
  else if (message.httpVersion !== '1.1') malformed = 'only HTTP/1.1 and HTTP/2 are spoken here'
  else if (headers.length > limits.headerCount) malformed = `more than ${limits.headerCount} headers`
  else if (codings.length > 1 || (codings[0] ?? 'chunked').toLowerCase() !== 'chunked') malformed = 'the only transfer coding is chunked'
  else if (lengths.length > 0 && (length === undefined || codings.length > 0)) malformed = 'the length of the body is not clear'

  const body = codings.length > 0 || (length ?? 0) > 0 ? new IncomingBody(message) : undefined
  return {
    body,
    request: {
      method: message.method ?? '',
      target: 'target' in target ? target.target : '/',
      authority: authority?.text ?? '',
      headers,
      body,
      length: codings.length > 0 ? undefined : length,
      expectsContinue,
      malformed,
    },
  }
}

class Reply1 implements Reply {
  status: number | undefined
  body: OutgoingBody | undefined
  aborted = false
  readonly #message: IncomingMessage
  readonly #response: ServerResponse
  readonly #isDraining: () => boolean

  constructor(message: IncomingMessage, response: ServerResponse, isDraining: () => boolean) {
    this.#message = message
    this.#response = response
    this.#isDraining = isDraining
  }

  get bytes(): number {
    return this.body?.bytes ?? 0
  }

  continue(): void {
    if (!this.#response.destroyed && !this.#response.headersSent) this.#response.writeContinue()
  }

  head(status: number, headers: HeaderList): Writable {
    if (this.status !== undefined) throw new Error('the head of an answer goes out once')
    this.status = status
    const response = this.#response
    const sink = new OutgoingBody(response, () => this.abort())
    this.body = sink
    if (response.destroyed) return sink
    if (this.#isDraining()) response.shouldKeepAlive = false
    response.writeHead(status, STATUS_CODES[status] ?? '', flat(headers))
    if (!this.#message.complete) this.#linger()
    return sink
  }

  send(status: number, headers: HeaderList, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const bodiless = status === 204 || status === 304
    const sink = this.head(status, bodiless ? headers : [...headers, ['content-length', String(bytes.length)]])
    if (bodiless || this.#message.method === 'HEAD' || bytes.length === 0) sink.end()
    else sink.end(bytes)
  }

  abort(): void {
    this.aborted = true
    this.#response.destroy()
  }

  /** An answer that comes before the body was read: a little is swallowed, so that the client gets to read the answer. */
  #linger(): void {
    const { socket } = this.#message
    const from = socket.bytesRead
    this.#response.once('finish', () => {
      if (this.#message.complete) return
      const cut = setTimeout(() => socket.destroy(), 5_000)
      this.#message.on('data', () => {
        if (socket.bytesRead - from > lingering) socket.destroy()
      })
      this.#message.once('close', () => clearTimeout(cut))
      this.#message.resume()
    })
  }
}

/** @param connectionOf  the facts of a socket, kept by the listener since its handshake */
export function createHttp1(take: Take, connectionOf: (socket: Duplex) => Connection, limits: Limits): Engine {
  let draining = false
  const server: Server = createServer({
    maxHeaderSize: limits.headerSize,
    headersTimeout: limits.headers,
    // Node's limit for a whole request would kill large uploads; idle time and pace are watched by pace.ts.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAlive,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
    shouldUpgradeCallback: isWebSocket,
  })
  // Node would leave out what is over its count without a word; ours is counted and refused.
  server.maxHeadersCount = 0

  const exchangeOf = (message: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Exchange & { body: IncomingBody | undefined; reply: Reply1 } => {
    const { request, body } = readRequest(message, expectsContinue, limits)
    const reply = new Reply1(message, response, () => draining)
    const gone = new AbortController()
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
    message.on('error', () => body?.cut())
    return { id: randomUUID(), startedAt: Date.now(), connection: connectionOf(message.socket), request, reply, signal: gone.signal, finished, body }
  }

  const open = (message: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => {
    response.on('error', () => undefined) // told by 'close'
    const exchange = exchangeOf(message, response, expectsContinue)
    take.exchange(exchange, () => [exchange.body, exchange.reply.body])
  }
  server.on('request', (message, response) => open(message, response, false))
  server.on('checkContinue', (message, response) => open(message, response, true))
  server.on('checkExpectation', (_message, response: ServerResponse) => {
    response.writeHead(417, { connection: 'close', 'content-length': '0' }).end()
  })
  server.on('connect', (_message, socket) => socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'))
  server.on('upgrade', (message, socket, early) => take.upgrade(upgradeOf(message, socket, early, connectionOf, limits)))
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    take.malformed(connectionOf(socket), error.code ?? error.message)
  })
  // Node starts its watch over slow headers on this event, which a server that never listens itself does not get.
  server.emit('listening')

  return {
    accept: (socket: TLSSocket) => server.emit('connection', socket),
    drain() {
      draining = true
      server.closeIdleConnections()
    },
    close() {
      draining = true
      server.close(() => undefined)
    },
  }
}

/** Anything else that asks for an upgrade is an ordinary request, and its Upgrade header goes no further. */
const isWebSocket = (message: IncomingMessage): boolean =>
  message.method === 'GET' && (message.headers.upgrade ?? '').toLowerCase() === 'websocket'

function upgradeOf(message: IncomingMessage, socket: Duplex, early: Buffer, connectionOf: (socket: Duplex) => Connection, limits: Limits): UpgradeExchange {
  const { request } = readRequest(message, false, limits)
  const gone = new AbortController()
  const { promise: finished, resolve } = Promise.withResolvers<Ending>()
  let aborted = false
  socket.on('error', () => undefined) // told by 'close'
  socket.once('close', () => {
    resolve(aborted ? 'aborted' : 'complete')
    gone.abort()
  })
  const line = (headers: HeaderList) => headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const reply: Reply & { status: number | undefined; bytes: number } = {
    status: undefined,
    bytes: 0,
    continue: () => undefined,
    head(status, headers) {
      reply.status = status
      // The handshake failed: no second request is read from this connection.
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${line(headers)}connection: close\r\n\r\n`)
      return new OutgoingBody(socket, () => reply.abort())
    },
    send(status, headers, body) {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body
      reply.bytes = bytes.length
      reply.head(status, [...headers, ['content-length', String(bytes.length)]]).end(bytes)
    },
    abort() {
      aborted = true
      socket.destroy()
    },
  }
  const malformed = request.malformed ?? (request.body !== undefined ? 'a WebSocket handshake has no body' : undefined)
  return {
    id: randomUUID(),
    startedAt: Date.now(),
    connection: connectionOf(socket),
    request: { ...request, body: undefined, malformed },
    reply,
    signal: gone.signal,
    finished,
    upgrade: {
      early,
      accept(headers) {
        reply.status = 101
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${line(headers)}\r\n`)
        return socket
      },
    },
  }
}
