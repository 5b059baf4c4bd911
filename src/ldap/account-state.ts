/**
 * What an entry says of whether its person may come in at all. Needed where no bind tells: holders of certificates, and
 * sessions that are looked at again.
 *
 *   closed   disabled or expired: stays so until somebody changes it
 *   locked   by failed tries: passes by itself in many directories, which a right password finds out and an entry does not
 *
 * What cannot be read is taken for closed.
 *
 * Source: MS-ADTS 2.2.16 (userAccountControl), 3.1.1.4.5.17 (its computed twin); draft-behera-ldap-password-policy-10
 * 5.3; slapo-ppolicy(5); 389 Directory Server nsAccountLock.
 */
import { fileTime } from './active-directory.ts'
import { type Entry, valuesOf } from './entry.ts'

/** Asked for by name: most of them are operational. A directory passes over those that it does not know. */
export const stateAttributes = [
  'userAccountControl',
  'msDS-User-Account-Control-Computed',
  'accountExpires',
  'pwdAccountLockedTime',
  'pwdStartTime',
  'pwdEndTime',
  'nsAccountLock',
] as const

const disabledBit = 0x2
const lockedBit = 0x10

type Attributes = Pick<Entry, 'attributes'>

/** Why nobody may come in as this entry; undefined: nothing speaks against it. @param now  milliseconds since 1970 */
export function closedReason(entry: Attributes, now: number): string | undefined {
  const one = (name: string) => valuesOf(entry, name)[0]
  const control = one('userAccountControl')
  if (control !== undefined) {
    const bits = controlBits(control)
    if (bits === undefined) return 'its userAccountControl cannot be read'
    if ((bits & disabledBit) !== 0) return 'disabled (userAccountControl)'
  }
  const expires = one('accountExpires')
  if (expires !== undefined) {
    if (!/^\d{1,19}$/.test(expires)) return 'its accountExpires cannot be read'
    const end = fileTime(expires)
    if (end !== undefined && end <= now) return `expired on ${dateText(end)} (accountExpires)`
  }
  if (/^true$/i.test(one('nsAccountLock') ?? '')) return 'disabled (nsAccountLock)'
  // The draft's own sign for a lock that only an administrator takes away.
  if (one('pwdAccountLockedTime')?.startsWith('00000101') === true) return 'locked for good (pwdAccountLockedTime)'
  for (const [name, isOutside] of [
    ['pwdStartTime', (at: number) => now < at],
    ['pwdEndTime', (at: number) => now >= at],
  ] as const) {
    const text = one(name)
    if (text === undefined) continue
    const at = generalizedTime(text)
    if (at === undefined) return `its ${name} cannot be read`
    if (isOutside(at)) return `not usable at this time (${name} ${dateText(at)})`
  }
  return undefined
}

/** Why the entry is locked by failed tries; undefined: it is not. */
export function lockedReason(entry: Attributes): string | undefined {
  const computed = valuesOf(entry, 'msDS-User-Account-Control-Computed')[0]
  const control = valuesOf(entry, 'userAccountControl')[0]
  const isLocked = [computed, control].some(bits => bits !== undefined && ((controlBits(bits) ?? 0) & lockedBit) !== 0)
  if (isLocked) return 'locked (userAccountControl)'
  const at = valuesOf(entry, 'pwdAccountLockedTime')[0]
  return at === undefined ? undefined : `locked since ${at} (pwdAccountLockedTime)`
}

/** A signed number of 32 bits, as text. */
const controlBits = (text: string): number | undefined => (/^-?\d{1,10}$/.test(text) ? Number(text) | 0 : undefined)

const dateText = (at: number): string => {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? 'an impossible date' : date.toISOString()
}

/** Milliseconds since 1970; undefined: no such time, or one without zone. Source: RFC 4517 3.3.13. */
export function generalizedTime(text: string): number | undefined {
  const [, year, month, day, hour, minute = '00', second = '00', fraction = '0', zone = ''] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(?:[.,](\d{1,9}))?(Z|[+-]\d\d(?:\d\d)?)$/.exec(text) ?? []
  if (year === undefined) return undefined
  const offset = zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3) || '00'}`
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3)}${offset}`)
  return Number.isNaN(at) ? undefined : at
}
