/**
 * Who vouches for the holders of client certificates, as written: one realm, or a list, the first whose issuer fits.
 *
 * A modality's certificate must never inherit a person's groups: each realm takes the certificates of its own issuers,
 * and rules may ask for a realm by its name.
 */
import { z } from 'zod'
import { Name, oneOrMore, PersonName } from './scalars.ts'
import { type NamePattern, parseNamePattern } from './trust-only.ts'

export const certificateNames = ['commonName', 'email', 'upn', 'dns', 'uri', 'serial', 'fingerprint'] as const

/** SHA-256 of a whole certificate in any notation -> upper-case hex without colons; undefined: it is none. */
export function readFingerprint(text: string): string | undefined {
  const hex = text
    .replace(/^sha256:/i, '')
    .replace(/[:\s-]/g, '')
    .toUpperCase()
  return /^[0-9A-F]{64}$/.test(hex) ? hex : undefined
}

/** An authority: by its name (all of these attributes), or by its fingerprint. */
export type Issuer = { readonly name: NamePattern } | { readonly fingerprint: string }

const Issuer = z.string().transform((text, context): Issuer => {
  const wrong = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (/^sha256:/i.test(text)) {
    const fingerprint = readFingerprint(text)
    return fingerprint === undefined
      ? wrong(`"${text}" is no SHA-256 fingerprint (sha256: and 64 hex digits)`)
      : { fingerprint }
  }
  const name = parseNamePattern(text)
  return 'mistake' in name ? wrong(`"${text}" is no name of an authority: ${name.mistake}`) : { name }
})

const CertificateRealm = z
  .strictObject({
    /** What rules and the audit trail call it. */
    id: Name.refine(id => id !== 'directory' && id !== 'local', 'this is the name of another realm').optional(),
    issuers: z.array(Issuer).min(1).optional(),
    name: z.enum(certificateNames).default('commonName'),
    groups: z.array(PersonName).default([]),
    /** SHA-256 fingerprint -> name, for certificates trusted one by one. */
    people: z.record(z.string(), PersonName).default({}),
    /** Holders whose certificate an authority issued are looked up in the directory by that name. */
    directory: z.boolean().default(false),
  })
  .transform((realm, context) => {
    const people = new Map<string, string>()
    for (const [written, name] of Object.entries(realm.people)) {
      const fingerprint = readFingerprint(written)
      if (fingerprint !== undefined) people.set(fingerprint, name)
      else
        context.addIssue({
          code: 'custom',
          path: ['people', written],
          message: `"${written}" is no SHA-256 fingerprint (sha256: and 64 hex digits, as "sallyport certs show" prints)`,
        })
    }
    const { id = 'certificate', issuers, name, groups, directory } = realm
    return { id, issuers, name, groups, directory, people }
  })

export type CertificateRealm = z.output<typeof CertificateRealm>

/** Absent: every certificate that a listener trusts, by its common name, without groups. */
export const CertificateRealms = oneOrMore(CertificateRealm)
