/**
 * One server of an upstream: its client, how much it has to do, and whether it answers.
 */
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { isStaleConnection, isTooSlow, NotSent, upstreamFault } from './failure.ts'
import { createHealthRecord, type HealthRecord } from './health.ts'
import type { ClientTerms, HttpClient } from './http-client.ts'
import { openHttp1Client } from './http1-client.ts'
import type { Profile } from './profiles.ts'
import { dropBody, type UpstreamRequest, type UpstreamResponse } from './upstream.ts'

/** `section` has the one server that is meant as its `url`. */
export interface ServerTerms extends Omit<ClientTerms, 'idleConnection'> {
  readonly profile: Profile
}

export class Server implements AsyncDisposable {
  /** From 1, as they stand in the configuration. */
  readonly number: number
  readonly section: HttpUpstreamSection
  /** Requests and handshakes that it has now. */
  running = 0
  /** It gets nothing to do while there is another one. */
  isOut = false
  /** By the clock of the process: when it last answered. */
  answeredAt = Number.NEGATIVE_INFINITY
  readonly record: HealthRecord
  readonly #name: string
  readonly #client: HttpClient

  constructor(number: number, terms: ServerTerms) {
    const { name, section, profile } = terms
    this.number = number
    this.section = section
    this.#name = name
    this.record = createHealthRecord(terms.now)
    this.#client = openHttp1Client({ ...terms, idleConnection: profile.idleConnection })
  }

  /** Rejects as its client does. @param ended  see HttpClient */
  send(request: UpstreamRequest, ended: () => void): Promise<UpstreamResponse> {
    return this.#client.send(request, ended)
  }

  /** It may only have closed a kept connection just as that was used: the same may be asked of it once more. */
  maySendAgain(request: UpstreamRequest, thrown: unknown): boolean {
    const cause = thrown instanceof NotSent ? thrown.cause : thrown
    return isRepeatable(request) && !request.signal.aborted && isStaleConnection(cause) && !this.isOut
  }

  answered(): void {
    this.answeredAt = performance.now()
    this.record.answered()
  }

  /** What the person hears of it. A bug of ours stays one. */
  failed(error: unknown): Error {
    if (error instanceof TypeError) return error
    const fault = upstreamFault(error, `${this.#name}, before its answer`)
    if (fault.code === 'upstream-unreachable' || fault.code === 'upstream-untrusted') this.record.failed()
    return fault
  }

  /** It is not reached any more: who waits for an answer that another server may give waits no longer. */
  abandon(): void {
    this.#client.abandon?.()
  }

  /** Asks whether it answers at all; any HTTP answer will do. `silent`: it may only have too much to do. */
  async probe(): Promise<'answers' | 'errs' | 'fails' | 'silent'> {
    const { kind, url, timeouts } = this.section
    const request: UpstreamRequest = {
      method: 'GET',
      target: kind === 'orthanc' ? '/system' : '/',
      headers: [['host', url.host]],
      body: undefined,
      client: '',
      signal: AbortSignal.timeout(timeouts.connect),
    }
    try {
      // Without a turn: whether it answers is also asked when all connections are at work.
      const answer = await this.#client.send(request, () => undefined)
      dropBody(answer)
      this.answered()
      return isFailure(answer) ? 'errs' : 'answers'
    } catch (cause) {
      this.record.failed()
      // The reason is told by the first real request, which logs it.
      return request.signal.aborted || isTooSlow(cause) ? 'silent' : 'fails'
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]()
  }
}

/** The server's own failure, whatever was asked (RFC 9110 15.6). */
export const isFailure = ({ status }: Pick<UpstreamResponse, 'status'>): boolean => status >= 500

/** It may be done twice, and there is nothing of it that could be gone. */
export const isRepeatable = ({ method, body }: Pick<UpstreamRequest, 'method' | 'body'>): boolean =>
  body === undefined && (method === 'GET' || method === 'HEAD')
