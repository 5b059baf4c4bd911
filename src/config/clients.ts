/**
 * Which client certificates a listener asks for, and whom it believes, as written.
 */
import { z } from 'zod'
import { type FileScalars, notYet } from './scalars.ts'

export const clientsSection = ({ File }: FileScalars) =>
  z
    .strictObject({
      certificate: z.enum(['none', 'optional', 'required']),
      truststore: File.optional(),
      revocation: notYet('revocation'),
      depth: notYet('depth'),
      only: notYet('only'),
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
    })

export type ClientsSection = z.output<ReturnType<typeof clientsSection>>
