/**
 * The terms of a handshake, as written: floor, protocol versions, cipher suites, groups.
 */
import { z } from 'zod'

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
