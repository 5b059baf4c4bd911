/**
 * Our certificate and key, as written. Files are named here, not read.
 */
import { z } from 'zod'
import { type FileScalars, notYet } from './scalars.ts'

export const keystoreSection = ({ File, SecretRef }: FileScalars) =>
  z.strictObject(
    {
      /** PEM chain, PEM with the key in it (either order), or PKCS#12. */
      certificate: File,
      /** Absent: the certificate file holds it. */
      key: File.optional(),
      password: SecretRef.optional(),
      acme: notYet('acme'),
    },
    {
      error: issue =>
        Array.isArray(issue.input) ? 'several keystores, picked by SNI, are not built yet; name one' : undefined,
    },
  )

export type KeystoreSection = z.output<ReturnType<typeof keystoreSection>>
