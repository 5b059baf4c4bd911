/**
 * One frame on its way from the upstream, however many ask for it meanwhile.
 *
 *   asked -> waits for a turn -> begun -> head -> whole: everybody gets it, and it is kept
 *                                          |
 *                                          +----> not to be kept: one gets it as it comes, the others ask for themselves
 *
 * It belongs to nobody: whoever leaves leaves, and with the last of them it ends. Each client waits for a turn of its own,
 * so that nobody stands in the queue of somebody who has filled it; the first turn serves all. A body is read whole before
 * anybody gets it: a slow reader slows nobody, and one that breaks off is an honest 502 for each.
 */
import { Readable } from 'node:stream'
import { Fault } from '../kernel/fault.ts'
import type { HeaderList } from '../listener/exchange.ts'
import { copyInto } from '../upstream/body.ts'
import { dropBody, type Upstream, type UpstreamRequest, type UpstreamResponse } from '../upstream/upstream.ts'
import type { Cacheable } from './cacheable.ts'
import type { FrameStore, Lent } from './frame-store.ts'
import { type Keepable, keepableOf } from './keepable.ts'

/** `alone`: the asker asks for itself. */
export type Landing = { readonly lent: Lent; readonly first: boolean } | { readonly answer: UpstreamResponse } | 'alone'

export interface FlightTerms {
  readonly send: Upstream['send']
  readonly store: FrameStore
  /** Bytes of the largest body that is kept. */
  readonly largest: number
  /** Milliseconds. */
  readonly maxAge: number
  readonly now: () => number
  /** Nothing is kept that is asked for now: it is not known whether a change goes on behind the gate. */
  readonly isUnsure: () => boolean
  /** Of an entry. @param length  of its body */
  readonly headersOf: (answer: HeaderList, length: number) => HeaderList
  readonly filled: (outcome: 'kept' | 'not-kept' | 'failed') => void
}

interface Asker {
  readonly request: UpstreamRequest
  land(landing: Landing): void
  fail(cause: unknown): void
}

export class Flight {
  readonly study: string | undefined
  readonly #cacheable: Cacheable
  readonly #terms: FlightTerms
  readonly #onEnd: () => void
  readonly #askers = new Set<Asker>()
  /** Of clients that wait for their turn; once one of them has it, that one alone. */
  readonly #attempts = new Map<string, AbortController>()
  readonly #since: number
  #begun = false
  #stale: boolean
  #isOver = false

  /** @param onEnd  told once: nobody can join any more */
  constructor(cacheable: Cacheable, terms: FlightTerms, onEnd: () => void) {
    this.study = cacheable.study
    this.#cacheable = cacheable
    this.#terms = terms
    this.#onEnd = onEnd
    this.#since = terms.now()
    this.#stale = terms.isUnsure()
  }

  /** Something was changed meanwhile: who waits is served, and nobody else. */
  spoil(): void {
    this.#stale = true
    this.#end()
  }

