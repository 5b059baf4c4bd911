/**
 * One HTTP exchange, whatever protocol it came by: what was asked, over which connection, and the way to answer.
 *
 * The two engines (HTTP/1.1 and HTTP/2) stand behind this one small interface, so that either can be replaced.
 * Everything in `request` comes from outside and is untrusted. Source: RFC 9110 3.4, 9112, 9113.
 */
import type { Duplex, Readable, Writable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Outcome } from '../kernel/outcome.ts'
import type { Signal } from '../kernel/signal.ts'

/** Name in lower case, value as received. A list, not a record: duplicates and `__proto__` must survive being looked at. */
export type Header = readonly [name: string, value: string]
export type HeaderList = readonly Header[]

export interface Connection {
  /**
   * The TLS socket, as far as it is asked for a certificate; that is judged once, see identity/client-certificate.ts.
   * On plain HTTP nobody has one.
   */
  readonly socket: Pick<TLSSocket, 'authorized' | 'authorizationError' | 'getPeerX509Certificate'>
  /** Who is calling: the peer's IP address, IPv4-mapped addresses as plain IPv4. */
  readonly address: string
  /** Name of the listener in the configuration. */
  readonly listener: string
  /** The name that the client asked for in its handshake (SNI). */
  readonly serverName: string | undefined
  /** Origin that people type for this listener, if it is not the bound address. */
  readonly publicOrigin: string | undefined
  /** Whether a request without a certificate is turned away here. */
  readonly certificate: 'none' | 'optional' | 'required'
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
}

export interface ExchangeRequest {
  readonly method: string
  /** Request target as received: always origin-form (`/path?query`). */
  readonly target: string
  /** Host or :authority as received, lower case. */
  readonly authority: string
  readonly headers: HeaderList
  /** Undefined: no body was announced. Bytes flow only when read. */
  readonly body: Readable | undefined
  /** Announced length, if any. */
  readonly length: number | undefined
  /** The client waits for 100 (Continue) before it sends the body. */
  readonly expectsContinue: boolean
  /** What makes the request one that nobody may read any further: answered with 400, never forwarded. */
  readonly malformed: string | undefined
}

/** Each answer bears the id of its exchange (X-Request-Id) besides the headers that are given. */
export interface Reply {
  /** The status that went out; undefined until then. */
  readonly status: number | undefined
  /** Body bytes that went out so far. */
  readonly bytes: number
  /** Sends 100 (Continue); nothing happens if nobody waits for it. */
  continue(): void
  /**
   * Sends the head and gives the stream for the body. Once only. Names in lower case.
   * Returns a stream that swallows everything if the client is already gone.
   */
  head(status: number, headers: HeaderList): Writable
  /** Head and whole body at once, its length stated whatever `headers` say of it; for HEAD the body is left out. */
  send(status: number, headers: HeaderList, body: string | Uint8Array): void
  /** Cuts the exchange: RST_STREAM or a closed connection, so that nobody takes a cut body for a whole one. */
  abort(): void
}

export interface Exchange {
  /** X-Request-Id of the answer: ours, never the client's. */
  readonly id: string
  /** Milliseconds since 1970 when the head had arrived. */
  readonly startedAt: number
  readonly connection: Connection
  readonly request: ExchangeRequest
  readonly reply: Reply
  /** Aborts when the client goes before the answer is complete. */
  readonly signal: Signal
  /** Told when the answer has gone out completely, or the exchange was cut. */
  readonly finished: Outcome<Ending>
}

export type Ending = 'complete' | 'client-gone' | 'aborted'

/**
 * A WebSocket handshake, as it is over HTTP/1.1 whatever it came by: the same request, but the answer is a tunnel.
 * Source: RFC 6455 4; RFC 8441 (over HTTP/2).
 */
export interface UpgradeExchange extends Exchange {
  readonly upgrade: {
    /** Bytes that the client sent behind the handshake; forwarded only after a checked 101. */
    readonly early: Buffer
    /**
     * Says yes with these headers, and hands over what the bytes go through: the raw socket, or the rest of a stream. After
     * this `reply` is spent.
     */
    accept(headers: HeaderList): Duplex
  }
}

/** The headers of an answer whose body is known whole. @param length  bytes of it; undefined where it can have none */
export function withLength(headers: HeaderList, length: number | undefined): HeaderList {
  const all = headers.filter(([name]) => name !== 'content-length')
  if (length !== undefined) all.push(['content-length', String(length)])
  return all
}

/** All values of a header, in order. @param name  lower case */
export function headerValues(headers: HeaderList, name: string): readonly string[] {
  let values: string[] | undefined
  // Asked a dozen times for each request, and most of them are not there.
  for (const [given, value] of headers) {
    if (given !== name) continue
    values ??= []
    values.push(value)
  }
  return values ?? noValues
}

const noValues: readonly string[] = []

/** The value of a header that may come once; undefined when absent, `null` when it came more than once. */
export function soleHeader(headers: HeaderList, name: string): string | undefined | null {
  const values = headerValues(headers, name)
  return values.length > 1 ? null : values[0]
}
