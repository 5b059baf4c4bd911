/**
 * Why a directory did not take a password, in plain words with the cure.
 *
 * Not to forget: for an administrator only. To the person most of these look alike.
 *
 * Source: RFC 4511 appendix A; Microsoft "LDAP bind errors"; draft-behera-ldap-password-policy-10 6.2.
 */

import type { PasswordAnswer, PersonEntry } from '../ldap/person.ts'
import type { Diagnosis } from './diagnosis.ts'
import { accountState } from './result-causes.ts'

export function passwordCause(
  { why, reason }: Extract<PasswordAnswer, { right: false }>,
  { dn, locked }: Pick<PersonEntry, 'dn' | 'locked'>,
): Diagnosis {
  const who = `the account ${dn}`
  const state = accountState(why, who)
  if (state !== undefined) return state
  if (reason === 'expired')
    return { code: 'account-password-expired', cause: `the password of ${dn} has expired`, cure: 'set a new one' }
  if (reason === 'must-change')
    return {
      code: 'account-must-change',
      cause: `the password of ${dn} is right, and must be changed before it opens anything`,
      cure: 'change it where your organisation lets people, then sign in with the new one',
    }
  if (/not sent/.test(why))
    return {
      code: 'not-sent',
      cause: why,
      cure: 'give a password: an empty one is never sent, as a directory takes it for nobody',
    }
  if (/locked/.test(why) || locked !== undefined)
    return {
      code: 'account-locked',
      cause: `${who} is locked${locked === undefined ? ' by too many wrong passwords' : `: ${locked}`}; the directory takes no password of it, right or wrong`,
      cure: 'unlock it in the directory, or wait; then look who keeps trying',
    }
  const [code] = /^\d+/.exec(why) ?? []
  if (code === '48')
    return {
      code: 'no-password',
      cause: `${dn} cannot sign in with a password: it has none, or the directory allows no simple bind`,
      cure: 'give the entry a password (userPassword) in the directory',
    }
  if (code === '53' || code === '19')
    return {
      code: 'unwilling',
      cause: `the directory does not let ${dn} sign in (${why}): mostly it is locked or disabled`,
      cure: 'look at the account in the directory',
    }
  return {
    code: 'account-wrong-password',
    cause: `the password is not that of ${dn} (${why})`,
    cure: 'type it once more; a directory may also say so of an account that is locked',
  }
}