  /** Rejects with a Fault; with the signal's reason when the asker went first. */
  join(request: UpstreamRequest): Promise<Landing> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        settle()
        reject(request.signal.reason)
        this.#left(request.client)
      }
      const settle = () => {
        request.signal.removeEventListener('abort', leave)
        this.#askers.delete(asker)
      }
      const asker: Asker = {
        request,
        land: landing => {
          settle()
          resolve(landing)
        },
        fail: cause => {
          settle()
          reject(cause)
        },
      }
      if (request.signal.aborted) return leave()
      request.signal.addEventListener('abort', leave, { once: true })
      this.#askers.add(asker)
      if (!this.#begun && !this.#attempts.has(request.client)) void this.#attempt(request)
    })
  }

  #end(): void {
    if (!this.#isOver) this.#onEnd()
    this.#isOver = true
  }

  #left(client: string): void {
    if (this.#askers.size > 0 && (this.#begun || this.#of(client).length > 0)) return
    // Nobody could tell it of changes from now on.
    if (this.#askers.size === 0) this.spoil()
    // Begun: nobody is left at all. Not begun: nobody of this client, whose turn is nobody's now.
    for (const [name, controller] of this.#attempts) {
      if (this.#askers.size === 0 || name === client) {
        this.#attempts.delete(name)
        controller.abort(new Error('nobody waits for this frame any more'))
      }
    }
  }

  #of(client: string): Asker[] {
    return [...this.#askers].filter(({ request }) => request.client === client)
  }

  async #attempt({ client, target }: UpstreamRequest): Promise<void> {
    const controller = new AbortController()
    const { signal } = controller
    this.#attempts.set(client, controller)
    const begun = () => {
      this.#begun = true
      for (const [name, other] of this.#attempts) {
        if (name === client) continue
        this.#attempts.delete(name)
        other.abort(new Error('somebody else has a turn'))
      }
    }
    try {
      const { headers, id } = this.#cacheable
      const asked = { method: 'GET', target, headers, id, body: undefined, client, signal, begun }
      const answer = await this.#terms.send(asked)
      await this.#arrived(answer, controller)
    } catch (cause) {
      if (signal.aborted) return
      this.#attempts.delete(client)
      if (this.#begun || this.#attempts.size === 0) this.#end()
      this.#terms.filled('failed')
      for (const asker of this.#begun ? this.#askers : this.#of(client)) asker.fail(cause)
    }
  }

  async #arrived(answer: UpstreamResponse, controller: AbortController): Promise<void> {
    const { store, largest, maxAge } = this.#terms
    const keepable = keepableOf(answer, maxAge)
    const promised = { bytes: keepable?.length ?? 0 }
    if (keepable === undefined || promised.bytes > largest || !store.promise(promised.bytes))
      return this.#passOn(answer, controller)
    try {
      const body = await readWhole(answer, keepable, promised, this.#terms)
      if ('whole' in body) return this.#keep(answer, body.whole, keepable)
      body.rest.once('close', () => store.giveBack(promised.bytes))
      this.#passOn({ ...answer, body: body.rest }, controller)
    } catch (cause) {
      store.giveBack(promised.bytes)
      throw cause
    }
  }

  #keep({ headers }: UpstreamResponse, body: Buffer, { maxAge }: Keepable): void {
    const { store, filled } = this.#terms
    const { key, study } = this.#cacheable
    this.#end()
    const frame = { key, study, body, headers: this.#terms.headersOf(headers, body.length) }
    const listed = !this.#stale
    const own = store.keep(frame, { since: this.#since, maxAge }, listed)
    filled(listed ? 'kept' : 'not-kept')
    let first = true
    for (const asker of this.#askers) {
      asker.land({ lent: own.again(), first })
      first = false
    }
    own.release()
  }

  /** Not to be kept: one gets it, the others ask for themselves. Asked in nobody's name, 401 and 403 are nobody's. */
  #passOn(answer: UpstreamResponse, controller: AbortController): void {
    this.#end()
    this.#terms.filled('not-kept')
    const [heir, ...others] = this.#askers
    if (heir === undefined || answer.status === 401 || answer.status === 403) {
      dropBody(answer)
      heir?.land('alone')
    } else {
      const { signal } = heir.request
      const leave = () => controller.abort(signal.reason)
      signal.addEventListener('abort', leave, { once: true })
      if (!Buffer.isBuffer(answer.body)) answer.body.once('close', () => signal.removeEventListener('abort', leave))
      heir.land({ answer })
    }
    for (const other of others) other.land('alone')
  }
}

/** The body in one piece; or, where it turns out too large, as a stream of all of it. */
async function readWhole(
  { body }: UpstreamResponse,
  { length }: Keepable,
  promised: { bytes: number },
  { store, largest }: FlightTerms,
): Promise<{ whole: Buffer } | { rest: Readable }> {
  if (Buffer.isBuffer(body)) {
    // A copy: this one may be a piece of a larger one that would stay with it.
    const whole = store.room(body.length)
    whole.set(body)
    return { whole }
  }
  if (length !== undefined) {
    // Memory that nothing was ever in but this body; handed out only when it is full to the last byte.
    const whole = store.room(length)
    const size = await copyInto(body, whole)
    if (size === length) return { whole }
    throw new Fault('upstream-broken', { about: `a body of ${size} bytes where ${length} were announced` })
  }
  const chunks = body[Symbol.asyncIterator]()
  const parts: Buffer[] = []
  let size = 0
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    const chunk: Buffer = next.value
    parts.push(chunk)
    if (size + chunk.length > largest || !store.promise(chunk.length)) {
      const rest = Readable.from(joined(parts, chunks), { objectMode: false })
      return { rest: rest.once('close', () => body.destroy()) }
    }
    promised.bytes += chunk.length
    size += chunk.length
  }
  return { whole: Buffer.concat(parts, size) }
}

async function* joined(parts: Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) yield part
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}
