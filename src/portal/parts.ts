/**
 * What the portal is made of, and one visit to it: types only.
 */
import type { AuditEvent } from '../audit/event.ts'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import type { Identity } from '../identity/authenticator.ts'
import type { PasswordCheck } from '../identity/password-realms.ts'
import type { SessionStore } from '../identity/session-store.ts'
import type { Standing } from '../identity/standing.ts'
import type { Exchange } from '../listener/exchange.ts'
import type { RouteTable } from '../route/route-table.ts'
import type { Health } from '../upstream/health.ts'
import type { FormGuard } from './form-guard.ts'

export interface PortalDeps {
  readonly passwords: PasswordCheck
  readonly sessions: Pick<SessionStore, 'open' | 'close' | 'secretKey'>
  readonly standing: Standing
  /** Whether Authorization: Basic is taken. */
  readonly basic: boolean
  readonly routes: RouteTable
  /** Groups whose members see how the servers are. */
  readonly administrators: readonly string[]
  readonly upstreams: readonly {
    readonly name: string
    readonly section: Pick<HttpUpstreamSection, 'kind'>
    readonly health: Health
  }[]
  /** Rejects only where the site wants nothing done that cannot be recorded. */
  readonly audit: (id: string, event: AuditEvent) => Promise<void>
  readonly now: () => number
}

export interface PortalParts extends PortalDeps {
  readonly guard: FormGuard
}

/** One request for a page of ours. */
export interface Visit {
  readonly exchange: Exchange
  /** Canonical. */
  readonly path: string
  /** Without the question mark. */
  readonly query: string | undefined
  readonly identity: Identity
  /** Address of the client, behind trusted proxies. */
  readonly client: string
}
