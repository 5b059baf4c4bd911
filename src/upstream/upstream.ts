/**
 * One upstream: its connections, its trust, its limits. Requests go in, heads and bodies come out.
 *
 * The client behind it can be replaced (http-client.ts). It knows nothing of clients, identities or permits.
 */
import type { Readable } from 'node:stream'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import type { HeaderList } from '../listener/exchange.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { isStaleConnection, upstreamFault } from './failure.ts'
import { createHealthRecord, type Health } from './health.ts'
import { gone, type OpenClient } from './http-client.ts'
import { openHttp1Client } from './http1-client.ts'
import { createLanes } from './lanes.ts'
import { type Profile, profiles } from './profiles.ts'

export interface UpstreamRequest {
  readonly method: string
  /** Canonical path and query. */
  readonly target: string
  readonly headers: HeaderList
  readonly body: Readable | undefined
  /** Whose turn it is: one text for one client. */
  readonly client: string
  /** Aborts when the client goes. */
  readonly signal: AbortSignal
  /** Told when its turn has come. */
  readonly begun?: () => void
}

export interface UpstreamResponse {
  readonly status: number
  readonly headers: HeaderList
  /** The body ends with the connection: nothing else says that it is whole. */
  readonly closeDelimited: boolean
  /**
   * A buffer is the whole body, where it is known already. A stream errors with a Fault when the upstream breaks off;
   * destroying it ends the exchange with the upstream.
   */
  readonly body: Readable | Buffer
  /** Where there is a cache: whether it had the answer, did not, or was not asked. */
  readonly cache?: 'hit' | 'miss' | 'past'
  /** To be called when the answer is out, or nobody wants it: until then its bytes count as held. Once. */
  readonly release?: () => void
  /** Of a body that is kept: another form of it, made once and kept beside it. @param form  its name */
  readonly formOf?: (form: string, make: () => Promise<Buffer>) => Promise<Buffer>
}

/** Nobody reads this answer any more. */
export function dropBody({ body }: Pick<UpstreamResponse, 'body'>): void {
  if (!Buffer.isBuffer(body)) body.on('error', () => undefined).destroy()
}

export interface Upstream extends AsyncDisposable {
  readonly name: string
  readonly section: HttpUpstreamSection
  readonly profile: Profile
  /** For tunnels, which need a connection of their own. */
  readonly trust: PeerTrust | undefined
  readonly health: Health
  /**
   * Waits for a turn, for a connection that is made elsewhere; `send` does so by itself.
   *
   * Rejects with a Fault; with the signal's reason when the client went first.
   *
   * @param client  whose turn it is, see UpstreamRequest
   * @returns       gives the turn back; once
   */
  enter(client: string, signal: AbortSignal): Promise<() => void>
  /** Rejects with a Fault; with the signal's reason when the client went first. */
  send(request: UpstreamRequest): Promise<UpstreamResponse>
  /** Asks the server whether it answers at all; any HTTP answer will do. Updates `health`. */
  probe(): Promise<boolean>
  reported(outcome: 'answered' | 'failed'): void
}

/**
 * @param warn    told once of what is odd about a server that is believed: a pinned certificate that has expired
 * @param client  another client, for tests and benchmarks
 */
export function openUpstream(
  name: string,
  section: HttpUpstreamSection,
  trust: PeerTrust | undefined,
  now: () => number,
  warn: (text: string) => void = () => undefined,
  openClient: OpenClient = openHttp1Client,
): Upstream {
  const profile = profiles[section.kind]
  const record = createHealthRecord(now)
  const warned = new Set<string>()
  const client = openClient({
    name,
    section,
    trust,
    idleConnection: profile.idleConnection,
    now,
    warn: text => {
      if (!warned.has(text)) warn(`upstream ${name}: ${text}`)
      warned.add(text)
    },
  })
  const lanes = createLanes(name, section.connections)
  const enter: Upstream['enter'] = (client, signal) =>
    lanes.enter(client, signal).catch((cause: unknown) => {
      throw signal.aborted ? gone(signal) : cause
    })

  return {
    name,
    section,
    profile,
    trust,
    get health() {
      return record.health
    },
    enter,
    async send(request) {
      const leave = await enter(request.client, request.signal)
      request.begun?.()
      const repeatable = request.body === undefined && (request.method === 'GET' || request.method === 'HEAD')
      try {
        const answer = await client.send(request, leave).catch((first: unknown) => {
          if (!repeatable || request.signal.aborted || !isStaleConnection(first)) throw first
          return client.send(request, leave)
        })
        record.answered()
        return answer
      } catch (cause) {
        leave()
        throw request.signal.aborted ? gone(request.signal) : failed(cause)
      }
    },
    async probe() {
      const request: UpstreamRequest = {
        method: 'GET',
        target: section.kind === 'orthanc' ? '/system' : '/',
        headers: [['host', section.url.host]],
        body: undefined,
        client: '',
        signal: AbortSignal.timeout(section.timeouts.connect),
      }
      try {
        // Without a turn: whether it answers is also asked when all connections are at work.
        dropBody(await client.send(request, () => undefined))
        record.answered()
        return true
      } catch {
        record.failed()
        return false // the reason is told by the first real request, which logs it
      }
    },
    reported: outcome => record[outcome](),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }

  /** A bug of ours stays one. */
  function failed(error: unknown): Error {
    if (error instanceof TypeError) return error
    const fault = upstreamFault(error, `${name}, before its answer`)
    if (fault.code === 'upstream-unreachable' || fault.code === 'upstream-untrusted') record.failed()
    return fault
  }
}
