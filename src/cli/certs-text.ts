/**
 * The facts of certificates as lines for people to read and compare.
 *
 * Names are escaped already where they come from (issuer/distinguished-name.ts); alternative names are escaped here,
 * because a certificate of a stranger may hold anything.
 */
import type { CertificateFacts } from '../issuer/describe.ts'

const day = 86_400_000

/** Days until the end, rounded; negative once it is over. */
export const daysLeft = ({ notAfter }: Pick<CertificateFacts, 'notAfter'>, now = Date.now()): number =>
  Math.round((notAfter.getTime() - now) / day)

const instant = (date: Date) => `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
const count = (number: number, unit: string) => `${number} ${unit}${number === 1 ? '' : 's'}`
const spanText = (span: number) =>
  span < 2 * day ? count(Math.round(span / 3_600_000), 'hour') : count(Math.round(span / day), 'day')

export function validText(facts: Pick<CertificateFacts, 'notBefore' | 'notAfter'>, now = Date.now()): string {
  const span = `${instant(facts.notBefore)} to ${instant(facts.notAfter)}`
  const left = facts.notAfter.getTime() - now
  if (left <= 0) return `${span} (EXPIRED ${spanText(-left)} ago)`
  if (facts.notBefore.getTime() > now) return `${span} (NOT VALID YET)`
  return `${span} (${spanText(left)} left)`
}

export function factLines(facts: CertificateFacts): string[] {
  const { key } = facts
  const names = [
    ...facts.dns.map(name => `DNS ${name}`),
    ...facts.addresses.map(name => `IP ${name}`),
    ...facts.emails.map(name => `e-mail ${name}`),
    ...facts.uris.map(name => `URI ${name}`),
    ...facts.upns.map(name => `UPN ${name}`),
  ]
  return [
    `  names    ${names.length === 0 ? 'none' : names.map(plain).join(', ')}`,
    `  valid    ${validText(facts)}`,
    `  issuer   ${facts.issuer}${facts.issuer === facts.subject ? ' (itself)' : ''}`,
    `  serial   ${facts.serial}`,
    `  key      ${[key.type, key.curve, key.bits === undefined ? undefined : `${key.bits} bits`].filter(Boolean).join(', ')}`,
    `  use      ${facts.isAuthority ? 'authority: signs certificates' : facts.purposes.join(', ') || 'any'}`,
    `  SHA-1    ${facts.sha1}`,
    `  SHA-256  ${facts.sha256}`,
    `  SPKI pin ${facts.pin}`,
  ]
}

/** From the leaf upwards, as far as the certificates at hand lead. By name only: no signature is checked. */
export function chainOf(all: readonly CertificateFacts[]): CertificateFacts[] {
  const leaf = all.find(one => !all.some(other => other !== one && other.issuer === one.subject)) ?? all[0]
  const chain: CertificateFacts[] = []
  for (let at = leaf; at !== undefined && !chain.includes(at); ) {
    chain.push(at)
    const { issuer } = at
    at = all.find(one => one.subject === issuer)
  }
  return chain
}

export function chainText(chain: readonly CertificateFacts[]): string {
  const last = chain.at(-1)
  if (last === undefined) return 'none'
  const ends = last.subject === last.issuer ? [] : [`${last.issuer} (not in the file)`]
  return [...chain.map(({ subject }) => subject || '(no subject)'), ...ends].join(' <- ')
}

/** For names that others chose: nothing in them reaches a terminal as a control character. */
export const plain = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, mark => `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`)
