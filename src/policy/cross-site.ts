/**
 * Turns down what another web site makes a browser do here: whatever the proof, since browsers add certificates, Basic
 * credentials and cookies by themselves.
 *
 * Source: Fetch Metadata (W3C), RFC 6455 10.2, CVE-2019-13209 (cross-site WebSocket hijacking).
 */
import type { HeaderList } from '../listener/exchange.ts'
import { headerValues } from '../listener/exchange.ts'

export interface SiteRules {
  /** Origins of other sites that may call, as `new URL(…).origin` writes them. */
  readonly allowed: ReadonlySet<string>
  /** What people type for this listener, if it is not the bound address. */
  readonly publicOrigin: string | undefined
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

const originOf = (text: string): string | undefined => (URL.canParse(text) ? new URL(text).origin : undefined)

/** Where the request says that it comes from: ours, allowed, foreign, or not said. */
function siteOf(headers: HeaderList, authority: string, rules: SiteRules): 'ours' | 'allowed' | 'foreign' | 'unsaid' {
  const origins = headerValues(headers, 'origin')
  const sites = headerValues(headers, 'sec-fetch-site')
  if (origins.length > 1 || sites.length > 1) return 'foreign'
  const [origin] = origins
  const [site] = sites
  if (origin !== undefined) {
    const normal = originOf(origin)
    if (normal !== undefined && normal !== 'null' && rules.allowed.has(normal)) return 'allowed'
    const ours = new Set([originOf(`https://${authority}`), rules.publicOrigin])
    if (normal === undefined || normal === 'null' || !ours.has(normal)) return 'foreign'
  }
  if (site === 'cross-site' || site === 'same-site') return 'foreign'
  return origin === undefined && site === undefined ? 'unsaid' : 'ours'
}

/**
 * @param proof  what the request proved itself by, if by anything
 * @returns undefined when the request may go on; else what was wrong, for the audit trail
 */
export function crossSiteProblem(
  request: {
    readonly method: string
    readonly headers: HeaderList
    readonly authority: string
    readonly webSocket: boolean
  },
  rules: SiteRules,
  proof: string | undefined,
): string | undefined {
  if (!request.webSocket && safeMethods.has(request.method)) return undefined
  const site = siteOf(request.headers, request.authority, rules)
  if (site === 'foreign') {
    const origin = headerValues(request.headers, 'origin').join(', ')
    return `the request comes from another site (${origin === '' ? 'Sec-Fetch-Site' : `Origin ${origin.slice(0, 200)}`})`
  }
  if (site === 'unsaid' && request.webSocket && proof === 'session')
    return 'a WebSocket with a session cookie must say its Origin'
  return undefined
}
