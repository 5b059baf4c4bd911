/**
 * A WebSocket handshake over HTTP/1.1 as an exchange whose answer may be a tunnel.
 *
 * Source: RFC 6455 4.
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Limits } from '../config/listener.ts'
import { Settleable } from '../kernel/outcome.ts'
import { Departure } from '../kernel/signal.ts'
import { OutgoingBody } from './bodies.ts'
import type { Connection, Ending, HeaderList, Reply, UpgradeExchange } from './exchange.ts'
import { exchangeId } from './exchange-id.ts'
import { readRequest } from './http1-request.ts'
import { closeSoon } from './last-words.ts'

/** Anything else that asks for an upgrade is an ordinary request, and its Upgrade header goes no further. */
export const isWebSocket = (message: IncomingMessage): boolean =>
  message.method === 'GET' && (message.headers.upgrade ?? '').toLowerCase() === 'websocket'

export function upgradeOf(
  message: IncomingMessage,
  socket: Duplex,
  early: Buffer,
  connection: Connection,
  limits: Limits,
): UpgradeExchange {
  const { request } = readRequest(message, false, limits)
  const gone = new Departure()
  const finished = new Settleable<Ending>()
  let aborted = false
  socket.on('error', () => undefined) // told by 'close'
  socket.once('close', () => {
    gone.abort()
    finished.settle(aborted ? 'aborted' : 'complete')
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
      // Nothing but a tunnel may be quiet for long here.
      message.socket.setTimeout(limits.idle, () => socket.destroy())
      const sink = new OutgoingBody(socket, () => reply.abort())
      sink.once('finish', () => {
        // Nobody reads here any more, and what is not read has no end: the client would seem to stay.
        socket.resume()
        closeSoon(socket)
      })
      return sink
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
    id: exchangeId(),
    startedAt: Date.now(),
    connection,
    request: { ...request, body: undefined, malformed },
    reply,
    signal: gone,
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
