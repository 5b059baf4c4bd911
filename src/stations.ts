/**
 * The stations of the pipeline, made of the parts that gateway.ts has opened. Nothing is opened or decided here.
 */
import type { AccessLog } from './audit/access-log.ts'
import type { Recorded } from './audit/recorder.ts'
import { BodyTooLarge, type Destination, forward, type Passage } from './forward/forward.ts'
import type { InFlight } from './forward/in-flight.ts'
import { handshakeProblem, tunnel } from './forward/tunnel.ts'
import type { Answer } from './identity/answer.ts'
import type { Credentials, Identity } from './identity/authenticator.ts'
import type { Presence } from './identity/presence.ts'
import type { Eventually } from './kernel/eventually.ts'
import { asFault, causeLine } from './kernel/fault.ts'
import { memo } from './kernel/memo.ts'
import { parseAuthority } from './listener/authority.ts'
import { ClientGone } from './listener/bodies.ts'
import { clientOf, forwardedFor, type TrustsProxy } from './listener/client-address.ts'
import { type Connection, type Exchange, headerValues } from './listener/exchange.ts'
import type { createPages } from './pages.ts'
import type { Stations, Understood } from './pipeline.ts'
import type { Permit } from './policy/decide.ts'
import type { CanonicalTarget } from './route/canonical-path.ts'
import { type Route, upstreamPath } from './route/route.ts'
import type { RouteTable } from './route/route-table.ts'
import type { Log } from './telemetry/log.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { ServerTrust } from './tls/server-context.ts'
import type { Viewer } from './viewer/static-files.ts'

export interface StationParts {
  readonly routes: RouteTable
  readonly pages: ReturnType<typeof createPages>
  readonly access: AccessLog
  readonly record: (recorded: Recorded) => Promise<void> | undefined
  readonly trusts: TrustsProxy
  /** Origins of other sites that may call. */
  readonly allowed: ReadonlySet<string>
  /** On which terms connections are taken, by name of the listener. */
  readonly listeners: ReadonlyMap<string, Pick<ServerTrust, 'select'>>
  readonly destinations: ReadonlyMap<string, Destination>
  readonly viewers: ReadonlyMap<string, Viewer>
  readonly inFlight: InFlight
  readonly presence: Presence
  /** What the certificate of a connection says now. Undefined: the directory is being asked. */
  readonly certificateOf: (connection: Connection) => Answer | undefined
  readonly metrics: Metrics
  readonly log: Log
  readonly identify: (credentials: Credentials, listener: string) => Eventually<Identity>
}

