/**
 * The headers that an upstream gets: hop-by-hop out, whatever could pose as ours out in every spelling, ours in once.
 *
 * An upstream believes these headers, so nothing that a client sent under their names may pass: `X_Remote_User` is the
 * same name as `X-Remote-User` to WSGI and CGI. Source: CVE-2025-64484 (oauth2-proxy), gunicorn message.py; RFC 9113 8.2.3
 * (cookies).
 */
import type { Principal } from '../identity/principal.ts'
import { memo } from '../kernel/memo.ts'
import type { Header, HeaderList } from '../listener/exchange.ts'
import { isHopByHop, withoutHopByHop } from './hop-by-hop.ts'

/** Characters of a header's name; longer ones are nobody's. */
const longestName = 64

/** One spelling for all that some server takes for one name: CGI and WSGI fold the underscore, others every sign. */
export const normalName = memo(
  (name: string): string =>
    name
      .trim()
      .toLowerCase()
      .replace(/[^a-z0-9]/g, '-'),
  longestName,
)

const spoofable = new Set([
  'forwarded',
  'x-real-ip',
  'x-request-id',
  'x-original-url',
  'x-original-uri',
  'x-original-host',
  'x-original-method',
  'x-rewrite-url',
  'x-host',
  // gunicorn takes these for the path itself: an open route would lead to what another one guards.
  'script-name',
  'path-info',
  'x-script-name',
  // CGI makes HTTP_PROXY of it, which libraries call through (CVE-2016-5385).
  'proxy',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-forwarded',
  'x-cluster-client-ip',
  'x-client-ip',
  'true-client-ip',
  'client-ip',
  'front-end-https',
  'remote-user',
  'remote-groups',
  'auth-user',
  'x-user',
  'x-groups',
  'x-webauth-user',
  'expect',
])
const spoofablePrefixes = [
  'x-forwarded-',
  'x-remote-',
  'x-ssl-',
  'ssl-client-',
  'x-client-cert',
  'x-client-verify',
  'x-client-dn',
  'x-client-s-dn',
  'x-auth-request-',
  'x-authenticated-',
  'x-sallyport-',
]

/** Framing in another spelling: WSGI and CGI read `Content_Length` as Content-Length. */
const isFraming = (normal: string) => isHopByHop(normal) || normal.startsWith('content-')

const isSpoofable = (normal: string) =>
  spoofable.has(normal) || spoofablePrefixes.some(prefix => normal.startsWith(prefix))

/** A name under which nothing that a client sent goes on. @param name  as received */
const isOut = memo((name: string): boolean => {
  const normal = normalName(name)
  return isSpoofable(normal) || normal === 'host' || (name !== normal && isFraming(normal))
}, longestName)

/** UTF-8, percent-encoded where it is not a plain letter, digit or `-._@ `: nothing in a name can split a header or a list. */
export const headerText = (name: string): string => (/^[A-Za-z0-9\-._@]*$/.test(name) ? name : encoded(name))

const encoded = (name: string): string =>
  Array.from(Buffer.from(name, 'utf8'), byte => {
    const char = String.fromCharCode(byte)
    return /[A-Za-z0-9\-._@ ]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  })
    .join('')
    // Blanks at the ends get lost on the way, and with them the difference between two names.
    .replace(/^ +| +$/g, blanks => '%20'.repeat(blanks.length))

/** The Cookie header without what is ours; undefined when nothing is left. */
export function foreignCookies(value: string): string | undefined {
  const left = value
    .split(';')
    .map(part => part.trim())
    .filter(part => part !== '' && !/^__host-sallyport/i.test(part))
  return left.length === 0 ? undefined : left.join('; ')
}

export interface RequestFacts {
  /** Host as received. */
  readonly authority: string
  /** For X-Forwarded-For: the peer alone, or the chain that a trusted proxy vouches for and the peer. */
  readonly forwardedFor: readonly string[]
  readonly principal: Principal | undefined
}

