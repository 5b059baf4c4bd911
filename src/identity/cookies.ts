/**
 * Cookies: reading those that came, writing ours. What a value means is not known here.
 *
 * Source: RFC 6265 4.1, 5.4; RFC 9113 8.2.3 (HTTP/2 may send one cookie to a line); RFC 6265bis 4.1.3.2 (`__Host-`: Secure,
 * Path=/, no Domain, so that no neighbour on a sister domain can plant one).
 */
import { hash } from 'node:crypto'
import type { HeaderList } from '../listener/exchange.ts'

/** Who is signed in: an opaque random id. */
export const sessionCookie = '__Host-sallyport'

/** Left by logging out: a certificate must not sign its holder in again without being asked. */
export const loggedOutCookie = '__Host-sallyport-out'

/** Undefined: it did not come. Null: it came more than once, and so none of them is to be believed. */
export function readCookie(headers: HeaderList, name: string): string | undefined | null {
  let found: string | undefined
  for (const [header, line] of headers) {
    // Most lines hold none of ours, and each is looked through with every request.
    if (header !== 'cookie' || !line.includes(name)) continue
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=')
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue
      if (found !== undefined) return null
      found = pair.slice(equals + 1).trim()
    }
  }
  return found
}

/**
 * The value of a Set-Cookie header. Without `maxAge` the cookie goes with the browser's own session.
 *
 * @param value   letters, digits, - and _ only
 * @param maxAge  seconds; 0 takes the cookie away
 */
export function setCookie(name: string, value: string, maxAge?: number): string {
  if (!/^[\w-]*$/.test(value)) throw new TypeError('a cookie of ours holds letters, digits, - and _ only')
  return `${name}=${value}; Path=/${maxAge === undefined ? '' : `; Max-Age=${maxAge}`}; Secure; HttpOnly; SameSite=Lax`
}

export const clearCookie = (name: string): string => setCookie(name, '', 0)

export const setLoggedOutMark = (): string => setCookie(loggedOutCookie, '1')

/** What a request shows of ours. */
export interface OwnCookies {
  /** As `readCookie` says. */
  readonly session: string | undefined | null
  /** Any value counts, and a doubled one too: in doubt the person is asked. */
  readonly isLoggedOut: boolean
  /** Of the session cookie, for whoever has worked it out. */
  digest?: string
}

/** On the list itself, which comes again and again. */
const noted = Symbol('our cookies')

export function ownCookies(headers: HeaderList & { [noted]?: OwnCookies }): OwnCookies {
  headers[noted] ??= {
    session: readCookie(headers, sessionCookie),
    isLoggedOut: readCookie(headers, loggedOutCookie) !== undefined,
  }
  return headers[noted]
}

/** What a store knows a session by: never its cookie. @param shown  where that came, and may have been asked about before */
export function cookieDigest(cookie: string, shown?: OwnCookies): string {
  if (shown?.session !== cookie) return hash('sha256', cookie)
  shown.digest ??= hash('sha256', cookie)
  return shown.digest
}

export const hasLoggedOutMark = (headers: HeaderList): boolean => ownCookies(headers).isLoggedOut
