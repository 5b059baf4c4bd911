/**
 * The head of an HTTP/2 request, and what is malformed in it. Source: RFC 9113 8.2, 8.3.
 */
import type { Limits } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import type { IncomingBody } from './bodies.ts'
import type { ExchangeRequest, Header } from './exchange.ts'
import { headerValues } from './exchange.ts'

/**
 * @param raw  names and values in turn, as they came
 * @returns    with the protocol that is asked for by an extended CONNECT (RFC 8441), if it is one
 */
export function readRequest(
  raw: readonly string[],
  limits: Limits,
  body: IncomingBody | undefined,
): ExchangeRequest & { readonly protocol: string | undefined } {
  const pseudo = new Map<string, string>()
  const headers: Header[] = []
  let doubled = false
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    if (!name.startsWith(':')) headers.push([name, value])
    else if (pseudo.has(name)) doubled = true
    else pseudo.set(name, value)
  }
  const hosts = headerValues(headers, 'host')
  const named = pseudo.get(':authority') ?? hosts[0] ?? ''
  const authority = parseAuthority(named)
  const target = originForm(pseudo.get(':path') ?? '', authority?.text ?? '')
  const lengths = headerValues(headers, 'content-length')
  const length = lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? '') ? Number(lengths[0]) : undefined
  const method = pseudo.get(':method') ?? ''

  let malformed: string | undefined
  if (authority === undefined || hosts.length > 1 || (hosts[0] ?? named).toLowerCase() !== named.toLowerCase()) {
    malformed = 'exactly one well-formed authority is needed'
  } else if (doubled || !/^[A-Z]+$/.test(method)) malformed = 'the method or target is not clear'
  else if ('malformed' in target) malformed = target.malformed
  else if (headers.length > limits.headerCount) malformed = `more than ${limits.headerCount} headers`
  // The size is announced in SETTINGS, and Node leaves it to the client to heed it.
  else if (headerBytes(raw) > limits.headerSize) malformed = `more than ${limits.headerSize} bytes of headers`
  else if (lengths.length > 0 && length === undefined) malformed = 'the length of the body is not clear'

  return {
    protocol: method === 'CONNECT' ? pseudo.get(':protocol') : undefined,
    method,
    target: 'target' in target ? target.target : '/',
    authority: authority?.text ?? '',
    headers,
    body,
    length: body === undefined ? (length ?? 0) : length,
    expectsContinue: headerValues(headers, 'expect').some(value => value.toLowerCase() === '100-continue'),
    malformed,
  }
}

/** As RFC 9113 6.5.2 counts them, without its 32 bytes for each field. */
export const headerBytes = (raw: readonly string[]): number => raw.reduce((sum, part) => sum + part.length, 0)
