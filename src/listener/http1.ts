/**
 * HTTP/1.1 behind the Exchange interface: our own reading of requests (http1-connection.ts), fed with sockets.
 *
 * It is the defence against request smuggling: stricter than llhttp and never laxer, which fuzz tests hold it to. The few
 * things that are well formed and that an upstream might read differently are marked malformed (http1-request.ts).
 * Source: RFC 9112.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Limits } from '../config/listener.ts'
import { createMembers } from '../kernel/members.ts'
import type { Engine, Take } from './engine.ts'
import type { Connection } from './exchange.ts'
import { ClientConnection } from './http1-connection.ts'

/** @param connectionOf  the facts of a socket, kept by the listener since it came in */
export function createHttp1(take: Take, connectionOf: (socket: Duplex) => Connection, limits: Limits): Engine<Socket> {
  const connections = createMembers<ClientConnection>()
  const kept = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(limits.keepAlive / 1000)}\r\n\r\n`
  const terms = { take, limits, kept, isLeaving: false, now: performance.now() }
  // One look at all of them, in place of a timer for each.
  const step = Math.min(1_000, Math.max(20, Math.min(limits.headers, limits.keepAlive) / 4))
  const looks = setInterval(() => {
    terms.now = performance.now()
    for (const one of connections.all()) one.look()
  }, step).unref()

  return {
    accept(socket) {
      const connection = new ClientConnection(socket, connectionOf(socket), terms)
      connections.join(connection)
      socket.once('close', () => connections.leave(connection))
    },
    retire() {
      terms.isLeaving = true
    },
    drain() {
      terms.isLeaving = true
      for (const one of connections.all()) if (one.isIdle) one.socket.destroy()
    },
    close() {
      terms.isLeaving = true
      clearInterval(looks)
    },
  }
}
