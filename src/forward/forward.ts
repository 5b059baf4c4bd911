/**
 * Forwards an exchange to its upstream. Takes a Permit; nobody without one gets here.
 *
 *   client                    gateway                     upstream
 *     |  head ----------------> 1 headers made ours --------> |
 *     |  <--- 100 Continue ---- 2 only now is a body wanted   |
 *     |  body ----------------> 3 streamed, counted --------> |
 *     |                         4 <--------------------- head |
 *     |  <--------------- head  5 headers made ours           |
 *     |  <--------------- body  6 streamed, end looked for    |
 *
 * Before 5 a failure is an answer of ours (a Fault); after it the exchange is cut, never ended cleanly.
 */
import type { Readable } from 'node:stream'
import { Fault } from '../kernel/fault.ts'
import type { Secret } from '../kernel/secret.ts'
import { ClientGone } from '../listener/bodies.ts'
import { addressKey } from '../listener/client-address.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import type { Permit } from '../policy/decide.ts'
import type { CanonicalTarget } from '../route/canonical-path.ts'
import { upstreamPath } from '../route/route.ts'
import { dropBody, type Upstream, type UpstreamResponse } from '../upstream/upstream.ts'
import { affinityOf, pinCookie } from './affinity.ts'
import { type Compression, createCompression, plannedHeaders } from './compression.ts'
import { endMarkOf } from './end-mark.ts'
import { pour } from './pour.ts'
import { type RequestTerms, requestIdOf, upstreamRequestHeaders } from './request-headers.ts'
import { clientResponseHeaders } from './response-headers.ts'

/** An upstream and what is needed to sign in there. */
export interface Destination {
  readonly upstream: Upstream
  readonly password: Secret | undefined
  /** Undefined: every answer goes out as it came. */
  readonly compression: Compression | undefined
}

export const destinationOf = (upstream: Upstream, password: Secret | undefined): Destination => ({
  ...{ upstream, password },
  compression: createCompression(upstream.section),
})

export interface Passage {
  readonly exchange: Exchange
  readonly permit: Permit
  readonly target: CanonicalTarget
  /** Address of the client; behind trusted proxies, that of whom they speak for. */
  readonly client: string
  readonly forwardedFor: readonly string[]
  /** A listed origin that asked, see `cors.origins`. */
  readonly allowedOrigin: string | undefined
  /** Told how the cache took it, where there is one. */
  readonly cached?: (how: UpstreamResponse['cache']) => void
}

/** The request body is over the limit of this upstream. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
  readonly limit: number
  constructor(limit: number) {
    super(`the body is over ${limit} bytes`)
    this.limit = limit
  }
}

const originsKnown = new WeakMap<Upstream, readonly string[]>()

export function originsOf(upstream: Upstream): readonly string[] {
  const known = originsKnown.get(upstream) ?? upstream.section.urls.map(({ origin }) => origin)
  originsKnown.set(upstream, known)
  return known
}

/** Worked out once for each destination. */
const termsKnown = new WeakMap<Destination, RequestTerms>()

export function requestTerms(destination: Destination): RequestTerms {
  const known = termsKnown.get(destination) ?? readTerms(destination)
  termsKnown.set(destination, known)
  return known
}

function readTerms({ upstream, password }: Destination): RequestTerms {
  const { section, profile } = upstream
  const { credentials } = section
  const pair =
    credentials === undefined || password === undefined
      ? undefined
      : Buffer.from(`${credentials.username}:${password.reveal()}`)
  return {
    passAcceptEncoding: profile.passAcceptEncoding,
    forwarded: profile.forwarded,
    passAuthorization: section.authorization === 'pass',
    authorization: pair === undefined ? undefined : `Basic ${pair.toString('base64')}`,
    added: section.headers,
  }
}

/** Path and query as the upstream gets them: the very bytes that policy has judged. */
export const upstreamTarget = ({ permit, target }: Pick<Passage, 'permit' | 'target'>): string =>
  `${upstreamPath(permit.route, target.path)}${target.query === undefined ? '' : `?${target.query}`}`

/** A person is one client from wherever, and many stand behind one address. */
export const whose = ({ permit: { principal }, client }: Passage): string =>
  principal === undefined ? `at ${addressKey(client)}` : `${principal.realm} ${principal.name}`

