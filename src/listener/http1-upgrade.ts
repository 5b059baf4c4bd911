/**
 * A WebSocket handshake over HTTP/1.1 as an exchange whose answer may be a tunnel.
 *
 * Source: RFC 6455 4.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Settleable } from '../kernel/outcome.ts'
import { Departure } from '../kernel/signal.ts'
import { OutgoingBody } from './bodies.ts'
import type { Connection, Ending, ExchangeRequest, HeaderList, Reply, UpgradeExchange } from './exchange.ts'
import { exchangeId } from './exchange-id.ts'
import { closeSoon } from './last-words.ts'

/**
 * @param socket  nobody else reads it any more
 * @param early   what came behind the handshake
 * @param idle    milliseconds in which a client has to take some of an answer that declines
 */
export function upgradeOf(
  read: ExchangeRequest,
  socket: Socket,
  early: Buffer,
  connection: Connection,
  idle: number,
): UpgradeExchange {
  const gone = new Departure()
  const finished = new Settleable<Ending>()
  let aborted = false
  socket.once('close', () => {
    gone.abort()
    finished.settle(aborted ? 'aborted' : 'complete')
  })
  const id = exchangeId()
  const line = (headers: HeaderList) =>
    [...headers, ['x-request-id', id]].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const reply: Reply & { status: number | undefined; bytes: number } = {
    status: undefined,
    bytes: 0,
    continue: () => undefined,
    head(status, headers) {
      reply.status = status
      // The handshake failed: no second request is read from this connection.
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${line(headers)}connection: close\r\n\r\n`)
      // Nothing but a tunnel may be quiet for long here.
      socket.setTimeout(idle, () => socket.destroy())
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
  const malformed = read.malformed ?? ((read.length ?? 0) > 0 ? 'a WebSocket handshake has no body' : undefined)
  return {
    id,
    startedAt: Date.now(),
    connection,
    request: { ...read, body: undefined, malformed },
    reply,
    signal: gone,
    finished,
    upgrade: {
      early,
      accept(headers) {
        reply.status = 101
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${line(headers)}\r\n`)
        socket.resume()
        return socket
      },
    },
  }
}
