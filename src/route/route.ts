/**
 * A route: which requests it takes, where they go, who may pass. Data; immutable once compiled.
 */
import type { Access } from '../config/route.ts'
import type { UpstreamKind } from '../config/upstream.ts'

export interface Route {
  /** `routes[2]`: the way the operator finds it. */
  readonly label: string
  readonly host: string | undefined
  /** Without a slash at its end, except "/" itself. */
  readonly path: string
  readonly upstream: string
  readonly kind: UpstreamKind
  readonly strip: boolean
  readonly access: Access
}

/** The path that the upstream sees. @param path  canonical, and matched by this route */
export function upstreamPath({ strip, path: prefix }: Pick<Route, 'strip' | 'path'>, path: string): string {
  if (!strip || prefix === '/') return path
  const rest = path.slice(prefix.length)
  return rest === '' ? '/' : rest
}
