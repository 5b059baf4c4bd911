/**
 * Fingerprints that a server may have, as an operator writes them. Text in, data out; tls/pins.ts compares.
 *
 * Of a certificate: SHA-1 or SHA-256 in hex, with colons, blanks or hyphens or without, in any case. Of its public key
 * (it outlives a renewal): `spki-sha256:` with base64 or hex, or `sha256/` with base64 as curl and browsers write it.
 * Not to forget: `sha256:` and `sha256/` differ, so base64 behind a colon is asked back and never guessed.
 *
 * Source: Check Point `api fingerprint` (SHA-1 with colons), RFC 7469 2.4 (pin-sha256), curl --pinnedpubkey.
 */
import { z } from 'zod'
import type { Mistake } from './trust-only.ts'

export type PinKind = 'sha1' | 'sha256' | 'spki-sha256'

export interface Pin {
  readonly kind: PinKind
  /** Lower-case hex. */
  readonly digest: string
  /** What stands before the digest, as written. */
  readonly label: string
  /** The digest as written: so is another one shown beside it. */
  readonly written: string
  readonly form: 'hex' | 'base64'
}

const shapes = 'write sha256:AB:CD:… (of the certificate) or spki-sha256:… (of its key)'

export function parsePin(text: string): Pin | Mistake {
  const trimmed = text.trim()
  const [, label = '', name = '', mark = '', written = ''] =
    /^((spki-sha-?256|sha-?256|sha-?1)(:|\/{1,2}) *)?(.*)$/is.exec(trimmed) ?? []
  const stated = name.toLowerCase().replace('sha-', 'sha')
  const compact = written.replace(/[:\s-]/g, '').toLowerCase()
  const wrong = (why: string): Mistake => ({ mistake: `"${trimmed}" is no fingerprint: ${why}; ${shapes}` })

  if (/^[0-9a-f]+$/.test(compact) && (compact.length === 40 || compact.length === 64)) {
    const kind = compact.length === 40 ? 'sha1' : stated === 'spki-sha256' ? stated : 'sha256'
    if (stated !== '' && kind !== stated)
      return wrong(`${compact.length} hex digits are ${compact.length === 40 ? 'SHA-1' : 'SHA-256'}`)
    return { kind, digest: compact, label, written, form: 'hex' }
  }
  const key = Buffer.from(written, 'base64')
  if (/^[A-Za-z0-9+/]{43}=?$/.test(written) && key.toString('base64').startsWith(written)) {
    if (stated === 'spki-sha256' || (stated === 'sha256' && mark !== ':'))
      return { kind: 'spki-sha256', digest: key.toString('hex'), label, written, form: 'base64' }
    return wrong('base64 is the form of a key; say so with spki-sha256:')
  }
  if (/^[0-9a-f]{32}$/.test(compact)) return wrong('32 hex digits are MD5, which is broken')
  if (/^[0-9a-f]+$/.test(compact)) return wrong(`it has ${compact.length} hex digits; SHA-256 has 64, SHA-1 has 40`)
  return wrong('it is neither hex nor base64')
}

/** For the schema; its output is what parsePin gives. */
export const PinRule = z
  .string({ error: shapes })
  .transform((text, context): Pin => {
    const read = parsePin(text)
    if (!('mistake' in read)) return read
    context.addIssue({ code: 'custom', message: read.mistake })
    return z.NEVER
  })
  .meta({
    description: 'A fingerprint: sha256:… or sha1:… of the certificate, spki-sha256:… of its key',
    examples: ['sha256:AB:CD:EF', 'spki-sha256:AAAA='],
  })
