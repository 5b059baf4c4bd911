/**
 * What a directory says beside "right" and "wrong" when a password is checked: expired, to be changed, ending soon.
 *
 * From the password policy control, and from the data codes that Active Directory writes into its messages. Not to
 * forget: `expired` and `must-change` are said of a right password only, so the person may be told; that an account is
 * locked is said of a wrong one too, so it looks like any other refusal.
 *
 * Source: draft-behera-ldap-password-policy-10 6.2, 8.1; Microsoft "LDAP bind errors" (data codes in messages of code 49).
 */
import type { PasswordAnswer, PasswordNotice } from './person.ts'
import type { BindAnswer } from './servers.ts'

export const passwordPolicyControl = '1.3.6.1.4.1.42.2.27.8.5.1'

/** passwordExpired, accountLocked, changeAfterReset: the errors that a bind can bring. The others are of a change. */
const errors: Readonly<Record<number, string>> = { 0: 'password expired', 1: 'account locked', 2: 'must be changed' }

interface PolicyResponse extends PasswordNotice {
  readonly error?: number
}

/** Undefined: it is built otherwise than the draft says, and tells nothing. */
export function readPolicyResponse(value: Buffer): PolicyResponse | undefined {
  const whole = partsOf(value)
  const [sequence, ...none] = whole ?? []
  if (sequence?.tag !== 0x30 || none.length > 0) return undefined
  let response: PolicyResponse = {}
  for (const part of partsOf(sequence.content) ?? [{ tag: 0, content: value }]) {
    if (part.tag === 0xa0) {
      const [warning] = partsOf(part.content) ?? []
      const number = warning && numberOf(warning.content)
      if (number === undefined) return undefined
      response = { ...response, ...(warning?.tag === 0x80 ? { expiresIn: number } : { graceLeft: number }) }
    } else if (part.tag === 0x81) {
      const error = numberOf(part.content)
      if (error === undefined) return undefined
      response = { ...response, error }
    } else return undefined
  }
  return response
}

interface Part {
  readonly tag: number
  readonly content: Buffer
}

/** Short lengths only: the whole response takes twenty bytes. */
function partsOf(bytes: Buffer): Part[] | undefined {
  const parts: Part[] = []
  for (let at = 0; at < bytes.length; ) {
    const [tag = 0, length = 0x80] = bytes.subarray(at, at + 2)
    const end = at + 2 + length
    if (length > 0x7f || end > bytes.length) return undefined
    parts.push({ tag, content: bytes.subarray(at + 2, end) })
    at = end
  }
  return parts
}

const numberOf = (content: Buffer): number | undefined =>
  content.length >= 1 && content.length <= 6 && (content[0] ?? 0) < 0x80
    ? content.readUIntBE(0, content.length)
    : undefined

/** What the answer to a bind means for the person. */
export function passwordAnswer(answer: BindAnswer): PasswordAnswer {
  const control = answer.controls.find(({ oid }) => oid === passwordPolicyControl)
  const { error, ...notice } = (control && readPolicyResponse(control.value)) ?? {}
  if (answer.right) {
    // The password is right, and good for nothing but to be changed.
    if (error === 2) return { right: false, reason: 'must-change', why: 'must be changed (password policy)' }
    return { right: true, ...(Object.keys(notice).length === 0 ? {} : { notice }) }
  }
  const [, data] = /\bdata ([0-9a-f]{3,4})\b/i.exec(answer.message) ?? []
  const said = error === undefined ? '' : ` (password policy: ${errors[error] ?? `error ${error}`})`
  const reason = error === 0 || data === '532' ? 'expired' : error === 2 || data === '773' ? 'must-change' : 'wrong'
  return { right: false, reason, why: `${answer.why}${said}` }
}
