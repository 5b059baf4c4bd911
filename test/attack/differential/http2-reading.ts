/**
 * What may become of an HTTP/2 request at an upstream that speaks HTTP/1.1, read by the letter of RFC 9113.
 *
 * A field that no HTTP may hold is left out here, as nghttp2 leaves it out: it must not arrive, and the rest may.
 * Source: RFC 9113 8.1.1 (length), 8.2.1 (characters), 8.2.2 (fields of a connection), 8.3.1 (pseudo-headers).
 */
import type { Http2Field } from '../raw-http2.ts'
import type { Permitted } from './oracle.ts'
import { comparable } from './reading.ts'

export interface Said {
  readonly fields: readonly Http2Field[]
  /** DATA frames; undefined: the head ends the stream. */
  readonly parts: readonly string[] | undefined
  readonly trailers: readonly Http2Field[] | undefined
}

const isPseudo = ([name]: Http2Field): boolean => name.startsWith(':')
const canBeHeard = ([name, value]: Http2Field): boolean =>
  /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) &&
  !/[\0\r\n]|^[ \t]|[ \t]$/.test(value) &&
  (name !== 'host' || /^[!$%&'()*+,.:;=@[\]_~0-9a-z-]*$/i.test(value))

/** @returns undefined when nothing of it may arrive */
export function readStream({ fields, parts }: Said): Permitted | undefined {
  const heard = fields.filter(field => isPseudo(field) || canBeHeard(field))
  const pseudo = fields.filter(isPseudo)
  const all = (name: string) => heard.filter(([field]) => field === name).map(([, value]) => value)
  const [method = '', path = '', authority = all('host')[0] ?? ''] = [':method', ':path', ':authority'].map(
    name => all(name)[0],
  )
  const body = parts?.join('') ?? ''
  const lengths = all('content-length')
  const length = lengths[0] ?? String(body.length)
  const absolute = path.toLowerCase().startsWith(`https://${authority}/`)
  const target = absolute ? path.slice('https://'.length + authority.length) : path

  const saidOnce = new Set(pseudo.map(([name]) => name)).size === pseudo.length
  const saidFirst = fields.slice(0, pseudo.length).every(isPseudo)
  const wellSaid = pseudo.every(
    ([name, value]) => /^:(method|scheme|path|authority)$/.test(name) && /^[\x21-\x7e]*$/.test(value),
  )
  const needed = all(':scheme').length === 1 && /^[A-Z]+$/.test(method) && !/^(CONNECT|TRACE)$/.test(method)
  const oneHost = all('host').every(host => host.toLowerCase() === authority.toLowerCase()) && all('host').length <= 1
  const ofConnection = heard.some(([name]) => /^(connection|keep-alive|transfer-encoding|upgrade)$/.test(name))
  const oneLength = lengths.length <= 1 && /^\d{1,15}$/.test(length)
  const clear = saidOnce && saidFirst && wellSaid && needed && oneHost && !ofConnection && oneLength
  if (!clear || authority === '' || !target.startsWith('/')) return undefined
  return {
    method,
    target: comparable(target),
    // What a length promises is all that may arrive, even should more have been sent.
    body: body.slice(0, Number(length)),
    complete: Number(length) <= body.length,
    fields: new Set(heard.map(([name, value]) => `${name}: ${value}`)),
    end: 0,
  }
}