export async function forward(passage: Passage, destination: Destination): Promise<void> {
  const { exchange, permit, forwardedFor } = passage
  const { request, reply } = exchange
  const { upstream } = destination
  const limit = upstream.section.maxBody
  if (limit > 0 && (request.length ?? 0) > limit) throw new BodyTooLarge(limit)

  const terms = requestTerms(destination) // 1
  const facts = { authority: request.authority, forwardedFor, principal: permit.principal }
  const headers = upstreamRequestHeaders(request.headers, facts, terms)

  if (request.expectsContinue) reply.continue() // 2
  const asked = upstream.profile.answersHeadAndOptions && request.method === 'HEAD' ? 'GET' : request.method
  const body = request.body === undefined ? undefined : limited(request.body, limit) // 3
  let answer: UpstreamResponse
  try {
    answer = await upstream.send({
      method: asked,
      target: upstreamTarget(passage),
      headers,
      id: requestIdOf(exchange.id, terms),
      body,
      client: whose(passage),
      affinity: affinityOf(passage, upstream),
      signal: exchange.signal,
    })
  } catch (cause) {
    // Upstreams fail when a body is cut; what cut it is what the client is told.
    throw body?.errored instanceof BodyTooLarge ? body.errored : cause
  }
  if (answer.cache !== undefined) passage.cached?.(answer.cache)
  if (answer.release !== undefined) exchange.finished.tell(answer.release)

  try {
    const passed = passOn(answer, passage, destination)
    if (passed !== undefined) await passed
  } catch (cause) {
    dropBody(answer)
    if (exchange.signal.aborted) throw new ClientGone()
    throw cause
  }
}

/** Throws a Fault for a status that no client may see as it is. */
export function checkStatus(status: number, { upstream, password }: Destination): void {
  if (status === 401 && password !== undefined)
    throw new Fault('upstream-broken', { about: `${upstream.name} refuses the gateway's own credentials (401)` })
  if (status < 200 || status > 599)
    throw new Fault('upstream-broken', { about: `${upstream.name} answered with status ${status}` })
}

/** @returns undefined where nothing is left to be waited for: a body that is known whole is in the hands of the engine */
function passOn(answer: UpstreamResponse, passage: Passage, destination: Destination): Promise<void> | undefined {
  const { exchange, permit, allowedOrigin } = passage
  const { upstream } = destination
  checkStatus(answer.status, destination)
  const { request, connection } = exchange
  const made = clientResponseHeaders(answer.headers, {
    origin: connection.publicOrigin ?? `https://${request.authority}`,
    route: permit.route,
    upstreamOrigins: originsOf(upstream),
    passAuthorization: upstream.section.authorization === 'pass',
    personal: permit.principal !== undefined,
    allowedOrigin,
  })
  const headers: HeaderList =
    answer.pin === undefined ? made : [...made, ['set-cookie', pinCookie(upstream, answer.pin)]]
  const { body } = answer
  const { compression } = destination
  const plan = compression?.plan(exchange, answer)
  if (Buffer.isBuffer(body) && request.method !== 'HEAD') {
    // 5 and 6 in one
    const send = (packed: Buffer | undefined) => {
      exchange.reply.send(answer.status, plannedHeaders(headers, plan, packed !== undefined), packed ?? body)
      compression?.watch(exchange)
    }
    if (plan !== undefined) return plan.whole(answer, body).then(send)
    send(undefined)
    return undefined
  }
  const sink = exchange.reply.head(answer.status, plannedHeaders(headers, plan, plan?.packing !== undefined)) // 5
  compression?.watch(exchange, sink)
  if (Buffer.isBuffer(body) || request.method === 'HEAD') {
    dropBody(answer)
    sink.end()
    return undefined
  }
  const mark = answer.closeDelimited && upstream.profile.checksEndMark ? endMarkOf(answer.headers) : undefined
  const out = plan?.pour ?? pour
  if (mark === undefined) return out(body, sink)
  return out(body, sink, {
    saw: mark.saw,
    // 6: a clean end without the mark is a server that died while it sent.
    atEnd: () =>
      mark.isThere()
        ? undefined
        : new Fault('upstream-broken', {
            about: `${upstream.name} ended its answer before the end mark of its format`,
          }),
  })
}

/** The body, cut with BodyTooLarge once it has grown over the limit. @param limit  0: none */
function limited(body: Readable, limit: number): Readable {
  if (limit === 0) return body
  let seen = 0
  body.on('data', (chunk: Buffer) => {
    seen += chunk.length
    if (seen > limit) body.destroy(new BodyTooLarge(limit))
  })
  return body.pause()
}
