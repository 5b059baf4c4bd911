/**
 * The answers that never reach an upstream: the portal's pages, and the few that need no page.
 */
import { type Exchange, type HeaderList, headerValues } from './listener/exchange.ts'
import type { Pages } from './pipeline.ts'
import type { SiteRules } from './policy/cross-site.ts'
import type { Portal } from './portal/portal.ts'

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** What a preflight gets: leave for a listed origin, a plain no for every other. Source: Fetch 3.2 (CORS protocol). */
export function optionsAnswer(headers: HeaderList, { allowed }: SiteRules): { status: number; headers: HeaderList } {
  const [origin] = headerValues(headers, 'origin')
  const preflight = headerValues(headers, 'access-control-request-method').length > 0
  if (origin === undefined || !preflight) return { status: 204, headers: [['allow', methods]] }
  if (!allowed.has(origin)) return { status: 403, headers: [['vary', 'Origin']] }
  const asked = headerValues(headers, 'access-control-request-headers').join(', ')
  return {
    status: 204,
    headers: [
      ['access-control-allow-origin', origin],
      ['access-control-allow-credentials', 'true'],
      ['access-control-allow-methods', methods],
      // Names only, and only as header names are spelt: nothing else of it is echoed.
      ...(/^[A-Za-z0-9, _-]{1,1000}$/.test(asked) ? ([['access-control-allow-headers', asked]] as const) : []),
      ['access-control-max-age', '600'],
      ['vary', 'Origin'],
    ],
  }
}

export function createPages(portal: Portal): Pages & Pick<Portal, 'fault' | 'tooLarge'> {
  const plain = (exchange: Exchange, status: number, headers: HeaderList) => exchange.reply.send(status, headers, '')
  return {
    owns: portal.handles,
    serve: ({ exchange, target, client }, identity) =>
      portal.serve(exchange, target.path, target.query, identity, client),
    badRequest: portal.badRequest,
    misdirected: portal.misdirected,
    methodNotAllowed: exchange => portal.methodNotAllowed(exchange),
    notFound({ exchange, target }) {
      // With no viewer at the root, people who type the bare address find the doors that are theirs.
      if (target.path === '/' && exchange.request.method === 'GET')
        plain(exchange, 303, [
          ['location', '/-/home'],
          ['cache-control', 'no-store'],
        ])
      else portal.notFound(exchange)
    },
    refuse: ({ exchange }, denial) => portal.refuse(exchange, denial),
    options(exchange, sites) {
      const { status, headers } = optionsAnswer(exchange.request.headers, sites)
      plain(exchange, status, headers)
    },
    addSlash: (exchange, { path, query }) =>
      plain(exchange, 308, [['location', `${path}/${query === undefined ? '' : `?${query}`}`]]),
    fault: portal.fault,
    tooLarge: portal.tooLarge,
  }
}
