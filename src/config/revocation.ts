/**
 * Where the revocation lists of a listener come from, as written. Files are named here, not read.
 */
import { z } from 'zod'
import { Duration, type FileScalars } from './scalars.ts'

/** One list: a file, or an address that it is fetched from. */
export type RevocationSource = { readonly file: string } | { readonly url: string }

const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i

export const revocationSection = ({ File }: FileScalars) => {
  const Source = z
    .string({ error: 'write the path of a list, or its http:// or https:// address' })
    .min(1)
    .transform((written, context): RevocationSource => {
      if (!hasScheme.test(written)) return { file: File.parse(written) }
      const url = URL.canParse(written) ? new URL(written) : undefined
      // What stands before an @ may be a password.
      const shown = written.includes('@') ? 'this address' : `"${written}"`
      const mistake =
        url === undefined
          ? `${shown} is not an address`
          : url.protocol !== 'http:' && url.protocol !== 'https:'
            ? `lists are fetched over http:// or https:// only, not ${url.protocol}//`
            : url.username !== '' || url.password !== ''
              ? 'a secret is never written here; lists are public, fetch them without a password'
              : url.hash !== ''
                ? `${shown} must not hold a #`
                : undefined
      if (url !== undefined && mistake === undefined) return { url: url.href }
      context.addIssue({ code: 'custom', message: mistake ?? 'not an address' })
      return z.NEVER
    })
    .meta({ description: 'A path, relative to this file, or an http:// or https:// address' })

  return z.strictObject({
    /** PEM (several in one file too) or DER. */
    lists: z.array(Source, { error: 'write a list: [certs/crl.pem, http://pki.example.org/ca.crl]' }).min(1),
    refresh: Duration.refine(span => span >= 1_000, 'at least 1 s')
      .default(3_600_000)
      .meta({
        description:
          'How often lists are read and fetched again; sooner where one is about to end. Default 1 h: a list is issued for days',
      }),
    whenStale: z.enum(['refuse', 'accept']).default('refuse').meta({
      description:
        'What becomes of a certificate when no list of its issuer is there, or the newest one has ended. accept lets revoked certificates in while that lasts; what a list names stays refused even then',
    }),
  })
}

export type RevocationSection = z.output<ReturnType<typeof revocationSection>>
