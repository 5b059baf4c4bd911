/**
 * Makes one canonical path of a request target, once, for policy and upstream alike.
 *
 * What could be read in two ways is not repaired but refused: an encoded slash or backslash, dot segments in any
 * spelling, empty segments, control characters, broken or doubled percent escapes, bytes that are not UTF-8.
 * Source: RFC 3986 2.3, 6.2.2; CVE-2025-66490, CVE-2026-40912 (Traefik), CVE-2025-54576 (oauth2-proxy).
 */

export interface CanonicalTarget {
  /** Begins with a slash; unreserved characters are plain, other escapes are kept in capitals. */
  readonly path: string
  /** Without the question mark, as received; undefined when there was none. */
  readonly query: string | undefined
}

/** Why a target was not understood; for the log and the 400 page. */
export type AmbiguousTarget = { readonly ambiguous: string }

const unreserved = /[A-Za-z0-9\-._~]/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** One segment, decoded once; undefined when it is not valid UTF-8. */
function decode(segment: string): string | undefined {
  // What is plain says itself, and most segments are.
  if (!/[%\x80-\uffff]/.test(segment)) return segment
  try {
    return utf8.decode(
      Uint8Array.from(
        segment.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
        char => char.charCodeAt(0),
      ),
    )
  } catch {
    return undefined // TextDecoder's only way to say so
  }
}

function segmentProblem(segment: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(segment)) return 'a broken percent escape'
  const text = decode(segment)
  if (text === undefined) return 'bytes that are not UTF-8'
  if (/[/\\]/.test(text)) return 'an encoded slash or a backslash'
  if (/\p{Cc}/u.test(text)) return 'a control character'
  if (text.startsWith(';')) return 'an empty segment'
  // Dot segments, and more: Orthanc's web server drops dots at the end of a segment, so "/tools/reset." is "/tools/reset".
  if (/\.(;.*)?$/.test(text)) return 'a segment that ends with a dot'
  // Decoded twice by some upstreams: then this would be another path.
  if (/%[0-9a-f]{2}/i.test(text)) return 'a doubly encoded character'
  return undefined
}

/** By code: letters, digits, `-`, `_` and `~`. */
const isPlainSign = Array.from({ length: 128 }, (_, code) => /[A-Za-z0-9_~-]/.test(String.fromCharCode(code)))
const [slash, dot] = [47, 46]

/** It says itself, and nothing of what is refused can be in it: as most paths do. @param path  begins with a slash */
function isPlain(path: string): boolean {
  let before = slash
  for (let at = 1; at < path.length; at++) {
    const sign = path.charCodeAt(at)
    if (sign === slash ? before === slash || before === dot : sign !== dot && isPlainSign[sign] !== true) return false
    before = sign
  }
  return before !== dot
}

/** @param target  origin-form, as received: untrusted */
export function canonicalTarget(target: string): CanonicalTarget | AmbiguousTarget {
  if (!/^\/[\x21-\x7e]*$/.test(target)) return { ambiguous: 'characters that must be percent-encoded' }
  if (target.includes('#')) return { ambiguous: 'a fragment' }
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? undefined : target.slice(mark + 1)

  if (isPlain(path)) return { path, query }
  const segments = path.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    if (segment === '' && index < segments.length - 1) return { ambiguous: 'an empty segment' }
    const problem = segmentProblem(segment)
    if (problem !== undefined) return { ambiguous: problem }
  }
  const canonical = path.replace(/%([0-9A-Fa-f]{2})/g, (whole, hex) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16))
    return unreserved.test(char) ? char : whole.toUpperCase()
  })
  return { path: canonical, query }
}

/** The path with the parameters of every segment (`;x=1`) left out, as servlet containers read it. */
export const withoutParameters = (path: string): string => path.replace(/(;|%3B)[^/]*/gi, '')

/** The names in a query string, decoded once; a name that cannot be decoded is kept as it is. */
export function queryNames(query: string): string[] {
  return query.split(/[&;]/).map(part => {
    const name = (part.split('=', 1)[0] ?? '').replaceAll('+', ' ')
    return decode(name) ?? name
  })
}
