/**
 * Facts of a principal, a time, a span, in words for a person.
 *
 * Not to forget: people and groups of others are named nowhere; what is said here is about the reader.
 */
import type { Principal, Proof } from '../identity/principal.ts'

const realms: Record<Principal['realm'], string> = {
  certificate: 'certificate',
  directory: 'directory account',
  local: 'local account',
}

const proofs: Record<Proof['kind'], string> = {
  certificate: 'client certificate',
  password: 'name and password',
  session: 'name and password',
}

/** "alice (directory account)" */
export const whoText = ({ name, realm }: Principal): string => `${name} (${realms[realm]})`

export const proofText = ({ proof }: Principal): string => proofs[proof.kind]

export function groupsText({ groups }: Principal): string {
  return groups.size === 0 ? 'none' : [...groups].toSorted((a, b) => a.localeCompare(b)).join(', ')
}

/** "a, b or c" */
export const either = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`

const clockFormat = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
})

/** "22 Nov, 17:58 UTC", in the time zone of the gateway. */
export const timeText = (moment: number): string => clockFormat.format(moment)

/** "3 h 20 min"; less than a minute is "less than a minute". */
export function spanText(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000)
  if (minutes < 1) return 'less than a minute'
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours >= 48) return `${Math.floor(hours / 24)} days`
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
}
