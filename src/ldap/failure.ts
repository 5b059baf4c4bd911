/**
 * What a failed step means: a refusal of this person, a directory that cannot answer, or settings that are wrong.
 *
 * Only a bind with the password of a person can be refused; everything else that fails is a Fault. "Wrong" and
 * "broken" never look alike: an outage that is told as a wrong password sends a ward to the help desk.
 *
 * Source: RFC 4511 appendix A (result codes); Microsoft "LDAP bind errors" (data codes in messages of code 49).
 */
import { ResultCodeError } from 'ldapts'
import { Fault } from '../kernel/fault.ts'
import { handshakeWords } from '../tls/handshake-words.ts'
import { PeerRefusal } from '../tls/peer-verdict.ts'
import { TooMuch } from './conversation.ts'

/** `referral`: a search goes on at another server of ours, or does not because the server is none of ours. */
export type DirectoryStep = 'connect' | 'tls' | 'reader' | 'search' | 'bind' | 'referral'

/** Constraint violation is how 389 Directory Server says that the account is locked by too many tries. */
const refusals: ReadonlyMap<number, string> = new Map([
  [19, 'constraintViolation'],
  [32, 'noSuchObject'],
  [48, 'inappropriateAuthentication'],
  [49, 'invalidCredentials'],
  [53, 'unwillingToPerform'],
])

const activeDirectory: Readonly<Record<string, string>> = {
  '525': 'no such user',
  '52e': 'wrong password',
  '530': 'not at this hour',
  '531': 'not from this workstation',
  '532': 'password expired',
  '533': 'account disabled',
  '701': 'account expired',
  '773': 'password must be changed',
  '775': 'account locked',
}

/** Why the directory refused the person, for the audit trail; undefined if it was no refusal. */
export function refusalOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof ResultCodeError)) return undefined
  const name = refusals.get(thrown.code)
  if (name === undefined) return undefined
  const [, data = ''] = /\bdata ([0-9a-f]{3})\b/.exec(thrown.message) ?? []
  const reason = activeDirectory[data]
  return `${thrown.code} ${name}${reason === undefined ? '' : ` (data ${data}: ${reason})`}`
}

/** Answers that will be the same tomorrow, unless someone changes a setting here or a right there. */
const settings: ReadonlyMap<number, string> = new Map([
  [1, 'the directory wants a reader account before it is searched'],
  [2, 'the directory does not understand what it is asked'],
  [4, "the directory's size limit cuts its answer"],
  [7, 'the directory allows no simple bind'],
  [8, 'the directory wants a stronger sign-in; use an ldaps:// URL or startTls: true'],
  [10, 'the base lies in another directory (a referral, which is not followed)'],
  [11, "the directory's limits cut its answer"],
  [12, 'the directory lacks an extension that is needed'],
  [13, 'the directory wants encryption; use an ldaps:// URL or startTls: true'],
  [17, 'the directory does not know an attribute'],
  [18, 'a filter compares what cannot be compared'],
  [21, 'the directory does not accept a value in a filter'],
  [34, 'a name (DN) in the settings is no DN'],
  [48, 'the reader account may not sign in this way'],
  [49, 'the directory refuses the name or the password of the reader account'],
  [50, 'the reader account lacks the right to search'],
  [53, 'the directory refuses what is asked'],
])

const stepNames: Readonly<Record<DirectoryStep, string>> = {
  connect: 'connecting to the directory',
  tls: 'shaking hands with the directory',
  reader: 'signing in as the reader',
  search: 'searching the directory',
  bind: 'checking a password in the directory',
  referral: 'following a referral of the directory',
}

export function directoryFault(step: DirectoryStep, cause: unknown): Fault {
  const why = settingWrong(step, cause)
  if (why !== undefined) return new Fault('directory-misconfigured', { cause, about: `${stepNames[step]}: ${why}` })
  return new Fault('directory-unavailable', { cause, about: stepNames[step] })
}

/** What an operator has to change; undefined: nothing, it may pass by itself. */
function settingWrong(step: DirectoryStep, cause: unknown): string | undefined {
  if (cause instanceof PeerRefusal) return 'it did not prove itself'
  // No failure of the server: else one question that is too wide would keep everybody out for a while.
  if (cause instanceof TooMuch && step === 'search') return 'the answer is larger than the gateway takes; ask for less'
  if (cause instanceof ResultCodeError) {
    if (step === 'tls' && cause.code !== busy) return `it refuses StartTLS (code ${cause.code})`
    if (cause.code === 32)
      return step === 'reader'
        ? 'there is no such reader account'
        : 'there is no such base, or the reader may not see it'
    if (cause.code === 10 && (step === 'reader' || step === 'bind'))
      return 'it hands sign-ins on to another server (a referral, which is not followed); write that one into urls'
    return settings.get(cause.code)
  }
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  // In TLS 1.3 a server looks at our certificate only after the handshake, so its alert meets the first question.
  return /^EPROTO$|^ERR_SSL_/.test(code) && (step === 'tls' || code.includes('ALERT'))
    ? handshakeWords(cause)
    : undefined
}

const busy = 51

/** Runs one step; whatever goes wrong in it becomes a Fault. Bugs of ours stay bugs. */
export async function inStep<T>(step: DirectoryStep, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof Fault || cause instanceof TypeError) throw cause
    throw directoryFault(step, cause)
  }
}

/** Tells of each step how long it took, failed or not. `what` is a DN, a filter or an address, never a secret. */
export type RunStep = <T>(step: DirectoryStep, what: string, work: () => Promise<T>) => Promise<T>
