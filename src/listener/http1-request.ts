/**
 * What an HTTP/1.1 request asks for, and what marks it as one that two servers might read differently.
 *
 * Source: RFC 9112 3.2 (one Host), 9.6; RFC 9110 7.8, 10.1.1; RFC 6455 4.
 */
import type { Limits } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import type { IncomingBody } from './bodies.ts'
import { type ExchangeRequest, headerValues, soleHeader } from './exchange.ts'
import type { RequestFields, RequestHead } from './http1-head.ts'

/** What follows from the headers alone. */
export interface FieldFacts {
  readonly authority: string | undefined
  readonly malformed: string | undefined
  /** `other`: something that nobody here meets. */
  readonly expects: 'continue' | 'other' | undefined
  /** `other`: to something that is not spoken here, and goes no further. */
  readonly upgrade: 'websocket' | 'other' | undefined
}

/** @param limits  of the connection */
export function judgeFields(
  { headers, isOld, isChunked, wantsUpgrade }: RequestFields,
  { headerCount }: Pick<Limits, 'headerCount'>,
): FieldFacts {
  const hosts = headerValues(headers, 'host')
  const authority = hosts.length === 1 ? parseAuthority(hosts[0] ?? '')?.text : undefined
  const hasUpgrade = headerValues(headers, 'upgrade').length > 0
  const isWebSocket = soleHeader(headers, 'upgrade')?.toLowerCase() === 'websocket'
  const [expected, ...others] = headerValues(headers, 'expect')
  const isContinue = expected?.toLowerCase() === '100-continue' && others.length === 0
  let malformed: string | undefined
  if (authority === undefined) malformed = 'exactly one well-formed Host is needed'
  else if (isOld) malformed = 'only HTTP/1.1 and HTTP/2 are spoken here'
  else if (headers.length > headerCount) malformed = `more than ${headerCount} headers`
  // Some look no further than the upgrade, and take what follows for another protocol.
  else if (isChunked && hasUpgrade) malformed = 'a body in chunks and an upgrade exclude each other'
  return {
    ...{ authority, malformed },
    expects: expected === undefined ? undefined : isContinue ? 'continue' : 'other',
    upgrade: wantsUpgrade && hasUpgrade ? (isWebSocket ? 'websocket' : 'other') : undefined,
  }
}

export function readRequest(
  { method, target: received, fields, facts: { authority = '', malformed, expects } }: RequestHead,
  body: IncomingBody | undefined,
): ExchangeRequest {
  const target = originForm(received, authority)
  return {
    method,
    target: 'target' in target ? target.target : '/',
    authority,
    headers: fields.headers,
    body,
    length: fields.length,
    expectsContinue: expects === 'continue',
    malformed: malformed ?? ('malformed' in target ? target.malformed : undefined),
  }
}
