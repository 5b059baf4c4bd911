/**
 * Our own HTTP/1.1 client: kept connections, those that were used last first, and new ones when there is none.
 *
 * A kept connection is taken only behind the next look at the network, and one that has just become free not before another
 * one: what its server sent or closed meanwhile is seen before a request goes out on it. Not to forget: of a body that was
 * taken slowly the server has been rid for long, and may have closed behind it. It is kept for less time than its server keeps it, and closed behind the first answer
 * after its lifetime, so that a name that moves to another address is followed.
 */

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { abortSignalOf } from '../kernel/signal.ts'
import { connectionTo, lifetime } from './connector.ts'
import { ClientError } from './failure.ts'
import { type ClientTerms, gone, type HttpClient } from './http-client.ts'
import { type CallOwner, Http1Call } from './http1-call.ts'
import { Http1Connection } from './http1-connection.ts'
import { ReadBuffers } from './read-buffers.ts'
import { requestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'
import { isRepeatable } from './server.ts'
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts'

/** Milliseconds: a server that says how long it keeps an idle connection means the moment when it closes it. */
const beforeItsEnd = 300

const endedEarly = () => new ClientError('UPSTREAM_CLOSED', 'the connection ended before it was used')
const spokeFirst = (socket: Socket) => {
  socket.destroy()
  return new ClientError('UPSTREAM_MALFORMED', 'the server spoke before it was asked')
}

class Http1Client implements HttpClient, CallOwner {
  readonly name: string
  tick = 0
  readonly #terms: ClientTerms
  /** Milliseconds between two looks at all connections, in place of a timer for each. */
  readonly #step: number
  /** Ticks without a sign of the upstream. */
  readonly #most: number
  readonly #open = new Set<Http1Connection>()
  readonly #kept: Http1Connection[] = []
  /** Nobody has looked at the network since they became free. */
  #justFree: Http1Connection[] = []
  #isPlanned = false
  readonly #ready: Http1Call[] = []
  readonly #closing = new AbortController()
  #watch: NodeJS.Timeout | undefined

  constructor(terms: ClientTerms) {
    const { idle } = terms.section.timeouts
    this.name = terms.name
    this.#terms = terms
    this.#step = Math.min(500, Math.max(20, Math.floor(Math.min(idle / 8, terms.idleConnection / 4))))
    this.#most = Math.ceil(idle / this.#step) + 1
  }

  send(request: UpstreamRequest, ended: () => void): Promise<UpstreamResponse> {
    return new Promise((resolve, reject) => {
      if (request.signal.aborted) throw gone(request.signal)
      this.#closing.signal.throwIfAborted()
      const head = requestHead(request, this.#terms.section.url.host)
      new Http1Call(request, head, this, { resolve, reject, ended }).start()
    })
  }

  abandon(): void {
    for (const { call } of [...this.#open])
      if (call?.isUnanswered && isRepeatable(call.request))
        call.fail(new ClientError('UPSTREAM_CLOSED', 'the server is not reached any more'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new ClientError('UPSTREAM_CLOSED', 'the upstream is not used any more')
    this.#closing.abort(reason)
    for (const call of this.#ready) call.fail(reason)
    await Promise.all(
      [...this.#open].map(async connection => {
        const closed = once(connection.socket, 'close')
        connection.call?.fail(reason)
        connection.close()
        await closed
      }),
    )
  }

  onReady(call: Http1Call): void {
    if (call.request.anew === true || this.#kept.length + this.#justFree.length === 0) return void this.#connect(call)
    this.#ready.push(call)
    this.#plan()
  }

  onFree(connection: Http1Connection, { keptFor }: ResponseHead): void {
    const most = this.#terms.idleConnection
    const time = keptFor === undefined ? most : Math.min(most, keptFor * 1_000 - beforeItsEnd)
    if (time <= 0) return void connection.close()
    connection.free()
    connection.idleUntil = performance.now() + time
    this.#justFree.push(connection)
    this.#plan()
  }

  #plan(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    setImmediate(() => this.#beginReady())
  }

  #beginReady(): void {
    this.#isPlanned = false
    const calls = this.#ready.splice(0)
    for (const call of calls) {
      if (call.isOver) continue
      const connection = this.#takeKept()
      if (connection !== undefined) call.begin(connection, this.#isOld(connection))
      else if (this.#ready.length < this.#justFree.length) this.#ready.push(call)
      else void this.#connect(call)
    }
    if (this.#justFree.length === 0) return
    this.#kept.push(...this.#justFree)
    this.#justFree = []
    if (this.#ready.length > 0) this.#plan()
  }

  #takeKept(): Http1Connection | undefined {
    const connection = this.#kept.pop()
    if (connection === undefined || performance.now() < connection.idleUntil) return connection
    // All others were left alone for even longer.
    connection.close()
    for (const other of this.#kept.splice(0)) other.close()
    return undefined
  }

  #isOld({ born }: Http1Connection): boolean {
    // A clock that is set back must not lengthen it.
    return Math.abs(this.#terms.now() - born) >= lifetime
  }

  async #connect(call: Http1Call): Promise<void> {
    const { section, trust, warn, now } = this.#terms
    const signal = AbortSignal.any([abortSignalOf(call.request.signal), this.#closing.signal])
    const buffers = new ReadBuffers()
    await connectionTo(section, trust, { signal, warn, onread: buffers.onread }).then(
      socket => {
        if (call.isOver || signal.aborted) return void socket.destroy()
        // It may have ended between this moment and that when it stood; nobody would hear of it any more.
        if (socket.destroyed) return void call.unreached(socket.errored ?? endedEarly())
        if (buffers.hasMissed) return void call.unreached(spokeFirst(socket))
        const connection = new Http1Connection(socket, buffers, now(), closed => this.#forget(closed))
        this.#open.add(connection)
        this.#watch ??= setInterval(() => this.#look(), this.#step)
        call.begin(connection, false)
      },
      (error: Error) => call.unreached(error),
    )
  }

  #forget(connection: Http1Connection): void {
    this.#open.delete(connection)
    for (const kept of [this.#kept, this.#justFree]) {
      const at = kept.lastIndexOf(connection)
      if (at !== -1) kept.splice(at, 1)
    }
    if (this.#open.size > 0) return
    clearInterval(this.#watch)
    this.#watch = undefined
  }

  #look(): void {
    this.tick++
    const time = performance.now()
    for (const connection of this.#open) {
      const { call } = connection
      if (call === undefined) {
        if (time >= connection.idleUntil) connection.close()
      } else if (call.isWaiting && this.tick - call.since >= this.#most)
        call.fail(new ClientError('ETIMEDOUT', 'nothing came from the server for too long'))
    }
  }
}

export const openHttp1Client = (terms: ClientTerms): HttpClient => new Http1Client(terms)
