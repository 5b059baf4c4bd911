/**
 * Our certificate and key, as written: files, named here and not read, or an ACME authority that gives them.
 */
import { z } from 'zod'
import { type AcmeSection, acmeSection } from './acme.ts'
import type { FileScalars, SecretPlace } from './scalars.ts'

export interface FileKeystoreSection {
  readonly kind: 'files'
  readonly certificate: string
  readonly key: string | undefined
  readonly password: SecretPlace | undefined
}

export interface AcmeKeystoreSection extends AcmeSection {
  readonly kind: 'acme'
}

export type KeystoreSection = FileKeystoreSection | AcmeKeystoreSection

export const keystoreSection = (scalars: FileScalars) =>
  z
    .strictObject({
      /** PEM chain, PEM with the key in it (either order), or PKCS#12. */
      certificate: scalars.File.optional(),
      /** Absent: the certificate file holds it. */
      key: scalars.File.optional(),
      password: scalars.SecretRef.optional(),
      acme: acmeSection(scalars).optional(),
    })
    .transform((keystore, context): KeystoreSection => {
      const { certificate, key, password, acme } = keystore
      if (acme !== undefined) {
        for (const name of ['certificate', 'key', 'password'] as const) {
          if (keystore[name] === undefined) continue
          const message = `with acme the certificate and its key come from the authority; leave ${name} out`
          context.addIssue({ code: 'custom', path: [name], message })
        }
        return { kind: 'acme', ...acme }
      }
      if (certificate === undefined) {
        const message = '"certificate" is missing; write the path of a file, or acme: for one that renews itself'
        context.addIssue({ code: 'custom', path: ['certificate'], message })
        return z.NEVER
      }
      return { kind: 'files', certificate, key, password }
    })
