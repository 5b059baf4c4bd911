/**
 * What an authenticator says about one kind of credential.
 *
 *   proven    the credential holds, and this is who it names
 *   absent    no such credential came: the next authenticator may answer
 *   refused   a credential came that must not be accepted
 *
 * A broken directory is none of these: it is a Fault, and thrown. "Wrong" and "broken" never look alike.
 */
import type { Principal } from './principal.ts'

/** Each reason with the sentence that a person may read. Codes are stable: audit, tests and manuals use them. */
export const refusalReasons = {
  'certificate-not-trusted': 'Your certificate was not issued by an authority that this gateway trusts.',
  'certificate-expired': 'Your certificate has expired.',
  'certificate-not-yet-valid': 'Your certificate is not valid yet. Check the clock of your computer.',
  'certificate-wrong-use': 'Your certificate was not issued for signing in.',
  'certificate-revoked': 'Your certificate was taken back by its authority.',
  'certificate-unchecked': 'Whether your certificate was taken back cannot be found out at the moment.',
  'certificate-unreadable': 'Your certificate is of a form that this gateway cannot read.',
  'certificate-too-weak': 'The key or signature of your certificate is too weak to be accepted.',
  'certificate-chain-too-long': 'There are more authorities above your certificate than are accepted here.',
  'certificate-not-admitted': 'Your certificate is trusted, and not one of those that are let in here.',
  'certificate-without-realm': 'Your certificate is trusted, and nobody has said whose name it stands for here.',
  'certificate-without-one-name': 'Your certificate does not carry exactly one usable name.',
  'certificate-not-in-directory': 'Nobody of the name in your certificate is known, or let in, by the directory.',
  'account-closed': 'Your account is disabled, locked or expired.',
  'certificate-missing': 'A client certificate is needed here, and none came.',
  // Of no use to who guesses: it is said of everybody, and names what the locked cannot find out themselves.
  'wrong-credentials': 'User name or password is wrong, or the account is locked.',
  'password-expired':
    'Your password is right, but it has expired. Set a new one where your organisation lets you, for instance at your workstation, then sign in here with it.',
  'password-must-change':
    'Your password is right, but it must be changed before it opens anything. Set a new one where your organisation lets you, for instance at your workstation, then sign in here with it.',
  throttled: 'Too many failed attempts. Wait before you try again.',
  'malformed-credentials': 'The sign-in data could not be read.',
} as const

export type RefusalReason = keyof typeof refusalReasons

export type Answer = Proven | { readonly kind: 'absent' } | Refused

export interface Proven {
  readonly kind: 'proven'
  readonly principal: Principal
}

export interface Refused {
  readonly kind: 'refused'
  readonly reason: RefusalReason
  /** For the audit trail: what exactly was wrong. May hold text from outside; never a secret. */
  readonly detail: string
  /** Who was named, if a name came: for the audit trail, never believed. */
  readonly claimed?: string
  /** Seconds until another try is worth it; only with `throttled`. */
  readonly retryAfter?: number
}

export const absent: Answer = { kind: 'absent' }
export const proven = (principal: Principal): Proven => ({ kind: 'proven', principal })
export const refused = (
  reason: RefusalReason,
  detail: string,
  more: Pick<Refused, 'claimed' | 'retryAfter'> = {},
): Refused => ({
  kind: 'refused',
  reason,
  detail,
  ...more,
})
