/**
 * Which client certificates a listener asks for, and whom it believes, as written.
 */
import { z } from 'zod'
import { revocationSection } from './revocation.ts'
import type { FileScalars } from './scalars.ts'
import { TrustOnlyRules } from './trust-only.ts'

export const clientsSection = (scalars: FileScalars) =>
  z
    .strictObject({
      certificate: z.enum(['none', 'optional', 'required']),
      truststore: scalars.File.optional(),
      revocation: revocationSection(scalars).optional(),
      /** Certificates in the chain, the client's own included, as IceSSL counts them; 0: no limit. */
      depth: z.int().min(0).max(100).default(0),
      only: TrustOnlyRules.optional(),
    })
    .superRefine((clients, context) => {
      if (clients.certificate !== 'none' && clients.truststore === undefined) {
        context.addIssue({
          code: 'custom',
          path: ['truststore'],
          message: 'client certificates need a truststore: whom to believe',
        })
      }
      if (clients.certificate === 'none' && clients.truststore !== undefined) {
        context.addIssue({
          code: 'custom',
          path: ['truststore'],
          message: 'this truststore would never be asked: certificate is "none"',
        })
      }
      for (const key of ['revocation', 'only'] as const) {
        if (clients.certificate !== 'none' || clients[key] === undefined) continue
        context.addIssue({ code: 'custom', path: [key], message: `${key} would never be asked: certificate is "none"` })
      }
    })

export type ClientsSection = z.output<ReturnType<typeof clientsSection>>
