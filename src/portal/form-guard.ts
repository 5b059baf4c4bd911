/**
 * Makes sure that a form of ours was filled in on a page of ours, by the browser that we gave it to.
 *
 * Two locks: the request may not come from another site, and its token must belong to the cookie that came with the
 * page. The cookie is a random id from before anybody signed in; it proves nobody.
 *
 * Source: OWASP, cross-site request forgery prevention (signed double submit).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readCookie, setCookie } from '../identity/cookies.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import { crossSiteProblem } from '../policy/cross-site.ts'

export const formCookie = '__Host-sallyport-pre'

export interface FormTicket {
  /** For a hidden field named `token`. */
  readonly token: string
  /** Set-Cookie lines that must go out with the page; empty when the browser has its cookie already. */
  readonly cookies: readonly string[]
}

export interface FormGuard {
  issue(headers: HeaderList): FormTicket
  /** 'foreign': another site made the browser do it. 'stale': the page is too old, or cookies are off. */
  check(exchange: Exchange, token: string): 'ours' | 'foreign' | 'stale'
}

/** 256 random bits in base64url. */
const cookiePattern = /^[\w-]{43}$/
const noOthers: ReadonlySet<string> = new Set()

export function createFormGuard(key: Buffer): FormGuard {
  const tokenOf = (id: string): string => createHmac('sha256', key).update(`form\n${id}`).digest('base64url')
  const idIn = (headers: HeaderList): string | undefined => {
    const id = readCookie(headers, formCookie)
    return typeof id === 'string' && cookiePattern.test(id) ? id : undefined
  }
  return {
    issue(headers) {
      const known = idIn(headers)
      if (known !== undefined) return { token: tokenOf(known), cookies: [] }
      const id = randomBytes(32).toString('base64url')
      return { token: tokenOf(id), cookies: [setCookie(formCookie, id)] }
    },
    check({ request, connection }, token) {
      // Sites that may call by CORS still may not sign anybody in or out.
      const rules = { allowed: noOthers, publicOrigin: connection.publicOrigin }
      if (crossSiteProblem({ ...request, webSocket: false }, rules, undefined) !== undefined) return 'foreign'
      const id = idIn(request.headers)
      if (id === undefined) return 'stale'
      const expected = Buffer.from(tokenOf(id))
      const given = Buffer.from(token)
      return given.length === expected.length && timingSafeEqual(given, expected) ? 'ours' : 'stale'
    },
  }
}
