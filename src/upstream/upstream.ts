/**
 * One upstream: its connections, its trust, its limits. Requests go in, heads and bodies come out.
 *
 * undici stands behind this small interface and can be replaced. It knows nothing of clients, identities or permits.
 */
import type { Readable } from 'node:stream'
import { type Client, type Dispatcher, Pool } from 'undici'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { Fault } from '../kernel/fault.ts'
import type { HeaderList } from '../listener/exchange.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { UpstreamBody } from './body.ts'
import { AgeingClient, connectorOf, expectedOf } from './connector.ts'
import { isStaleConnection, upstreamFault } from './failure.ts'
import { createHealthRecord, type Health } from './health.ts'
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

/** Interim answers (1xx) to one request. */
const mostInformed = 100

/** @param warn  told once of what is odd about a server that is believed: a pinned certificate that has expired */
export function openUpstream(
  name: string,
  section: HttpUpstreamSection,
  trust: PeerTrust | undefined,
  now: () => number,
  warn: (text: string) => void = () => undefined,
): Upstream {
  const profile = profiles[section.kind]
  const record = createHealthRecord(now)
  const warned = new Set<string>()
  const pool = new Pool(section.url.origin, {
    connections: section.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: profile.idleConnection,
    keepAliveMaxTimeout: profile.idleConnection,
    keepAliveTimeoutThreshold: 300,
    headersTimeout: section.timeouts.idle,
    bodyTimeout: section.timeouts.idle,
    maxHeaderSize: 64 * 1024,
    connectTimeout: section.timeouts.connect,
    factory: (origin, options: Client.Options) => new AgeingClient(origin, options, now),
    connect: connectorOf(section, trust, text => {
      if (!warned.has(text)) warn(`upstream ${name}: ${text}`)
      warned.add(text)
    }),
  })
  // Said with every request, because undici would take it from the Host that a client sends, and connect anew.
  const expected = expectedOf(section, trust)
  const lanes = createLanes(name, section.connections)
  const enter: Upstream['enter'] = (client, signal) =>
    lanes.enter(client, signal).catch((cause: unknown) => {
      throw signal.aborted ? gone(signal) : cause
    })

  /** @param ended  told when an answer that has begun is over */
  const attempt = (request: UpstreamRequest, ended: () => void) =>
    new Promise<UpstreamResponse>((resolve, reject) => {
      let answer: UpstreamBody | undefined
      let informed = 0
      let control: Dispatcher.DispatchController | undefined
      const leave = () => {
        control?.abort(gone(request.signal))
        // undici has not begun: the handler below turns it away when it does.
        if (control === undefined) reject(gone(request.signal))
      }
      request.signal.addEventListener('abort', leave, { once: true })
      const done = () => {
        request.signal.removeEventListener('abort', leave)
        if (answer !== undefined) ended()
      }
      // `servername` is read by undici's client, though its types do not say so.
      const call: Dispatcher.DispatchOptions & { servername: string } = {
        method: request.method,
        path: request.target,
        headers: request.headers.flat(),
        body: request.body ?? null,
        servername: expected,
      }
      pool.dispatch(call, {
        onRequestStart(controller) {
          control = controller
          if (request.signal.aborted) controller.abort(gone(request.signal))
        },
        onResponseStart(controller, status) {
          if (status < 200) {
            // Informational; nothing that a client was promised. Each would put off every time limit.
            if (++informed > mostInformed)
              controller.abort(new Fault('upstream-broken', { about: `${name}, interim answers without end` }))
            return
          }
          record.answered()
          const headers = headerList(controller.rawHeaders)
          const framed = headers.some(([header]) => header === 'content-length' || header === 'transfer-encoding')
          answer = new UpstreamBody(controller)
          resolve({
            status,
            headers,
            closeDelimited: !framed && status !== 204 && status !== 304 && request.method !== 'HEAD',
            body: answer,
          })
        },
        onResponseData(controller, chunk) {
          if (answer?.receive(chunk) === false) controller.pause()
        },
        onResponseEnd() {
          done()
          answer?.finish()
        },
        onResponseError(_controller, error) {
          done()
          if (answer === undefined) reject(error)
          else
            answer.break(
              request.signal.aborted ? gone(request.signal) : upstreamFault(error, `${name}, while answering`),
            )
        },
      })
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
        return await attempt(request, leave).catch((first: unknown) => {
          if (!repeatable || request.signal.aborted || !isStaleConnection(first)) throw first
          return attempt(request, leave)
        })
      } catch (cause) {
        leave()
        throw request.signal.aborted ? gone(request.signal) : failed(cause)
      }
    },
    async probe() {
      try {
        const { statusCode, body } = await pool.request({
          ...{ servername: expected },
          method: 'GET',
          path: section.kind === 'orthanc' ? '/system' : '/',
          headersTimeout: section.timeouts.connect,
        })
        body.on('error', () => undefined).destroy()
        record.answered()
        return statusCode > 0
      } catch {
        record.failed()
        return false // the reason is told by the first real request, which logs it
      }
    },
    reported: outcome => record[outcome](),
    [Symbol.asyncDispose]: () => pool.destroy(),
  }

  function failed(error: unknown): Fault {
    const fault = upstreamFault(error, `${name}, before its answer`)
    if (fault.code === 'upstream-unreachable' || fault.code === 'upstream-untrusted') record.failed()
    return fault
  }
}

const gone = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new Error('the client went away')

/** undici hands raw headers out as buffers for HTTP/1.1; bytes are kept as they are. */
function headerList(raw: Dispatcher.DispatchController['rawHeaders']): HeaderList {
  if (!Array.isArray(raw)) return []
  const list: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) list.push([text(raw[at]).toLowerCase(), text(raw[at + 1])])
  return list
}

const text = (value: Buffer | string | undefined): string =>
  typeof value === 'string' ? value : (value?.toString('latin1') ?? '')
