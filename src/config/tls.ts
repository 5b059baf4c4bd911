/**
 * The terms of a handshake, as written: floor, keystore, truststore. Files are named here, not read.
 */
import { z } from 'zod'
import type { FileScalars } from './scalars.ts'
import { notYet } from './scalars.ts'

export const floorNames = ['mozilla-modern', 'mozilla-intermediate'] as const
const laterFloors = ['dicom-bcp195', 'dicom-bcp195-modified', 'ihe-atna', 'mozilla-old']

export type ProtocolVersion = 'TLSv1.2' | 'TLSv1.3'

/** Any dialect: tls1_2 (IceSSL), TLSv1.2 (nginx, Node), 1.2. Older versions are refused by name. */
const Protocol = z.union([z.string(), z.number()]).transform((written, context): ProtocolVersion => {
  const plain = String(written)
    .toLowerCase()
    .replace(/^tlsv?_?/, '')
    .replace('_', '.')
  if (plain === '1.2') return 'TLSv1.2'
  if (plain === '1.3') return 'TLSv1.3'
  const message = ['1', '1.0', '1.1'].includes(plain)
    ? `"${written}" is broken and refused (RFC 8996); write 1.2 or 1.3`
    : `"${written}" is no TLS version; write 1.2 or 1.3`
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})

const Floor = z.enum(floorNames, {
  error: issue =>
    laterFloors.includes(String(issue.input))
      ? `the floor ${issue.input} is not built yet; known: ${floorNames.join(', ')}`
      : `no floor is called "${issue.input}"; known: ${floorNames.join(', ')}`,
})

/** `ciphers` are those of TLS 1.2; the suites of TLS 1.3 belong to the floor. */
export const Terms = z.strictObject({
  floor: Floor.default('mozilla-intermediate'),
  minimum: Protocol.optional(),
  maximum: Protocol.optional(),
  ciphers: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  groups: z
    .array(z.string().regex(/^[A-Za-z0-9_-]+$/))
    .min(1)
    .optional(),
})

export type Terms = z.output<typeof Terms>

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
