/**
 * The pages that the gateway itself serves, and which of them answers what.
 *
 * It asks policy nothing but which doors to list, and forwards nothing. Everything under /-/ ends here.
 * Not to forget: a browser is never sent a Basic challenge, because its own password dialog cannot be signed out of.
 *
 * Source: RFC 9110 15.5.2, 15.5.20 (421); RFC 7617 2.1 (charset); RFC 9457.
 */
import type { Identity } from '../identity/authenticator.ts'
import type { Fault } from '../kernel/fault.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import type { Denial } from '../policy/decide.ts'
import { canonicalTarget } from '../route/canonical-path.ts'
import { denialPage, denialText } from './denial-page.ts'
import { doorsOf } from './doors.ts'
import { faultPage, faultText } from './fault-page.ts'
import { createFormGuard } from './form-guard.ts'
import { homePage } from './home.ts'
import { showLogin, takeLogin } from './login.ts'
import { showLogout, takeLogout } from './logout.ts'
import { homePath, loginPath } from './next.ts'
import { iconText, redirect, sendPage } from './page.ts'
import type { PortalDeps, PortalParts, Visit } from './parts.ts'
import { plainRefusal } from './plain-refusal.ts'
import { everyAnswer, isBrowser, sendProblem, wantsPage } from './problem.ts'
import { sendStylesheet, stylesheetPath } from './stylesheet.ts'

export interface Portal {
  /** Whether a canonical path is ours. */
  handles(path: string): boolean
  /**
   * Answers a request for a page of ours. Faults pass through: directory-unavailable, state-unavailable, ...
   *
   * @param client  address of the client behind trusted proxies; the peer itself when absent
   */
  serve(exchange: Exchange, path: string, query: string | undefined, identity: Identity, client?: string): Promise<void>
  refuse(exchange: Exchange, denial: Denial): void
  notFound(exchange: Exchange): void
  /** @param why  for the person: what could not be read */
  badRequest(exchange: Exchange, why: string): void
  misdirected(exchange: Exchange): void
  /** @param allowed  methods; none when nothing is allowed for anybody */
  methodNotAllowed(exchange: Exchange, allowed?: readonly string[]): void
  /** @param limit  in bytes */
  tooLarge(exchange: Exchange, limit: number): void
  /** Cuts the exchange when an answer is under way already. @param upstream  its name in the configuration */
  fault(exchange: Exchange, fault: Fault, upstream?: string): void
}

