/**
 * The terms of a handshake, as written: floor, protocol versions, cipher suites, groups.
 *
 * What the words mean together is worked out in `tls/protocol-floor.ts`, which asks OpenSSL.
 */
import { z } from 'zod'
import { type ProtocolVersion, readProtocol } from './protocol.ts'

export const floorNames = [
  'mozilla-modern',
  'mozilla-intermediate',
  'mozilla-intermediate-5.7',
  'dicom-bcp195',
  'dicom-bcp195-modified',
  'ihe-atna',
  'mozilla-old',
] as const

export type FloorName = (typeof floorNames)[number]

const howToWrite = 'write a TLS version, for example 1.2 or tls1_3'

const Protocol = z.union([z.string(), z.number()], { error: howToWrite }).transform((written, context) => {
  const version = readProtocol(written)
  if (typeof version === 'string') return version
  context.addIssue({ code: 'custom', message: version.mistake })
  return z.NEVER
})

/** A list, or one text as IceSSL and nginx have it: `TLS1_2,TLS1_3`. */
const Protocols = z
  .union(
    [
      z.array(z.union([z.string(), z.number()])).min(1),
      z.number().transform(one => [one]),
      z.string().transform(text => text.split(/[,;\s]+/).filter(one => one !== '')),
    ],
    { error: `${howToWrite}, or a list of them` },
  )
  .transform((written: (string | number)[], context): readonly ProtocolVersion[] => {
    const versions = written.map(readProtocol)
    for (const version of versions)
      if (typeof version !== 'string') context.addIssue({ code: 'custom', message: version.mistake })
    if (written.length === 0) context.addIssue({ code: 'custom', message: `this is empty; ${howToWrite}` })
    return versions.filter(version => typeof version === 'string')
  })
  .meta({ description: 'The versions one by one; minimum and maximum narrow them further' })

const Floor = z
  .enum(floorNames, { error: ({ input }) => `no floor is called "${input}"; known: ${floorNames.join(', ')}` })
  .meta({ description: 'A published set of terms; the other keys override it' })

export const Terms = z.strictObject({
  floor: Floor.default('mozilla-intermediate'),
  protocols: Protocols.optional(),
  minimum: Protocol.optional(),
  maximum: Protocol.optional(),
  ciphers: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
      error: 'write an OpenSSL cipher string, or a list of names',
    })
    .meta({ description: 'An OpenSSL string, a family (AES256, AES_256), or a list of names, those of IANA too' })
    .optional(),
  groups: z
    .array(z.string().regex(/^[A-Za-z0-9_-]+$/))
    .min(1)
    .optional(),
})

export type Terms = z.output<typeof Terms>
