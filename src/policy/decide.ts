/**
 * Decides whether a principal may do an operation on a route, or come by a stream.
 *
 * A decision is a value. The Permit it may hold is the only ticket that `forward` and `splice` take, and this file is
 * the only one able to print it: its brand is a symbol that never leaves here. Closed unless opened.
 */
import type { AccessRule } from '../config/route.ts'
import type { StreamAccess } from '../config/stream.ts'
import type { Answer, RefusalReason, Refused } from '../identity/answer.ts'
import type { Principal } from '../identity/principal.ts'
import type { Route } from '../route/route.ts'
import type { Operation } from './operation.ts'

const brand: unique symbol = Symbol('permit')

export interface Permit {
  readonly [brand]: true
  readonly outcome: 'permit'
  readonly route: Route
  readonly operation: Operation
  /** Undefined only where the route is open to everyone. */
  readonly principal: Principal | undefined
}

export interface StreamPermit {
  readonly [brand]: true
  readonly outcome: 'permit'
  /** Name of the stream. */
  readonly stream: string
  /** Undefined only where the stream is open to everyone. */
  readonly principal: Principal | undefined
}

/** Somebody at the end of a handshake, or of the first bytes behind it. */
export interface StreamAsk {
  readonly stream: string
  readonly access: StreamAccess
  /** A certificate must come, whatever the rules say. */
  readonly required: boolean
  readonly answer: Answer
  /** What was asked for and is not given to the holder of this certificate, for the audit trail. Absent: nothing. */
  readonly foreignTitle?: string
}

export interface StreamDenial {
  readonly outcome: 'deny'
  /** `not-an-association`: what came first is nothing that DICOM knows, or says what no request may say. */
  readonly reason: 'no-identity' | 'not-a-member' | 'title-not-allowed' | 'not-an-association' | RefusalReason
  readonly principal?: Principal
  readonly detail?: string
}

export type DenialReason =
  | 'no-identity'
  | 'not-a-member'
  | 'proof-needed'
  | 'not-permitted'
  | 'dangerous'
  | 'cross-site'
  | RefusalReason

export interface Denial {
  readonly outcome: 'deny'
  readonly reason: DenialReason
  /** A login could change the answer: true for nobody, false for the wrong somebody. */
  readonly loginHelps: boolean
  readonly principal?: Principal
  /** The credential that was turned down on the way here, if one was. */
  readonly refusal?: Refused
  readonly detail?: string
}

export type Decision = Permit | Denial

/** How one rule takes one person and operation; `explain` prints the same verdicts that `decide` acts on. */
export type RuleVerdict = 'not-named' | 'permit' | 'proof-needed' | 'not-permitted' | 'dangerous'

const named = (rule: Pick<AccessRule, 'groups' | 'people' | 'realms'>, who: Principal) =>
  (rule.realms === undefined || rule.realms.includes(who.realm)) &&
  (rule.people?.includes(who.name) === true || rule.groups?.some(group => who.groups.has(group)) === true)

/** A session stands for the proof that opened it as well as for itself. */
const proved = (rule: AccessRule, { proof }: Principal) =>
  rule.proof === undefined ||
  rule.proof.includes(proof.kind) ||
  (proof.kind === 'session' && rule.proof.includes(proof.by))

function allows(may: AccessRule['may'], { method, needs }: Operation): boolean {
  if (Array.isArray(may)) return may.includes(method)
  if (may === 'everything') return true
  return may === 'write' ? needs !== 'everything' : needs === 'read'
}

export function judge(rule: AccessRule, who: Principal, operation: Operation): RuleVerdict {
  if (!named(rule, who)) return 'not-named'
  if (!proved(rule, who)) return 'proof-needed'
  if (!allows(rule.may, operation)) return 'not-permitted'
  if (operation.dangerous && !rule.dangerous) return 'dangerous'
  return 'permit'
}

/**
 * @param answer  what identity said. A refused credential proves nobody: routes open to everyone stay open, all others
 *                are denied with the reason of the refusal.
 */
export function decide(route: Route, operation: Operation, answer: Answer): Decision {
  const { access } = route
  const principal = answer.kind === 'proven' ? answer.principal : undefined
  if (principal === undefined && access !== 'everyone') return nobody(answer)
  if (principal === undefined || access === 'everyone' || access === 'authenticated') {
    // No rule says `dangerous: true` here.
    return operation.dangerous ? deny('dangerous', principal) : permit(route, operation, principal)
  }

  // The first rule that names the person decides.
  for (const rule of access) {
    const verdict = judge(rule, principal, operation)
    if (verdict === 'permit') return permit(route, operation, principal)
    if (verdict !== 'not-named') return deny(verdict, principal)
  }
  return deny('not-a-member', principal)
}

/** A certificate that was refused ends a connection, also where everyone may in: no page could tell of it there. */
export function decideStream({
  stream,
  access,
  required,
  answer,
  foreignTitle,
}: StreamAsk): StreamPermit | StreamDenial {
  if (answer.kind === 'refused') return { outcome: 'deny', reason: answer.reason, detail: answer.detail }
  const principal = answer.kind === 'proven' ? answer.principal : undefined
  const no = (reason: StreamDenial['reason'], detail?: string): StreamDenial => ({
    outcome: 'deny',
    reason,
    ...(principal === undefined ? {} : { principal }),
    ...(detail === undefined ? {} : { detail }),
  })
  if (principal === undefined && required) return no('certificate-missing')
  if (access !== 'everyone') {
    if (principal === undefined) return no('no-identity')
    if (access !== 'authenticated' && !access.some(rule => named(rule, principal))) return no('not-a-member')
  }
  if (foreignTitle !== undefined) return no('title-not-allowed', foreignTitle)
  return { [brand]: true, outcome: 'permit', stream, principal }
}

/** Requests from other sites are turned down before any rule is asked; see policy/cross-site.ts. */
export const denyCrossSite = (detail: string, principal: Principal | undefined): Denial => ({
  ...deny('cross-site', principal),
  detail,
})

const nobody = (answer: Answer): Denial =>
  answer.kind === 'refused'
    ? { outcome: 'deny', reason: answer.reason, loginHelps: true, refusal: answer }
    : { outcome: 'deny', reason: 'no-identity', loginHelps: true }

const permit = (route: Route, operation: Operation, principal: Principal | undefined): Permit => ({
  [brand]: true,
  outcome: 'permit',
  route,
  operation,
  principal,
})

const deny = (reason: DenialReason, principal: Principal | undefined): Denial => ({
  outcome: 'deny',
  reason,
  // Nobody at an open route could become somebody, but no rule there would ever allow it.
  loginHelps: false,
  ...(principal === undefined ? {} : { principal }),
})
