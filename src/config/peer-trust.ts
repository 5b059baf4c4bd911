/**
 * How a server that we call is judged, as written. Files are named here, not read.
 */
import { z } from 'zod'
import { type FileScalars, notYet } from './scalars.ts'

/** How an upstream or a directory with TLS is trusted. Absent `ca`: the platform's authorities. */
export const peerTrustSection = ({ File, SecretRef }: FileScalars) =>
  z
    .strictObject({
      ca: File.optional(),
      platformCas: z.boolean().optional(),
      certificate: File.optional(),
      key: File.optional(),
      password: SecretRef.optional(),
      /** Expected name, if it is not the host of the URL. */
      name: z.string().min(1).optional(),
      checkName: z.boolean().default(true),
      pins: notYet('pins'),
      only: notYet('only'),
      depth: notYet('depth'),
    })
    .superRefine((tls, context) => {
      if (tls.ca !== undefined && tls.platformCas === true) {
        context.addIssue({ code: 'custom', path: ['platformCas'], message: 'name either ca or platformCas: true' })
      }
      if (tls.ca === undefined && tls.platformCas === false) {
        context.addIssue({
          code: 'custom',
          path: ['platformCas'],
          message: 'without platform authorities a ca is needed',
        })
      }
      if (tls.certificate === undefined && (tls.key !== undefined || tls.password !== undefined)) {
        context.addIssue({ code: 'custom', path: ['certificate'], message: 'a key needs its certificate' })
      }
    })

export type PeerTrustSection = z.output<ReturnType<typeof peerTrustSection>>
