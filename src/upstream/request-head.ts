/**
 * The head of a request as text, one character for each byte.
 *
 * What it is made of was judged before (request-headers.ts in forward/), and is looked at once more: nothing in it can end
 * a line. Whatever is wrong here is a bug of ours, and thrown as one. Source: RFC 9112 3, 5; RFC 9110 5.5, 5.6.2, 8.6.
 */
import { memo } from '../kernel/memo.ts'
import type { HeaderList } from '../listener/exchange.ts'
import type { UpstreamRequest } from './upstream.ts'

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const oddValue = /[^\t\x20-\x7e\x80-\xff]/
const oddTarget = /[^\x21-\xff]/
/** They belong to the connection, which is ours. */
const ours = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'expect'])
/** Behind these a server waits for a body: where there is none, it is told so. */
const expecting = new Set(['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH'])

export interface RequestHead {
  /** Request line and Host. */
  readonly start: string
  /** All other headers but Connection and what frames the body. Behind them the empty line is missing. */
  readonly fields: string
  /** Bytes of the body, if they are announced. */
  readonly length: number | undefined
  /** Behind other methods a server may not know that there is a body, and take it for the next request. */
  readonly expectsBody: boolean
}

/** Names come again and again. */
const isFine = memo(name => token.test(name) && !ours.has(name), 64)

/** What was made of a list that is that of many requests: on the list itself. */
const noted = Symbol('the headers as text')
interface Fields {
  readonly authority: string | undefined
  readonly text: string
  readonly length: number | undefined
}

function fieldsOf(headers: HeaderList): Fields {
  let authority: string | undefined
  let length: number | undefined
  let text = ''
  for (const [name, value] of headers) {
    if (!isFine(name) || oddValue.test(value))
      throw new TypeError(`a header that no request may have: ${JSON.stringify(name)}`)
    if (name === 'host') authority = value
    else if (name !== 'content-length') text += `${name}: ${value}\r\n`
    else if (length === undefined && /^\d{1,15}$/.test(value)) length = Number(value)
    else throw new TypeError('a length that no request may have')
  }
  return { authority, text, length }
}

/** @param host  for a request without one */
export function requestHead(
  { method, target, headers, id }: Omit<UpstreamRequest, 'headers'> & { headers: HeaderList & { [noted]?: Fields } },
  host: string,
): RequestHead {
  if (!token.test(method) || target === '' || oddTarget.test(target) || (id !== undefined && oddValue.test(id)))
    throw new TypeError('a method, target or id that no request may have')
  headers[noted] ??= fieldsOf(headers)
  const { authority = host, text, length } = headers[noted]
  const start = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n`
  const fields = id === undefined ? text : `${text}x-request-id: ${id}\r\n`
  return { start, fields, length, expectsBody: expecting.has(method) }
}
