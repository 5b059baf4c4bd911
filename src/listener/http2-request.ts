/**
 * The head of an HTTP/2 request, and what is malformed in it. Source: RFC 9113 8.2, 8.3.
 */
import type { Limits } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import type { IncomingBody } from './bodies.ts'
import type { ExchangeRequest, Header } from './exchange.ts'
import { headerValues } from './exchange.ts'

const pseudoHeaders = [':method', ':scheme', ':authority', ':path', ':protocol']

/**
 * @param raw  names and values in turn, as they came
 * @returns    with the protocol that is asked for by an extended CONNECT (RFC 8441), if it is one
 */
export function readRequest(
  raw: readonly string[],
  limits: Limits,
  body: IncomingBody | undefined,
): { readonly request: ExchangeRequest; readonly protocol: string | undefined } {
  /** Method, scheme, authority, path, protocol. */
  const pseudo: (string | undefined)[] = [undefined, undefined, undefined, undefined, undefined]
  let doubled = false
  const headers: Header[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const header = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    if (!header.startsWith(':')) {
      headers.push([header, value])
      continue
    }
    const which = pseudoHeaders.indexOf(header)
    if (which === -1 || pseudo[which] !== undefined) doubled = true
    else pseudo[which] = value
  }
  const [method = '', , authorityHeader, path = '', protocol] = pseudo
  const hosts = headerValues(headers, 'host')
  const named = authorityHeader ?? hosts[0] ?? ''
  const authority = parseAuthority(named)
  const target = originForm(path, authority?.text ?? '')
  const lengths = headerValues(headers, 'content-length')
  const length = lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? '') ? Number(lengths[0]) : undefined

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
    protocol: method === 'CONNECT' ? protocol : undefined,
    request: {
      method,
      target: 'target' in target ? target.target : '/',
      authority: authority?.text ?? '',
      headers,
      body,
      length: body === undefined ? (length ?? 0) : length,
      expectsContinue: headerValues(headers, 'expect').some(value => value.toLowerCase() === '100-continue'),
      malformed,
    },
  }
}

/** As RFC 9113 6.5.2 counts them, without its 32 bytes for each field. */
export const headerBytes = (raw: readonly string[]): number => raw.reduce((sum, part) => sum + part.length, 0)
