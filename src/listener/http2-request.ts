/**
 * The head of an HTTP/2 request, and what is malformed in it. Source: RFC 9113 8.2, 8.3.
 *
 * As over HTTP/1.1 (http1-head.ts), what was made of the headers stands for as long as a client says them word by word again.
 */
import type { Limits } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import type { IncomingBody } from './bodies.ts'
import type { ExchangeRequest, Header, HeaderList } from './exchange.ts'
import { headerValues } from './exchange.ts'

const pseudoHeaders = [':method', ':scheme', ':authority', ':path', ':protocol']

/** What follows from all but the path. */
interface Fields {
  /** Names and values in turn, as they came. */
  readonly raw: readonly string[]
  /** Where the path stands in them; -1: nowhere. */
  readonly pathAt: number
  readonly method: string
  readonly authority: string
  readonly protocol: string | undefined
  readonly headers: HeaderList
  /** Of the body, as announced. */
  readonly length: number | undefined
  readonly expectsContinue: boolean
  readonly malformed: string | undefined
}

function readFields(raw: readonly string[], limits: Limits): Fields {
  /** Method, scheme, authority, path, protocol. */
  const pseudo: (string | undefined)[] = [undefined, undefined, undefined, undefined, undefined]
  let doubled = false
  let pathAt = -1
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
    if (header === ':path') pathAt = at + 1
  }
  const [method = '', , authorityHeader, , protocol] = pseudo
  const hosts = headerValues(headers, 'host')
  const named = authorityHeader ?? hosts[0] ?? ''
  const authority = parseAuthority(named)
  const lengths = headerValues(headers, 'content-length')
  const length = lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? '') ? Number(lengths[0]) : undefined

  let malformed: string | undefined
  if (authority === undefined || hosts.length > 1 || (hosts[0] ?? named).toLowerCase() !== named.toLowerCase()) {
    malformed = 'exactly one well-formed authority is needed'
  } else if (doubled || !/^[A-Z]+$/.test(method)) malformed = 'the method or target is not clear'
  else if (headers.length > limits.headerCount) malformed = `more than ${limits.headerCount} headers`
  else if (lengths.length > 0 && length === undefined) malformed = 'the length of the body is not clear'

  return {
    ...{ raw, pathAt, method, headers, length, malformed },
    authority: authority?.text ?? '',
    protocol: method === 'CONNECT' ? protocol : undefined,
    expectsContinue: headerValues(headers, 'expect').some(value => value.toLowerCase() === '100-continue'),
  }
}

function isSameButPath({ raw: before, pathAt }: Fields, raw: readonly string[]): boolean {
  if (raw.length !== before.length) return false
  for (let at = 0; at < raw.length; at++) if (at !== pathAt && raw[at] !== before[at]) return false
  return true
}

/** Reads the requests of one connection. */
export class RequestReader {
  readonly #limits: Limits
  #fields: Fields | undefined

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /**
   * @param raw  names and values in turn, as they came
   * @returns    with the protocol that is asked for by an extended CONNECT (RFC 8441), if it is one
   */
  read(
    raw: readonly string[],
    body: IncomingBody | undefined,
  ): { readonly request: ExchangeRequest; readonly protocol: string | undefined } {
    const { headerSize } = this.#limits
    const known = this.#fields
    const fields = known !== undefined && isSameButPath(known, raw) ? known : readFields(raw, this.#limits)
    this.#fields = fields
    const { method, authority, headers, length, expectsContinue, protocol } = fields
    const target = originForm(raw[fields.pathAt] ?? '', authority)
    let { malformed } = fields
    if ('malformed' in target) malformed ??= target.malformed
    // The size is announced in SETTINGS, and Node leaves it to the client to heed it.
    else if (headerBytes(raw) > headerSize) malformed ??= `more than ${headerSize} bytes of headers`
    return {
      protocol,
      request: {
        ...{ method, authority, headers, body, expectsContinue, malformed },
        target: 'target' in target ? target.target : '/',
        length: body === undefined ? (length ?? 0) : length,
      },
    }
  }
}

/** As RFC 9113 6.5.2 counts them, without its 32 bytes for each field. */
export const headerBytes = (raw: readonly string[]): number => raw.reduce((sum, part) => sum + part.length, 0)
