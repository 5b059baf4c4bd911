/**
 * Which AE titles the holder of a certificate may call itself by.
 *
 * The certificate has been verified and its holder admitted before this is asked. Titles are compared exactly, as
 * PS3.5 6.2 has them; whoever is named nowhere has none.
 */
import type { X509Certificate } from 'node:crypto'
import type { TitleRule } from '../config/stream.ts'
import { nameFits, nameText, subjectAttributes } from '../tls/name-match.ts'
import { fingerprintOf } from '../tls/truststore.ts'

/** @returns undefined when the title is its own; else why not, for the audit trail */
export function foreignTitle(
  rules: readonly TitleRule[],
  certificate: X509Certificate | undefined,
  calling: string,
): string | undefined {
  if (certificate === undefined) return `nobody may call itself ${calling} without a certificate`
  const subject = subjectAttributes(certificate.raw)
  const fingerprint = fingerprintOf(certificate)
  const titles = rules
    .filter(({ holder }) => ('name' in holder ? nameFits(holder.name, subject) : holder.fingerprint === fingerprint))
    .flatMap(rule => rule.titles)
  if (titles.includes(calling)) return undefined
  const own = titles.length === 0 ? 'none is named for it' : `its own: ${titles.join(', ')}`
  return `${nameText(subject)} called itself ${calling}; ${own}`
}
