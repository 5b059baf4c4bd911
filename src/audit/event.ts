/**
 * The facts that someone may have to answer for: a closed list.
 */
import type { DenialReason } from '../policy/decide.ts'

interface Who {
  readonly name: string
  readonly realm: string
  /** certificate, password, session */
  readonly proof: string
}

interface Where {
  readonly method: string
  /** Canonical, without query. */
  readonly path: string
  readonly route: string
}

export type AuditEvent =
  | { readonly kind: 'start' | 'stop' }
  | { readonly kind: 'login'; readonly who: Who; readonly address: string }
  | {
      readonly kind: 'login-refused'
      readonly claimed: string
      readonly reason: string
      readonly detail: string
      readonly address: string
    }
  | { readonly kind: 'logout'; readonly who: Who; readonly address: string }
  | { readonly kind: 'certificate-refused'; readonly reason: string; readonly detail: string; readonly address: string }
  /** `claimed`: a name that came with a credential that was turned down; never believed. */
  | {
      readonly kind: 'denial'
      readonly who?: Who
      readonly claimed?: string
      readonly reason: DenialReason
      readonly detail?: string
      /** Denials of this address that were not told in the minute before, because there were too many. */
      readonly leftOut?: number
      readonly address: string
      readonly where: Where
    }
  /** First use of a study by a person within a window; or of the patient, series or instance that was named instead. */
  | {
      readonly kind: 'study'
      readonly who?: Who
      readonly study: string
      readonly address: string
      readonly where: Where
    }
  | { readonly kind: 'change' | 'deletion'; readonly who?: Who; readonly address: string; readonly where: Where }

export type { Where, Who }
