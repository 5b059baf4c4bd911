/**
 * What the listener wants of a protocol engine, and what an engine tells the listener.
 */
import type { TLSSocket } from 'node:tls'
import type { Progress } from './bodies.ts'
import type { Connection, Exchange, UpgradeExchange } from './exchange.ts'

export interface Take {
  /** @param progress  the bodies in motion, asked again at every look of the pace watch */
  exchange(exchange: Exchange, progress: () => readonly (Progress | undefined)[]): void
  upgrade(exchange: UpgradeExchange): void
  /** Bytes that no request could be made of; the connection has been answered and closed. */
  malformed(connection: Connection, code: string): void
}

export interface Engine {
  accept(socket: TLSSocket): void
  /** No new requests; what runs may finish. */
  drain(): void
  /** Stops timers. Sockets are the listener's. */
  close(): void
}