export interface RequestTerms {
  readonly passAcceptEncoding: boolean
  readonly forwarded: 'proto' | 'full'
  readonly passAuthorization: boolean
  /** `Basic …`, if the gateway signs in at the upstream. */
  readonly authorization: string | undefined
  /** What the operator adds, in place of what the client sent under these names. */
  readonly added: Readonly<Record<string, string>>
}

function pushOurs(list: Header[], { authority, forwardedFor, principal }: RequestFacts, terms: RequestTerms): void {
  const [first = 'unknown'] = forwardedFor
  const node = first.includes(':') ? `"[${first}]"` : first
  list.push(
    ['x-forwarded-for', forwardedFor.join(', ')],
    ['x-forwarded-proto', 'https'],
    ['x-forwarded-host', authority],
    // Unquoted proto alone: Orthanc reads it, and takes the host from Host.
    ['forwarded', terms.forwarded === 'proto' ? 'proto=https' : `for=${node};host="${authority}";proto=https`],
  )
  if (principal === undefined) return
  list.push(
    ['x-remote-user', headerText(principal.name)],
    ['x-remote-groups', Array.from(principal.groups, headerText).join(',')],
    ['x-remote-proof', principal.proof.kind],
  )
}

/** What was made last of a list that comes again and again: on the list itself, see http1-head.ts in listener/. */
const noted = Symbol('what an upstream gets')
interface Noted extends RequestFacts {
  readonly terms: RequestTerms
  readonly made: HeaderList
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((one, at) => one === b[at])

/** Whether nothing that an upstream is told of them differs. */
const isSamePerson = (a: Principal | undefined, b: Principal | undefined): boolean =>
  a === b || (a?.name === b?.name && a?.groups === b?.groups && a?.proof.kind === b?.proof.kind)

/**
 * All headers but X-Request-Id, which goes beside them (`requestIdOf`): the same list for the same facts and headers.
 *
 * @param headers  as received: untrusted
 */
export function upstreamRequestHeaders(
  headers: HeaderList & { [noted]?: Noted },
  facts: RequestFacts,
  terms: RequestTerms,
): HeaderList {
  const known = headers[noted]
  if (
    known !== undefined &&
    known.terms === terms &&
    known.authority === facts.authority &&
    isSamePerson(known.principal, facts.principal) &&
    isSame(known.forwardedFor, facts.forwardedFor)
  )
    return known.made
  const { authority, forwardedFor, principal } = facts
  const made = makeHeaders(headers, facts, terms)
  headers[noted] = { authority, forwardedFor, principal, terms, made }
  return made
}

/** What an upstream is told the exchange is called; undefined where the operator sets that header. */
export const requestIdOf = (id: string, { added }: RequestTerms): string | undefined =>
  Object.keys(added).some(name => normalName(name) === 'x-request-id') ? undefined : id

function makeHeaders(headers: HeaderList, facts: RequestFacts, terms: RequestTerms): HeaderList {
  const made: Header[] = [['host', facts.authority]]
  const cookies: string[] = []
  for (const header of withoutHopByHop(headers)) {
    const [name, value] = header
    if (isOut(name)) continue
    const normal = normalName(name)
    if (normal === 'accept-encoding' && !terms.passAcceptEncoding) continue
    if (normal === 'authorization' && !terms.passAuthorization) continue
    if (normal === 'cookie') cookies.push(value)
    else made.push(header)
  }
  // HTTP/2 sends each cookie on a line of its own; HTTP/1.1 knows one line only, and WSGI would join two with a comma.
  const cookie = cookies.length === 0 ? undefined : foreignCookies(cookies.join('; '))
  if (cookie !== undefined) made.push(['cookie', cookie])
  if (terms.authorization !== undefined) made.push(['authorization', terms.authorization])
  pushOurs(made, facts, terms)
  const added = Object.entries(terms.added)
  if (added.length === 0) return made
  const replaced = new Set(added.map(([name]) => normalName(name)))
  return [
    // Each once: where the operator sets one of ours, the operator's counts.
    ...made.filter(([name]) => !replaced.has(normalName(name))),
    ...added.map(([name, value]) => [name.toLowerCase(), value] as const),
  ]
}