export function createStations(parts: StationParts): Stations {
  const { routes, pages, access, record, trusts, allowed, listeners, destinations, viewers, inFlight, metrics, log } =
    parts
  const chainOf = ({ connection, request }: Exchange) => forwardedFor(connection.address, request.headers, trusts)

  const allowedOrigin = ({ request }: Exchange): string | undefined =>
    allowed.size === 0 ? undefined : headerValues(request.headers, 'origin').find(origin => allowed.has(origin))
  const passage = ({ exchange, target, client }: Understood, permit: Permit): Passage => ({
    ...{ exchange, client, permit, target },
    forwardedFor: chainOf(exchange),
    allowedOrigin: allowedOrigin(exchange),
    cached(how) {
      access.factsOf(exchange).cache = how
    },
  })
  const destinationOf = ({ route }: Permit): Destination => {
    const found = destinations.get(route.upstream)
    if (found === undefined) throw new Error(`${route.label} leads to an upstream that was never opened`)
    return found
  }
  const isPing = (route: Route, { path }: CanonicalTarget): boolean =>
    destinations.get(route.upstream)?.upstream.profile.pings?.test(upstreamPath(route, path)) === true

  return {
    routes,
    pages,
    factsOf: access.factsOf,
    hostFits: ({ connection, request }) =>
      fitsHandshake(listeners.get(connection.listener), connection.serverName, request.authority) &&
      fitsHost(connection.publicOrigin, request.authority, routes.hosts),
    clientOf: exchange => clientOf(chainOf(exchange), trusts),
    identify: ({ exchange: { connection, request }, target, client }, route) =>
      parts.identify(
        {
          headers: request.headers,
          peer: connection.socket,
          address: client,
          certificate: connection.certificate,
          authorizationPasses: destinations.get(route?.upstream ?? '')?.upstream.section.authorization === 'pass',
          isPing: route !== undefined && isPing(route, target),
          place: route === undefined ? 'own-page' : route.access === 'everyone' ? 'open' : 'closed',
        },
        connection.listener,
      ),
    present: (was, { exchange: { connection } }) => parts.presence(was, connection.socket, connection.listener),
    lacksCertificate({ connection }) {
      const answer = connection.certificate === 'required' ? parts.certificateOf(connection) : undefined
      return answer !== undefined && answer.kind !== 'proven'
    },
    sites: ({ connection }) => ({ allowed, publicOrigin: connection.publicOrigin }),
    record: ({ exchange, target, client }, route, decision, identity) =>
      record({ id: exchange.id, method: exchange.request.method, target, client, route, decision, identity }),
    async send(understood, permit) {
      const viewer = viewers.get(permit.route.upstream)
      if (viewer !== undefined) return await viewer.serve(understood.exchange, understood.target.path)
      const { exchange, target } = understood
      const running = inFlight.add({
        ...{ exchange, target, permit },
        lasting: false,
        // Under way it is use: it has an end of its own, and one that stands still is cut by its limits.
        moved: () => !isPing(permit.route, target),
        end: () => exchange.reply.abort(),
      })
      try {
        await forward(passage(understood, permit), destinationOf(permit))
      } finally {
        // Not by `using`, for which V8 calls into its runtime with each request.
        running[Symbol.dispose]()
      }
    },
    async tunnel(understood, permit) {
      const { exchange } = understood
      if (viewers.has(permit.route.upstream)) return pages.notFound(understood)
      const problem = handshakeProblem(exchange.request.headers)
      if (problem !== undefined) return pages.badRequest(exchange, problem)
      const { label } = permit.route
      const passed = { ...passage(understood, permit), exchange }
      metrics.tunnels.inc({ route: label })
      using opening = inFlight.add({ ...passed, moved: () => true, lasting: false, end: () => exchange.reply.abort() })
      try {
        await tunnel(passed, destinationOf(permit), carried => {
          opening[Symbol.dispose]()
          return inFlight.add({ ...passed, ...carried, lasting: true })
        })
      } finally {
        metrics.tunnels.dec({ route: label })
      }
    },
    fail(exchange, thrown, route) {
      if (thrown instanceof ClientGone || exchange.signal.aborted) return exchange.reply.abort()
      if (thrown instanceof BodyTooLarge) return pages.tooLarge(exchange, thrown.limit)
      const fault = asFault(thrown)
      const isBug = fault.code === 'bug'
      access.factsOf(exchange).fault = fault.code
      metrics.faults.inc({ code: fault.code })
      const stack = isBug && thrown instanceof Error ? { stack: thrown.stack } : {}
      const facts = {
        id: exchange.id,
        fault: fault.code,
        upstream: route?.upstream,
        cause: causeLine(thrown),
        ...stack,
      }
      log[isBug ? 'error' : 'warn'](facts, 'fault')
      pages.fault(exchange, fault, route?.upstream)
    },
  }
}

/** The name in the request must lead to the certificate that the handshake showed: else it was made for somebody else. */
function fitsHandshake(
  trust: Pick<ServerTrust, 'select'> | undefined,
  serverName: string | undefined,
  authority: string,
): boolean {
  const host = parseAuthority(authority)?.host
  return trust !== undefined && host !== undefined && trust.select(serverName) === trust.select(host)
}

const parsedHost = memo((origin: string) => {
  const { host, hostname } = new URL(origin)
  return { host, hostname }
}, 300)

/** With a public address, that name and the hosts of routes; without one, every name that the certificate is shown to. */
function fitsHost(publicOrigin: string | undefined, authority: string, routeHosts: ReadonlySet<string>): boolean {
  if (publicOrigin === undefined) return true
  const asked = parsedHost(`https://${authority}`)
  return asked.host === parsedHost(publicOrigin).host || routeHosts.has(asked.hostname)
}
