/**
 * Finds the route of a request: routes of its host first, then the longest path, by whole segments.
 */
import type { Config } from '../config/schema.ts'
import { withoutParameters } from './canonical-path.ts'
import type { Route } from './route.ts'

export interface RouteTable {
  readonly routes: readonly Route[]
  /** Hosts that routes name. */
  readonly hosts: ReadonlySet<string>
  /**
   * @param host  of the request, lower case, without port
   * @param path  canonical
   * @returns undefined: no route; 'ambiguous': path parameters would change the route
   */
  match(host: string, path: string): Route | 'ambiguous' | undefined
}

const covers = (prefix: string, path: string) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`)

export function compileRoutes({ routes, upstreams }: Pick<Config, 'routes' | 'upstreams'>): RouteTable {
  const compiled: Route[] = []
  for (const [index, { host, path, upstream, strip, access }] of routes.entries()) {
    const kind = upstreams[upstream]?.kind
    if (kind === undefined) throw new Error(`routes[${index}] names an upstream that does not exist`) // load.ts has refused it
    compiled.push({ label: `routes[${index}]`, host, path, upstream, kind, strip, access })
  }
  const longestFirst = compiled.toSorted((a, b) => b.path.length - a.path.length)
  const find = (host: string, path: string) =>
    longestFirst.find(route => route.host === host && covers(route.path, path)) ??
    longestFirst.find(route => route.host === undefined && covers(route.path, path))

  return {
    routes: compiled,
    hosts: new Set(compiled.flatMap(route => route.host ?? [])),
    match(host, path) {
      const route = find(host, path)
      // "/admin;x=1" is "/admin" to some upstreams: it may not pass by another route's rules.
      if (/;|%3B/i.test(path) && find(host, withoutParameters(path)) !== route) return 'ambiguous'
      return route
    },
  }
}
