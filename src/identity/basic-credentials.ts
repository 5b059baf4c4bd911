/**
 * Authorization: Basic, for scripts. Verified once, then remembered for a minute under a keyed hash.
 *
 * Scripts send the password with every request; asking the directory each time would make it our slowest part. Only what
 * was proven is remembered, never the password, and an account that has changed since is asked again at once.
 *
 * Source: RFC 7617 2 (UTF-8, no colon in the name, no control characters), RFC 9110 11.4.
 */
import type { Clock } from '../kernel/clock.ts'
import { after, type Eventually } from '../kernel/eventually.ts'
import { Fault } from '../kernel/fault.ts'
import { type HeaderList, soleHeader } from '../listener/exchange.ts'
import { type Answer, absent, type Refused, refused } from './answer.ts'
import { createCredentialKey } from './credential-key.ts'
import type { PasswordCheck, ProvenPassword } from './password-realms.ts'
import { isUnchanged, type Standing, standingThen } from './standing.ts'

/** Faults are those of PasswordCheck, and Fault('state-unavailable'). */
export type BasicCheck = (headers: HeaderList, address: string) => Eventually<Answer>

export interface BasicOptions {
  readonly passwords: PasswordCheck
  readonly standing: Standing
  readonly clock: Clock
  /** Whether it is not known for too long who was locked elsewhere. Absent: it is always known. */
  readonly isStale?: () => boolean
  /** Milliseconds; absent: a minute. */
  readonly remember?: number
  /** Entries; absent: 10 000. The one not used for longest goes first. */
  readonly capacity?: number
}

/** Bytes of the header's value; more is no name and password. */
const longestHeader = 8192

interface Remembered {
  readonly answer: ProvenPassword
  readonly at: number
}

export function createBasicCheck({
  passwords,
  standing,
  clock,
  isStale = () => false,
  remember = 60_000,
  capacity = 10_000,
}: BasicOptions): BasicCheck {
  const keyOf = createCredentialKey()
  const remembered = new Map<string, Remembered>()

  function recall(hash: string): Answer | undefined {
    const entry = remembered.get(hash)
    if (entry === undefined) return undefined
    remembered.delete(hash)
    const age = clock.now() - entry.at
    // A clock that was set back must not make a minute longer.
    if (age < 0 || age >= remember) return undefined
    const { principal } = entry.answer
    if (!isUnchanged(standingThen(principal), standing(principal.name))) return undefined
    remembered.set(hash, entry)
    return entry.answer
  }

  return (headers, address) => {
    const credentials = readBasic(headers)
    if (credentials === undefined) return absent
    if ('kind' in credentials) return credentials
    if (isStale()) throw new Fault('state-unavailable', { about: 'the state has been away for too long' })
    const { name, password } = credentials
    const hash = keyOf(name, password)
    const known = recall(hash)
    if (known !== undefined) return known

    return after(passwords.verify(name, password, address), answer => {
      if (answer.kind === 'proven') {
        remembered.delete(hash)
        remembered.set(hash, { answer, at: clock.now() })
        const [oldest] = remembered.keys()
        if (remembered.size > capacity && oldest !== undefined) remembered.delete(oldest)
      }
      return answer
    })
  }
}

export interface Credentials {
  readonly name: string
  readonly password: string
}

const malformed = (detail: string): Refused => refused('malformed-credentials', detail)

/** Undefined: no Authorization, or one of another scheme. */
export function readBasic(headers: HeaderList): Credentials | Refused | undefined {
  const value = soleHeader(headers, 'authorization')
  if (value === undefined) return undefined
  if (value === null) return malformed('Authorization came more than once')
  if (!/^basic(?: |$)/i.test(value)) return undefined
  if (value.length > longestHeader) return malformed('Authorization is longer than a name and a password')
  const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(value) ?? []
  if (encoded === undefined) return malformed('Basic without base64')
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  if (!Buffer.from(text, 'utf8').equals(bytes)) return malformed('Basic is not UTF-8')
  const colon = text.indexOf(':')
  if (colon < 0) return malformed('Basic without a colon')
  if (/\p{Cc}/u.test(text)) return malformed('Basic with control characters')
  return { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
