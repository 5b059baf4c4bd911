/**
 * What the listener wants of a protocol engine, and what an engine tells the listener.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Progress } from './bodies.ts'
import type { Connection, Exchange, UpgradeExchange } from './exchange.ts'

export interface Take {
  /** @param progress  the bodies in motion, asked again at every look of the pace watch */
  exchange(exchange: Exchange, progress: () => readonly (Progress | undefined)[]): void
  /** @param progress  of an answer that declines; absent: the engine looks after it. A tunnel may be quiet. */
  upgrade(exchange: UpgradeExchange, progress?: () => readonly (Progress | undefined)[]): void
  /** Bytes that no request could be made of; the connection has been answered and closed. */
  malformed(connection: Connection, code: string): void
}

/** @typeParam S  what it takes: HTTP/2 comes by TLS only */
export interface Engine<S extends Socket = TLSSocket> {
  accept(socket: S): void
  /** Each connection is asked to leave with its next answer; requests on the way are answered. */
  retire(): void
  /** No new requests; what runs may finish. */
  drain(): void
  /** Stops timers. Sockets are the listener's. */
  close(): void
}
