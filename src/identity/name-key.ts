/**
 * One text for all spellings of a name that some directory may take for the same person. For counting only.
 *
 * Not to forget: a spelling that is counted apart is a way to try an account more often than the directory bears before
 * it locks it. So this folds more than any directory does; two people who share a counter are the smaller harm.
 *
 * Source: RFC 4518 2 (NFKC, case, what maps to nothing, blanks); Active Directory also drops accents and widths.
 */
import { createHash } from 'node:crypto'

/** Of one length, whatever was typed. */
export function nameKey(name: string): string {
  const folded = name
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    // Up first: what is small in two ways (ſ, ς, ß) is one thing in capitals.
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[\p{M}\s]+/gu, mark => (/\s/.test(mark) ? ' ' : ''))
    .trim()
  return createHash('sha256').update(folded).digest('base64url').slice(0, 22)
}
