/**
 * The life of an HTTP request, on one page:
 *
 *   understand -> match -> authenticate -> decide -> record -> send
 *       |           |                        |
 *      400         404, own pages           refuse (login page, 401, 403)
 *
 * Every decision is recorded before a byte reaches an upstream. WebSocket handshakes walk the same way; only the last
 * station differs.
 */
import type { AccessLog } from './audit/access-log.ts'
import type { Judge } from './forward/in-flight.ts'
import { type Answer, absent, proven } from './identity/answer.ts'
import type { Identity } from './identity/authenticator.ts'
import type { Eventually } from './kernel/eventually.ts'
import { parseAuthority } from './listener/authority.ts'
import type { Exchange, UpgradeExchange } from './listener/exchange.ts'
import { headerValues } from './listener/exchange.ts'
import { crossSiteProblem, type SiteRules } from './policy/cross-site.ts'
import { type Decision, type Denial, decide, denyCrossSite, type Permit } from './policy/decide.ts'
import { operationOf } from './policy/operation.ts'
import { type CanonicalTarget, canonicalTarget, queryNames } from './route/canonical-path.ts'
import { type Route, upstreamPath } from './route/route.ts'
import type { RouteTable } from './route/route-table.ts'

/** What is known of a request once it was understood. */
export interface Understood<Kind extends Exchange = Exchange> {
  readonly exchange: Kind
  readonly target: CanonicalTarget
  /** Address of the client, behind trusted proxies. */
  readonly client: string
}

/** What the walk needs from the rest of the house. Nobody is waited for who has answered already. */
export interface Stations {
  readonly routes: RouteTable
  /** Whether this name may be asked for on this listener. */
  readonly hostFits: (exchange: Exchange) => boolean
  readonly clientOf: (exchange: Exchange) => string
  readonly identify: (understood: Understood, route: Route | undefined) => Eventually<Identity>
  /** Who somebody is now for whom something runs. */
  readonly present: Judge['present']
  /** Whether the listener insists on a certificate now, and none that counts came over this connection. */
  readonly lacksCertificate: (exchange: Exchange) => boolean
  readonly sites: (exchange: Exchange) => SiteRules
  /** To be waited for, and rejects, only where the site wants nothing done that cannot be recorded. */
  readonly record: (
    understood: Understood,
    route: Route | undefined,
    /** Undefined: a page of our own. A certificate that was refused on the way is recorded all the same. */
    decision: Decision | undefined,
    identity: Identity,
  ) => Promise<void> | undefined
  readonly pages: Pages
  readonly send: (understood: Understood, permit: Permit) => Promise<void>
  readonly tunnel: (understood: Understood<UpgradeExchange>, permit: Permit) => Promise<void>
  /** For the access line: what this exchange turned out to be. */
  readonly factsOf: AccessLog['factsOf']
  /** The only catch on the way: turns a fault into a 5xx and a log line. */
  readonly fail: (exchange: Exchange, thrown: unknown, route: Route | undefined) => void
}

/** The answers of our own; portal/ gives them. */
export interface Pages {
  owns(path: string): boolean
  serve(understood: Understood, identity: Identity): Promise<void>
  badRequest(exchange: Exchange, why: string): void
  misdirected(exchange: Exchange): void
  methodNotAllowed(exchange: Exchange): void
  notFound(understood: Understood): void
  refuse(understood: Understood, denial: Denial, identity: Identity): void
  /** CORS preflight from a site that may call, or may not; and OPTIONS where the upstream takes it for something else. */
  options(exchange: Exchange, sites: SiteRules): void
  /** Where links of a stripped prefix are relative, the slash at its end matters. */
  addSlash(exchange: Exchange, target: CanonicalTarget): void
}

export interface Pipeline {
  handle(exchange: Exchange | UpgradeExchange): Promise<void>
  /** Of what runs: by the same rules, and by who they are now. */
  readonly judge: Judge
}

