/**
 * The facts that someone may have to answer for: a closed list.
 */
import type { Barred } from '../forward/in-flight.ts'
import type { Out } from '../identity/directory-verdict.ts'
import type { DenialReason, StreamDenial } from '../policy/decide.ts'

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

interface OnStream {
  readonly who?: Who
  readonly address: string
  /** Name of the stream. */
  readonly stream: string
  /** AE titles of a DICOM association, as the client gave them. */
  readonly calling?: string
  readonly called?: string
  /** Lines of this address that were not written in the minute before, because there were too many. */
  readonly leftOut?: number
}

/** A connection that was let through, or was not. */
export type StreamEvent =
  | ({ readonly kind: 'stream' } & OnStream)
  | ({ readonly kind: 'stream-denial'; readonly reason: StreamDenial['reason']; readonly detail?: string } & OnStream)

export type AuditEvent =
  | StreamEvent
  | { readonly kind: 'start' | 'stop' }
  /** The configuration was read again. `refused`: why it was not taken. */
  | { readonly kind: 'reload'; readonly refused?: string }
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
  /**
   * Somebody who was in is put out: the directory, or the account here, lets them in no longer; or what ran for them was
   * ended because the rules would not permit it now; or an operator ended a session by a command. `proof`: what they held.
   */
  | {
      readonly kind: 'access-ended'
      readonly who: Who
      readonly reason: Out['reason'] | Barred | 'session-revoked'
      readonly detail: string
    }
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
