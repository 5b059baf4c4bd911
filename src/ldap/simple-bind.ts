/**
 * A name and a password put to a directory: what may be sent at all, and what came back, controls included.
 *
 * Not to forget: a name without a password is a bind that every directory accepts and that proves nobody (RFC 4513
 * 5.1.2), and the words EXTERNAL or PLAIN in place of a name are another way to sign in for many libraries. Neither is
 * ever sent for a person.
 *
 * Source: RFC 4511 4.2, RFC 4513 5.1; CVE-2026-41720 (the empty password of Spring LDAP).
 */
import { BindRequest, PasswordPolicyControl } from 'ldapts'
import type { Conversation } from './conversation.ts'
import type { Result } from './response.ts'

/** Bytes of an answer to a bind: a result and a few controls. */
const mostBytes = 64 * 1024

/** Why these must not be sent; undefined: they may. */
export function unsendable(name: string, password: string): string | undefined {
  if (password.trim() === '' || password.includes('\0')) return 'not sent: an empty password'
  // The name of an entry (RFC 4514 3), or one with a domain behind it, as Active Directory takes it.
  if (name.includes('\0') || !/^\s*(?:[a-z][a-z0-9-]*|\d+(?:\.\d+)*)\s*=|^[^\s@]+@[^\s@]+$/i.test(name))
    return `not sent: ${JSON.stringify(name.slice(0, 80))} is no name of an entry`
  return undefined
}

export interface Bind {
  readonly name: string
  readonly password: string
  /** Asks for what the password policy says of it. */
  readonly policy: boolean
  /** Milliseconds. */
  readonly timeout: number
}

/** The result, whatever it is; rejects only if none comes. */
export async function bindOver(conversation: Conversation, { name, password, policy, timeout }: Bind): Promise<Result> {
  let result: Result | undefined
  await conversation.ask({
    // Always simple: without a mechanism ldapts writes no SASL, whatever the name.
    write: messageId =>
      new BindRequest({ messageId, dn: name, password, controls: policy ? [new PasswordPolicyControl()] : [] }).write(),
    take: response => {
      if (response.kind !== 'bind') throw new Error('the directory answered a bind with something else')
      result = response.result
      return true
    },
    within: timeout,
    budget: { bytes: mostBytes },
  })
  if (result === undefined) throw new TypeError('an answer ended without a result')
  return result
}
