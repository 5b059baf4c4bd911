/**
 * How a server that we call is judged, as written. Files are named here, not read.
 *
 * Not to forget: `ca` or the platform's authorities say who may vouch for it. Pins alone stand in their place, so that
 * a self-signed certificate will do; pins beside one of them come on top.
 */
import { z } from 'zod'
import { PinRule } from './pins.ts'
import type { FileScalars } from './scalars.ts'
import { TrustOnlyRules } from './trust-only.ts'

/** How an upstream or a directory with TLS is trusted. Absent `ca` and `pins`: the platform's authorities. */
export const peerTrustSection = ({ File, SecretRef }: FileScalars) =>
  z
    .strictObject({
      /** One or more authorities, or the certificate of the server itself. */
      ca: File.optional(),
      platformCas: z.boolean().optional(),
      certificate: File.optional(),
      key: File.optional(),
      password: SecretRef.optional(),
      /** Expected name, if it is not the host of the URL. */
      name: z
        .string()
        .regex(/^[\x21-\x7e]{1,253}$/, 'write a host name or an address, as it stands in the certificate')
        .optional(),
      /** Absent: yes, unless pins alone say which certificate it is. */
      checkName: z.boolean().optional(),
      /** One of them must fit. */
      pins: z.array(PinRule).min(1, 'name a fingerprint; or leave the key out').optional(),
      only: TrustOnlyRules.optional(),
      /** Certificates in the chain, the server's own included; 0: no limit. */
      depth: z.int().min(0).max(100).default(0),
    })
    .superRefine((tls, context) => {
      const refuse = (key: keyof typeof tls, message: string) =>
        context.addIssue({ code: 'custom', path: [key], message })
      if (tls.ca !== undefined && tls.platformCas === true) refuse('platformCas', 'name either ca or platformCas: true')
      if (tls.ca === undefined && tls.platformCas === false && tls.pins === undefined)
        refuse('platformCas', 'without platform authorities a ca or pins are needed')
      if (tls.depth > 0 && !endsAtAuthority(tls))
        refuse(
          'depth',
          'pins alone verify no chain that could be counted; add ca or platformCas: true, or leave depth out',
        )
      if (tls.certificate === undefined && (tls.key !== undefined || tls.password !== undefined))
        refuse('certificate', 'a key needs its certificate')
    })

export type PeerTrustSection = z.output<ReturnType<typeof peerTrustSection>>

/** Whether the chain must end at an authority; else the pins stand for one. */
export const endsAtAuthority = ({
  ca,
  platformCas,
  pins,
}: Pick<PeerTrustSection, 'ca' | 'platformCas' | 'pins'>): boolean =>
  ca !== undefined || platformCas === true || pins === undefined
