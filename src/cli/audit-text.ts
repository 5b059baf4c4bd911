/**
 * An event of the audit trail as one line to read.
 *
 * Names, paths and titles in it come from outside, and the file itself may hold anything: nothing reaches a terminal as a
 * control character. An event of a kind that this version does not know is shown by the same rules.
 */
import type { AuditEvent } from '../audit/event.ts'
import { plain } from './certs-text.ts'

/** Every kind, in the words of the manual. */
export const eventWords: Readonly<Record<AuditEvent['kind'], string>> = {
  login: 'somebody signed in',
  logout: 'somebody signed out',
  'login-refused': 'a sign-in failed',
  denial: 'a request was turned away',
  'certificate-refused': 'a client certificate does not count',
  'access-ended': 'who was in is put out',
  study: 'first use of a study by a person within an hour',
  change: 'something was written',
  deletion: 'something was deleted',
  stream: 'a connection on a stream (DICOM) was let through',
  'stream-denial': 'and one that was not',
  start: 'the gateway was started',
  stop: 'the gateway was stopped',
  reload: 'the configuration was read again',
}

/** A line of the file, as far as it is known to be an object. */
export type Recorded = Readonly<Record<string, unknown>>

/** Undefined: not a whole line, or none of ours. */
export function readLine(line: string): Recorded | undefined {
  try {
    const value: unknown = JSON.parse(line)
    const isEvent = typeof value === 'object' && value !== null && 'kind' in value && 'time' in value
    return isEvent ? { ...value } : undefined
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Recorded => typeof value === 'object' && value !== null
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
export const partOf = (event: Recorded, name: string): Recorded => {
  const value = event[name]
  return isRecord(value) ? value : {}
}

const two = (number: number) => String(number).padStart(2, '0')

/** `2026-11-28 18:03:11 +01:00`: by the clock on the wall here, and which one that is. */
export function moment(time: unknown): string {
  const at = new Date(textOf(time))
  if (Number.isNaN(at.getTime())) return plain(textOf(time))
  const offset = -at.getTimezoneOffset()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${zone}`
}

/** What stands between the kind and the id. */
function parts(event: Recorded): string[] {
  const { who: someone, claimed, address, refused, stream, calling, called, study, reason, detail, leftOut } = event
  const [who, where] = [partOf(event, 'who'), partOf(event, 'where')]
  const said: string[] = []
  const say = (value: unknown, form: (text: string) => string = text => text) => {
    const text = plain(typeof value === 'number' ? String(value) : textOf(value))
    if (text !== '') said.push(form(text))
  }
  say(who['name'], name => `${name} (${plain(textOf(who['realm']))}, ${plain(textOf(who['proof']))})`)
  say(claimed, name => `who claims to be "${name}"`)
  if (someone === undefined && claimed === undefined && address !== undefined) said.push('nobody known')
  say(address, text => `from ${text}`)
  say(stream, text => `on stream ${text}`)
  say(calling, text => `as ${text}`)
  say(called, text => `to ${text}`)
  say(study, text => `study ${text}`)
  say(where['method'], method => `${method} ${plain(textOf(where['path']))} (${plain(textOf(where['route']))})`)
  say(refused, text => `not taken: ${text}`)
  say(reason, text => `- ${text}${detail === undefined ? '' : `: ${plain(textOf(detail))}`}`)
  say(leftOut, count => `(${count} more were left out)`)
  return said
}

export function eventLine(event: Recorded): string {
  const id = plain(textOf(event['id']))
  return [
    moment(event['time']),
    plain(textOf(event['kind'])).padEnd(19),
    ...parts(event),
    ...(id ? [`[${id}]`] : []),
  ].join(' ')
}

/** For a line that a crash or a full disk cut in two. */
export const brokenLine = (line: string): string =>
  `(not a whole line: ${plain(line.slice(0, 60))}${line.length > 60 ? ' …' : ''})`