export async function createPortal(deps: PortalDeps): Promise<Portal> {
  const parts: PortalParts = { ...deps, guard: createFormGuard(await deps.sessions.secretKey('csrf')) }
  const kinds = new Map(deps.routes.routes.map(route => [route.upstream, route.kind]))

  function showHome({ exchange, identity }: Visit): void {
    const { answer, session } = identity
    if (answer.kind !== 'proven') {
      if (identity.unresolved !== undefined) throw identity.unresolved
      redirect(exchange, loginPath(homePath))
      return
    }
    const { principal } = answer
    const ticket = parts.guard.issue(exchange.request.headers)
    const administers = deps.administrators.some(group => principal.groups.has(group))
    const upstreams = deps.upstreams.map(({ name, section, health }) => ({ name, kind: section.kind, ...health }))
    const page = homePage({
      principal,
      session: principal.proof.kind === 'session' ? session : undefined,
      doors: doorsOf(deps.routes.routes, principal, exchange.request.authority),
      upstreams: administers ? upstreams : undefined,
      ticket,
      now: deps.now(),
    })
    sendPage(exchange, 200, page, [], ticket.cookies)
  }

  /** By path and method; HEAD is asked as GET. */
  const pages: Readonly<Record<string, Readonly<Record<string, (visit: Visit) => void | Promise<void>>>>> = {
    '/-/login': { GET: visit => showLogin(visit, parts), POST: visit => takeLogin(visit, parts) },
    '/-/logout': { GET: visit => showLogout(visit, parts), POST: visit => takeLogout(visit, parts) },
    [homePath]: { GET: showHome },
    '/-': { GET: ({ exchange }) => redirect(exchange, homePath) },
    '/-/': { GET: ({ exchange }) => redirect(exchange, homePath) },
    [stylesheetPath]: { GET: ({ exchange }) => sendStylesheet(exchange) },
    '/-/icon.svg': { GET: ({ exchange }) => sendIcon(exchange) },
  }

  /** The rules of the place that was asked for; undefined where there is none. */
  function accessTo({ request }: Exchange) {
    const target = canonicalTarget(request.target)
    if ('ambiguous' in target) return undefined
    const route = deps.routes.match(request.authority.replace(/:\d+$/, ''), target.path)
    return route === undefined || route === 'ambiguous' ? undefined : route.access
  }

  const portal: Portal = {
    handles: path => path === '/-' || path.startsWith('/-/'),
    async serve(exchange, path, query, identity, client = exchange.connection.address) {
      const { method } = exchange.request
      const methods = Object.hasOwn(pages, path) ? pages[path] : undefined
      if (methods === undefined) return portal.notFound(exchange)
      const answer = methods[method === 'HEAD' ? 'GET' : method]
      if (answer !== undefined) return await answer({ exchange, path, query, identity, client })
      const allowed = Object.keys(methods).flatMap(name => (name === 'GET' ? ['GET', 'HEAD'] : [name]))
      portal.methodNotAllowed(exchange, allowed)
    },
    refuse(exchange, denial) {
      const { request } = exchange
      const text = denialText(denial, denial.principal === undefined ? undefined : accessTo(exchange))
      const page = wantsPage(request)
      if (denial.loginHelps && page && (request.method === 'GET' || request.method === 'HEAD')) {
        return redirect(exchange, loginPath(request.target))
      }
      const headers: HeaderList = [
        ...(text.status === 401 && deps.basic && !isBrowser(request) ? [challenge] : []),
        ...(text.status === 429 ? [['retry-after', String(Math.ceil(denial.refusal?.retryAfter ?? 60))] as const] : []),
      ]
      // A program gets the reason in any case; for a person there is a page, except where one should sign in.
      if (!page || text.status === 401) return sendProblem(exchange, text.status, text.problem, headers)
      const certificateSubject = subjectOf(exchange)
      sendPage(exchange, text.status, denialPage({ exchange, denial, text, certificateSubject }), headers)
    },
    notFound: exchange => plainRefusal(exchange, 404, 'Nothing here'),
    badRequest: (exchange, why) => plainRefusal(exchange, 400, 'This request cannot be read', sentence(why)),
    misdirected: exchange => plainRefusal(exchange, 421, 'Wrong name for this server'),
    methodNotAllowed: (exchange, allowed = []) =>
      plainRefusal(exchange, 405, 'This cannot be done here', undefined, [['allow', allowed.join(', ')]]),
    tooLarge: (exchange, limit) => plainRefusal(exchange, 413, 'Too large', `At most ${limit} bytes are taken here.`),
    fault(exchange, fault, upstream) {
      if (exchange.reply.status !== undefined) return exchange.reply.abort()
      const named = upstream === undefined ? undefined : { name: upstream, kind: kinds.get(upstream) }
      const text = faultText(fault, named)
      const headers: HeaderList = text.retryAfter === undefined ? [] : [['retry-after', String(text.retryAfter)]]
      if (!wantsPage(exchange.request)) return sendProblem(exchange, fault.status, text.problem, headers)
      sendPage(exchange, fault.status, faultPage({ exchange, code: fault.code, text }), headers)
    },
  }
  return portal
}

const challenge = ['www-authenticate', 'Basic realm="sallyport", charset="UTF-8"'] as const

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

/** What the holder may read of the certificate that came: nothing when none did. */
function subjectOf({ connection }: Exchange): string | undefined {
  return connection.socket.getPeerX509Certificate()?.subject.replaceAll('\n', ', ')
}

function sendIcon(exchange: Exchange): void {
  const headers: HeaderList = [
    ...everyAnswer,
    ['content-type', 'image/svg+xml'],
    ['cache-control', 'max-age=86400'],
    ['content-security-policy', "default-src 'none'"],
  ]
  exchange.reply.send(200, headers, iconText)
}
