/**
 * What the processes of a siege tell one another: attackers, honest clients and the upstream each have a process of their
 * own, so that none is measured by the event loop of another.
 */

export type Attack =
  /** Nothing: not even the handshake of TLS is begun. */
  | 'silent'
  /** A ClientHello, and nothing behind it. */
  | 'half-handshake'
  /** One request, one answer, and nothing more. */
  | 'idle'
  /** The same, and then the half of the connection that is the client's is closed. */
  | 'half-closed'
  /** A head that never ends: a line of it every few seconds. */
  | 'slow-head'
  /** A body that never ends, a little faster than the minimum rate. */
  | 'slow-body'
  /** A large answer, of which nothing is read any more after its first bytes: the window of TCP closes. */
  | 'zero-window'
  /** A large answer, of which a little is read every few seconds. */
  | 'slow-reader'

export interface FloodOrder {
  readonly attack: Attack
  readonly port: number
  /** Connections to hold. */
  readonly count: number
  /** Addresses that they come from, in turn. */
  readonly addresses: number
  /** Connections opened in a second until all have been, and then instead of those that were closed. */
  readonly pace: number
  readonly again: number
}

export interface FloodReport {
  readonly open: number
  readonly opened: number
  /** By the gateway. */
  readonly closed: number
}

export interface ClientsOrder {
  readonly port: number
  readonly caPem: string
  readonly milliseconds: number
}

export interface Latency {
  readonly count: number
  /** Milliseconds. */
  readonly median: number
  readonly p99: number
  /** What went wrong, the first few. */
  readonly failures: readonly string[]
}

export interface ClientsReport {
  /** On connections that are kept. */
  readonly kept: Latency
  /** Each on a connection of its own, handshake included. */
  readonly fresh: Latency
}
