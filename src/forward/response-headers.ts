/**
 * The headers that a client gets: hop-by-hop out, what is ours kept ours, places rewritten to what people typed.
 */
import { isUtf8 } from 'node:buffer'
import { Fault } from '../kernel/fault.ts'
import { memo } from '../kernel/memo.ts'
import type { Header, HeaderList } from '../listener/exchange.ts'
import type { Route } from '../route/route.ts'
import { withoutHopByHop } from './hop-by-hop.ts'

export interface ResponseFacts {
  /** `https://host:port` as the client knows us. */
  readonly origin: string
  readonly route: Pick<Route, 'strip' | 'path' | 'kind'>
  /** Origins of the upstream, which no client may see. */
  readonly upstreamOrigins: readonly string[]
  readonly passAuthorization: boolean
  /** The answer is for one person: nobody else's cache may keep it. */
  readonly personal: boolean
  /** Another site that may read the answer, if one asked. */
  readonly allowedOrigin: string | undefined
}

/** Dropped whatever they say: ours to give, or nothing that an upstream may tell our clients. */
const dropped = new Set([
  'x-request-id',
  'strict-transport-security',
  'alt-svc',
  'authorization',
  'proxy-authenticate',
  'public-key-pins',
  'clear-site-data', // would take our session cookie along
])
/** Which other sites may read is the gateway's to say (cors.origins): certificates and Basic go along by themselves. */
const corsNames = /^access-control-/
/** @param name  as an upstream sent it, in lower case */
const verdictOn = memo((name: string): 'broken' | 'drop' | 'pass' => {
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return 'broken'
  return dropped.has(name) || corsNames.test(name) ? 'drop' : 'pass'
}, 64)

/** Location as the client must see it: our origin for the upstream's, the stripped prefix put back. */
export function publicLocation(location: string, { origin, route, upstreamOrigins }: ResponseFacts): string {
  const prefix = route.strip && route.path !== '/' ? route.path : ''
  if (location.startsWith('/') && !location.startsWith('//')) return `${prefix}${location}`
  const whole = location.startsWith('//') ? `${new URL(upstreamOrigins[0] ?? origin).protocol}${location}` : location
  if (!URL.canParse(whole)) return location // relative: right as it is
  const url = new URL(whole)
  const own = upstreamOrigins.includes(url.origin) || url.origin === origin || url.host === new URL(origin).host
  return own ? `${origin}${prefix}${url.pathname}${url.search}${url.hash}` : location
}

/** A cookie of the upstream with the stripped prefix put back; undefined when it bears our name. */
export function publicCookie(cookie: string, { route }: Pick<ResponseFacts, 'route'>): string | undefined {
  // A cookie without a name goes back as its value alone, and would look like one of ours.
  if (/^[\s=]*__(host|secure)-sallyport/i.test(cookie)) return undefined
  // A __Host- cookie must have the path "/", or browsers drop it.
  if (!route.strip || route.path === '/' || /^\s*__host-/i.test(cookie)) return cookie
  return cookie.replace(/(;\s*path=)(\/[^;]*)/i, (_, name, path) => `${name}${route.path}${path}`)
}

/**
 * A file name with other than ASCII bytes, said as RFC 6266 wants it: Node cuts an answer that has raw ones here.
 *
 * @param value  one character for each byte
 */
export function plainDisposition(value: string): string {
  if (!/[\x80-\xff]/.test(value)) return value
  const bytes = Buffer.from(value, 'latin1')
  const text = isUtf8(bytes) ? bytes.toString('utf8') : value
  const plain = text.replace(/[^\x20-\x7e]/g, '_')
  const name = /;\s*filename="([^"]*)"/i.exec(text)?.[1]
  if (name === undefined || /filename\*=/i.test(text)) return plain
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${plain}; filename*=UTF-8''${encoded}`
}

/** What was made last of a list that comes again and again, see KnownHead in upstream/: on the list itself. */
const noted = Symbol('what a client gets')
interface Noted extends ResponseFacts {
  readonly made: HeaderList
}

/**
 * The same list for the same headers and facts.
 *
 * @throws Fault upstream-broken when a header cannot be passed on without changing its meaning
 */
export function clientResponseHeaders(headers: HeaderList & { [noted]?: Noted }, facts: ResponseFacts): HeaderList {
  const known = headers[noted]
  if (
    known !== undefined &&
    known.route === facts.route &&
    known.origin === facts.origin &&
    known.personal === facts.personal &&
    known.allowedOrigin === facts.allowedOrigin &&
    known.upstreamOrigins === facts.upstreamOrigins &&
    known.passAuthorization === facts.passAuthorization
  )
    return known.made
  const made = makeHeaders(headers, facts)
  headers[noted] = { ...facts, made }
  return made
}

function makeHeaders(headers: HeaderList, facts: ResponseFacts): HeaderList {
  const made: Header[] = []
  for (const header of withoutHopByHop(headers)) {
    const [name, value] = header
    const verdict = verdictOn(name)
    if (verdict === 'broken' || /[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
      throw new Fault('upstream-broken', {
        about: `the answer holds a header that is not allowed (${JSON.stringify(name.slice(0, 40))})`,
      })
    }
    if (verdict === 'drop') continue
    if (name === 'www-authenticate' && !facts.passAuthorization) continue
    if (name === 'content-disposition') made.push([name, plainDisposition(value)])
    else if (name === 'location' || name === 'content-location') made.push([name, publicLocation(value, facts)])
    else if (name === 'set-cookie') {
      const cookie = publicCookie(value, facts)
      if (cookie !== undefined) made.push([name, cookie])
    } else made.push(header)
  }
  const said = (name: string) => made.some(([given]) => given === name)
  made.push(['strict-transport-security', 'max-age=63072000'])
  if (facts.personal && !said('cache-control')) made.push(['cache-control', 'private, no-store'])
  // The viewer is cross-origin isolated: whatever it loads must say that it is meant for this origin.
  if (facts.route.kind === 'orthanc' && facts.allowedOrigin === undefined && !said('cross-origin-resource-policy'))
    made.push(['cross-origin-resource-policy', 'same-origin'])
  if (facts.allowedOrigin !== undefined)
    made.push(
      ['access-control-allow-origin', facts.allowedOrigin],
      ['access-control-allow-credentials', 'true'],
      ['vary', 'Origin'],
    )
  return made
}
