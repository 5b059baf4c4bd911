/**
 * What an upstream needs of an HTTP client.
 */

import type { HttpUpstreamSection } from '../config/upstream.ts'
import type { Signal } from '../kernel/signal.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts'

export interface HttpClient extends AsyncDisposable {
  /**
   * Sends it once, over a kept connection or a new one. It keeps no queue: no more are to be sent at one time than may be.
   *
   * Rejects with what Node says, or a ClientError; with the signal's reason when the client went first. Once it has
   * resolved, the body breaks with a Fault.
   *
   * @param ended  told once when an answer that has begun is over: its connection is free, or closed
   */
  send(request: UpstreamRequest, ended: () => void): Promise<UpstreamResponse>
  /** Its server is not reached any more: what may be repeated and has no answer yet breaks off. */
  abandon?(): void
}

export interface ClientTerms {
  /** Of the upstream, for faults. */
  readonly name: string
  readonly section: HttpUpstreamSection
  readonly trust: PeerTrust | undefined
  /** Milliseconds that an idle connection is kept. */
  readonly idleConnection: number
  /** Wall clock, by which a connection grows old. */
  readonly now: () => number
  readonly warn: (text: string) => void
}

/** Why the signal of a request was aborted. */
export const gone = (signal: Signal): Error =>
  signal.reason instanceof Error ? signal.reason : new Error('the client went away')
