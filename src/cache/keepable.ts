/**
 * Whether an answer may be kept, and for how long: a whole 200 of a kind that holds pixels or bulk data, meant for anybody.
 *
 * Source: RFC 9111 3, 5.2.2 (as a shared cache).
 */
import { type HeaderList, headerValues } from '../listener/exchange.ts'
import type { UpstreamResponse } from '../upstream/upstream.ts'

const contents = /^(?:multipart\/related|image\/[a-z0-9.+-]+|video\/[a-z0-9.+-]+|application\/octet-stream)\s*(?:;|$)/i
/** May decide about an answer: each is in the key, or never reaches the upstream. */
const variesBy = new Set(['accept', 'host', 'origin', 'accept-encoding'])

export interface Keepable {
  /** Milliseconds. */
  readonly maxAge: number
  /** Bytes; undefined: the body comes in chunks. */
  readonly length: number | undefined
}

/** A header that is a list. */
const words = (headers: HeaderList, name: string): string[] =>
  headerValues(headers, name).flatMap(value => value.split(',').map(word => word.trim().toLowerCase()))

/** @param longest  milliseconds that the operator allows */
export function keepableOf(answer: UpstreamResponse, longest: number): Keepable | undefined {
  const { status, headers, closeDelimited, body } = answer
  // Where nothing but the connection says where a body ends, nothing but its reader knows that it was cut.
  if (status !== 200 || closeDelimited) return undefined
  const has = (name: string) => headerValues(headers, name).length > 0
  if (has('set-cookie') || has('content-range') || has('content-encoding') || has('trailer')) return undefined
  const types = headerValues(headers, 'content-type')
  if (types.length !== 1 || !contents.test(types[0] ?? '')) return undefined
  if (words(headers, 'vary').some(name => !variesBy.has(name))) return undefined
  let maxAge = longest
  for (const word of words(headers, 'cache-control')) {
    const [name, value = ''] = word.split('=')
    if (name === 'no-store' || name === 'no-cache' || name === 'private') return undefined
    if (name === 'max-age' || name === 's-maxage') {
      const seconds = /^"?(\d{1,9})"?$/.exec(value)?.[1]
      maxAge = Math.min(maxAge, Number(seconds ?? 0) * 1_000)
    }
  }
  if (maxAge <= 0) return undefined
  const [length, ...more] = headerValues(headers, 'content-length')
  if (more.length > 0) return undefined
  const announced = length === undefined ? undefined : Number(length)
  if (announced !== undefined && !Number.isSafeInteger(announced)) return undefined
  return { maxAge, length: Buffer.isBuffer(body) ? body.length : announced }
}
