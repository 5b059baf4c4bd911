/**
 * Reads the head of an HTTP/1.1 request, and marks what llhttp lets through but two servers might read differently.
 *
 * Source: RFC 9112 3.2, 6.1 (one transfer coding, one length, one Host).
 */
import type { IncomingMessage } from 'node:http'
import type { Limits } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import { IncomingBody } from './bodies.ts'
import { type Exchange, type Header, type HeaderList, headerValues } from './exchange.ts'

const pairs = (raw: readonly string[]): Header[] => {
  const list: Header[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) list.push([(raw[at] ?? '').toLowerCase(), raw[at + 1] ?? ''])
  return list
}

/** Names and values in turn, as Node takes them. */
export function flat(headers: HeaderList): string[] {
  const all: string[] = []
  for (const [name, value] of headers) all.push(name, value)
  return all
}

export function readRequest(
  message: IncomingMessage,
  expectsContinue: boolean,
  limits: Limits,
): { request: Exchange['request']; body: IncomingBody | undefined } {
  const headers = pairs(message.rawHeaders)
  const hosts = headerValues(headers, 'host')
  const authority = hosts.length === 1 ? parseAuthority(hosts[0] ?? '') : undefined
  const target = originForm(message.url ?? '', authority?.text ?? '')
  const codings = headerValues(headers, 'transfer-encoding')
  const lengths = headerValues(headers, 'content-length')
  const length = lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? '') ? Number(lengths[0]) : undefined

  let malformed: string | undefined
  if (authority === undefined) malformed = 'exactly one well-formed Host is needed'
  else if ('malformed' in target) malformed = target.malformed
  else if (message.httpVersion !== '1.1') malformed = 'only HTTP/1.1 and HTTP/2 are spoken here'
  else if (headers.length > limits.headerCount) malformed = `more than ${limits.headerCount} headers`
  else if (codings.length > 1 || (codings[0] ?? 'chunked').toLowerCase() !== 'chunked')
    malformed = 'the only transfer coding is chunked'
  // llhttp looks no further than the upgrade: `chunked` with a tab behind it is no body to it, and one to others.
  else if (codings.length > 0 && headerValues(headers, 'upgrade').length > 0)
    malformed = 'a body in chunks and an upgrade exclude each other'
  else if (lengths.length > 0 && (length === undefined || codings.length > 0))
    malformed = 'the length of the body is not clear'

  const body = codings.length > 0 || (length ?? 0) > 0 ? new IncomingBody(message) : undefined
  return {
    body,
    request: {
      method: message.method ?? '',
      target: 'target' in target ? target.target : '/',
      authority: authority?.text ?? '',
      headers,
      body,
      length: codings.length > 0 ? undefined : length,
      expectsContinue,
      malformed,
    },
  }
}
