/**
 * One connection to an upstream: idle, or with one request and its answer on it.
 *
 * Not to forget: bytes that come while nothing is asked are nobody's, and the next request would take them for its
 * answer. Such a connection is closed at once.
 */
import type { Socket } from 'node:net'
import { ClientError } from './failure.ts'
import type { Http1Call } from './http1-call.ts'
import type { ReadBuffers } from './read-buffers.ts'
import { KnownHead, ResponseParser } from './response-parser.ts'

export class Http1Connection {
  readonly socket: Socket
  readonly buffers: ReadBuffers
  /** Milliseconds since 1970. */
  readonly born: number
  /** By `performance.now()`, while it is idle. */
  idleUntil = 0
  call: Http1Call | undefined
  isClosed = false
  readonly #onClosed: (connection: Http1Connection) => void
  readonly #known = new KnownHead()
  #parser: ResponseParser | undefined

  /**
   * @param socket   connected, and proved
   * @param buffers  that it is read into
   */
  constructor(socket: Socket, buffers: ReadBuffers, born: number, onClosed: (connection: Http1Connection) => void) {
    this.socket = socket
    this.buffers = buffers
    this.born = born
    this.#onClosed = onClosed
    buffers.reader = bytes => this.#onData(bytes)
    socket.on('end', () => this.#onEnd())
    socket.on('error', error => this.#break(error))
    socket.on('close', () => this.#break(new ClientError('UPSTREAM_CLOSED', 'the connection was closed')))
  }

  /** Nothing else is on its way, and nothing was left from what was. */
  get isClean(): boolean {
    return this.#parser?.hasMore !== true && this.socket.writableLength === 0 && !this.isClosed
  }

  /** From here on its bytes are the answer to this. */
  begin(call: Http1Call, isHead: boolean): void {
    this.call = call
    this.#parser = new ResponseParser(call, isHead, this.#known)
  }

  /** The call is over, and all is well. */
  free(): void {
    this.call = undefined
    this.#parser = undefined
    // Its reader may have been slow at the end.
    if (this.socket.isPaused()) this.socket.resume()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.call = undefined
    this.#parser = undefined
    this.socket.destroy()
    this.#onClosed(this)
  }

  #break(error: Error): void {
    this.call?.fail(error)
    this.close()
  }

  #onData(bytes: Buffer): void {
    const parser = this.#parser
    if (parser === undefined) return void this.close()
    parser.read(bytes)
    if (parser.problem === undefined) this.call?.settle()
    else this.#break(new ClientError('UPSTREAM_MALFORMED', `an answer that cannot be read: ${parser.problem}`))
  }

  #onEnd(): void {
    this.#parser?.end()
    if (this.#parser?.isOver === true) this.call?.settle()
    this.#break(new ClientError('UPSTREAM_CLOSED', 'the server closed the connection'))
  }
}
