/**
 * Reads a Range header: one range of bytes, or the whole.
 *
 * Several ranges at once, other units and unreadable text all mean the whole, as RFC 9110 14.2 allows.
 */
import { type HeaderList, soleHeader } from '../listener/exchange.ts'

export interface ByteRange {
  readonly first: number
  /** The last byte itself, not the one behind it. */
  readonly last: number
}

/**
 * The part of the file that is asked for.
 *
 * @param etag  of the answer without content coding; an If-Range that does not name it means the whole
 * @returns 'beyond' when no byte of the file lies in the range (416)
 */
export function rangeOf(headers: HeaderList, size: number, etag: string): ByteRange | 'whole' | 'beyond' {
  const range = soleHeader(headers, 'range')
  const ifRange = soleHeader(headers, 'if-range')
  // A date in If-Range is never equal to a tag: the whole is always a right answer.
  if (typeof range !== 'string' || ifRange === null || (ifRange !== undefined && ifRange !== etag)) return 'whole'
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(range.replaceAll(/\s/g, '')) ?? []
  if (first === '' && last === '') return 'whole'
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'beyond' : { first: size - length, last: size - 1 }
  }
  if (last !== '' && Number(last) < Number(first)) return 'whole' // RFC 9110 14.1.1: invalid, so ignored
  if (Number(first) >= size) return 'beyond'
  return { first: Number(first), last: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}
