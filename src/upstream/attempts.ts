/**
 * How often one request goes out again after it has failed at a server.
 *
 *   nothing of it has gone out          to one server after the other, while there is time
 *   it broke off, may be repeated       over a new connection to the same server, which may only have closed a kept one, and
 *                                       then to one more: it may have killed the first, and comes no further
 */
import { isBreak, NotSent } from './failure.ts'
import { isRepeatable, type Server } from './server.ts'
import type { UpstreamRequest } from './upstream.ts'

export class Attempts {
  /** By the clock of the process: from when on servers may be looked for that can be reached. */
  #since: number
  readonly #request: UpstreamRequest
  /** Milliseconds. */
  readonly #patience: number
  #askedTwice: Server | undefined
  #hasBroken = false
  #isLast = false

  constructor(request: UpstreamRequest, since: number, patience: number) {
    this.#request = request
    this.#since = since
    this.#patience = patience
  }

  /** Over a new connection: all that were kept may have been closed at one time. */
  isAnew(server: Server): boolean {
    return this.#isLast || this.#askedTwice === server
  }

  /** To be asked first. @returns whether the same server is asked once more */
  isAskedTwice(server: Server, cause: unknown): boolean {
    if (isBreak(cause) && !this.#hasBroken) {
      this.#hasBroken = true
      this.#since = performance.now()
    }
    if (this.#isLast || this.#askedTwice === server || !server.maySendAgain(this.#request, cause)) return false
    this.#askedTwice = server
    return true
  }

  /** To be asked behind that, once. @returns whether another server may have it */
  mayGoOn(cause: unknown): boolean {
    const isInTime = performance.now() - this.#since < this.#patience
    const may = cause instanceof NotSent ? isInTime : !this.#isLast && isBreak(cause)
    this.#isLast ||= this.#hasBroken
    return may && (!this.#hasBroken || isRepeatable(this.#request))
  }
}