export function createPipeline(stations: Stations): Pipeline {
  const { routes, pages, factsOf, sites } = stations

  async function handle(exchange: Exchange | UpgradeExchange): Promise<void> {
    let route: Route | undefined
    try {
      const understood = understand(exchange)
      if (understood === undefined) return
      const { target, client } = understood
      const matched = pages.owns(target.path) ? undefined : routes.match(hostOf(exchange), target.path)
      if (matched === 'ambiguous') return pages.badRequest(exchange, 'the path can be read in two ways')
      if (matched === undefined && !pages.owns(target.path)) return pages.notFound(understood)
      route = matched
      const webSocket = 'upgrade' in exchange
      const facts = factsOf(exchange)
      facts.route = route
      const override = methodOverride(route, target)
      if (override !== undefined) return pages.badRequest(exchange, override)
      if (isPreflight(exchange) && route?.access !== 'everyone') return pages.options(exchange, sites(exchange))

      const found = stations.identify(understood, route)
      const identity = found instanceof Promise ? await found : found
      const decision = judge(understood, route, identity, webSocket)
      facts.decision = decision
      const written = stations.record(understood, route, decision, identity)
      if (written !== undefined) await written
      if (decision?.outcome === 'deny') return pages.refuse(understood, decision, identity)
      if (decision === undefined || route === undefined) return await pages.serve(understood, identity)
      if (route.strip && target.path === route.path && !webSocket) return pages.addSlash(exchange, target)
      if ('upgrade' in exchange) return await stations.tunnel({ exchange, target, client }, decision)
      if (exchange.request.method === 'OPTIONS' && route.kind === 'orthanc')
        return pages.options(exchange, sites(exchange))
      await stations.send(understood, decision)
    } catch (thrown) {
      stations.fail(exchange, thrown, route)
    }
  }

  /** What cannot be understood is answered here, and never reaches a rule. */
  function understand(exchange: Exchange): Understood | undefined {
    const { request } = exchange
    if (request.malformed !== undefined) return void pages.badRequest(exchange, request.malformed)
    if (!stations.hostFits(exchange)) return void pages.misdirected(exchange)
    if (request.method === 'TRACE' || request.method === 'CONNECT') return void pages.methodNotAllowed(exchange)
    const target = canonicalTarget(request.target)
    if ('ambiguous' in target) return void pages.badRequest(exchange, `the path holds ${target.ambiguous}`)
    const client = stations.clientOf(exchange)
    const facts = factsOf(exchange)
    facts.path = target.path
    facts.client = client
    return { exchange, target, client }
  }

  /** Undefined: a page of our own, and nothing speaks against it. */
  function judge(
    { exchange, target }: Understood,
    route: Route | undefined,
    { answer, certificateAnswer }: Identity,
    webSocket: boolean,
  ): Decision | undefined {
    const { request, connection } = exchange
    // Nothing else proves anybody there, and nothing is open to nobody.
    if (connection.certificate === 'required' && certificateAnswer.kind !== 'proven' && answer.kind === 'refused') {
      return { outcome: 'deny', reason: answer.reason, loginHelps: false, refusal: answer }
    }
    const proof = answer.kind === 'proven' ? answer.principal.proof.kind : undefined
    const { method, headers, authority } = request
    const foreign = crossSiteProblem({ method, headers, authority, webSocket }, sites(exchange), proof)
    if (foreign !== undefined) return denyCrossSite(foreign, answer.kind === 'proven' ? answer.principal : undefined)
    if (route === undefined) return undefined
    return decideOn(route, exchange, target, answer)
  }

  return {
    handle,
    judge: {
      present: stations.present,
      bars({ exchange, target }, principal) {
        const route = routes.match(hostOf(exchange), target.path)
        if (route === undefined || route === 'ambiguous') return 'no-route'
        if (stations.lacksCertificate(exchange)) return 'certificate-missing'
        const decision = decideOn(route, exchange, target, principal === undefined ? absent : proven(principal))
        return decision.outcome === 'deny' ? decision.reason : undefined
      },
    },
  }
}

const decideOn = (route: Route, { request }: Exchange, { path }: CanonicalTarget, answer: Answer): Decision =>
  decide(route, operationOf(route.kind, request.method, upstreamPath(route, path)), answer)

const hostOf = ({ request }: Exchange): string => parseAuthority(request.authority)?.host ?? ''

const isPreflight = ({ request }: Exchange): boolean =>
  request.method === 'OPTIONS' &&
  headerValues(request.headers, 'origin').length > 0 &&
  headerValues(request.headers, 'access-control-request-method').length > 0

/** Orthanc takes `?_method=DELETE` on a GET for a DELETE: rules would have judged another request than it runs. */
function methodOverride(route: Route | undefined, { query }: CanonicalTarget): string | undefined {
  if (route?.kind !== 'orthanc' || query === undefined) return undefined
  return queryNames(query).some(name => name.trim().toLowerCase() === '_method')
    ? 'the query would replace the method (_method)'
    : undefined
}
