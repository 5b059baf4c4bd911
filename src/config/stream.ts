/**
 * A stream, as written: TLS ends at the gate and the bytes go on over TCP, of a DICOM node or of any protocol.
 *
 * `access` has no default: a door is opened by name only. On a stream somebody is let in or is not, so its rules know no
 * `may`; and nothing but a certificate can prove who it is.
 *
 * Source: DICOM PS3.8 9.1.4 (ARTIM timer), PS3.5 6.2 (AE); PS3.15 B.12 (port 2762); OMERO glacier2 (ssl port 4064).
 */
import { z } from 'zod'
import { readFingerprint } from './certificate-realm.ts'
import { clientsSection } from './clients.ts'
import { keystoreSection } from './keystore.ts'
import { ProxyProtocol, perAddressText } from './listener.ts'
import { Bind, Duration, type FileScalars, Name, oneOrMore, PersonName } from './scalars.ts'
import { Terms } from './terms.ts'
import { type NamePattern, parseNamePattern } from './trust-only.ts'

const onRoutesOnly = (key: string) =>
  z.undefined({ error: `a stream is open to somebody or it is not; "${key}" belongs to routes` }).optional()

const StreamRule = z
  .strictObject({
    groups: z.array(PersonName).min(1).optional(),
    people: z.array(PersonName).min(1).optional(),
    realms: z.array(Name).min(1).optional(),
    /** Nothing else can come by a stream; taken, so that a rule may be copied from a route. */
    proof: z
      .array(z.literal('certificate', { error: 'nothing but a certificate can prove who comes by a stream' }))
      .min(1)
      .optional(),
    may: onRoutesOnly('may'),
    dangerous: onRoutesOnly('dangerous'),
  })
  .refine(rule => rule.groups !== undefined || rule.people !== undefined, 'a rule names groups, people, or both')

export type StreamRule = Pick<z.output<typeof StreamRule>, 'groups' | 'people' | 'realms'>

const StreamAccess = z.union([z.enum(['everyone', 'authenticated']), z.array(StreamRule).min(1)], {
  error: ({ input }) =>
    input === undefined
      ? '"access" is missing; write everyone, authenticated, or a list of rules'
      : 'write everyone, authenticated, or a list of rules',
})

export type StreamAccess = 'everyone' | 'authenticated' | readonly StreamRule[]

const upstreamHint = 'write tcp://host:port: TLS ends at this gate, and the bytes go on in plain TCP'

const TcpAddress = z.string({ error: upstreamHint }).transform((text, context) => {
  const [, v6, name = '', digits = ''] =
    /^tcp:\/\/(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  const host = v6 ?? name
  if (host === '' || port < 1 || port > 65_535 || !URL.canParse(`http://${v6 === undefined ? host : `[${v6}]`}`)) {
    // What stands before an @ may be a password.
    const shown = text.includes('@') ? 'this' : `"${text}"`
    context.addIssue({ code: 'custom', message: `${shown} is no address to go on to; ${upstreamHint}` })
    return z.NEVER
  }
  return { host, port }
})

/** Leading and trailing spaces do not count. */
const AeTitle = z
  .string()
  .transform(text => text.replace(/^ +| +$/g, ''))
  .refine(
    title => /^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(title),
    'an AE title has 1 to 16 characters of ASCII, without backslash and control characters',
  )

/** Certificates of this name, or the one with this fingerprint (upper-case hex), may call themselves by these titles. */
export interface TitleRule {
  readonly holder: { readonly name: NamePattern } | { readonly fingerprint: string }
  readonly titles: readonly string[]
}

const Titles = z
  .record(z.string(), oneOrMore(AeTitle))
  .refine(all => Object.keys(all).length > 0, 'name at least one certificate; or leave titles out')
  .transform((all, context): readonly TitleRule[] =>
    Object.entries(all).flatMap(([written, titles]): TitleRule[] => {
      const wrong = (message: string) => {
        context.addIssue({ code: 'custom', path: [written], message })
        return []
      }
      if (/^sha256:/i.test(written)) {
        const fingerprint = readFingerprint(written)
        if (fingerprint !== undefined) return [{ holder: { fingerprint }, titles }]
        return wrong(`"${written}" is no SHA-256 fingerprint (sha256: and 64 hex digits)`)
      }
      const name = parseNamePattern(written)
      if ('mistake' in name) return wrong(`"${written}" is no name of a certificate: ${name.mistake}`)
      return [{ holder: { name }, titles }]
    }),
  )

const minute = 60_000
const hour = 60 * minute

const Limits = z.strictObject({
  handshake: Duration.default(10_000),
  /** Until the whole A-ASSOCIATE-RQ is there: the ARTIM timer. */
  associate: Duration.optional(),
  connect: Duration.default(5_000),
  /** No byte either way for so long ends a connection. */
  idle: Duration.optional(),
  connections: z.int().min(1).max(100_000).default(1_000),
  connectionsPerAddress: z.int().min(1).optional().meta({ description: perAddressText }),
})

export interface StreamLimits {
  readonly handshake: number
  readonly associate: number
  readonly connect: number
  readonly idle: number
  readonly connections: number
  readonly connectionsPerAddress?: number | undefined
}

export const streamSection = (scalars: FileScalars) =>
  z
    .strictObject({
      bind: Bind,
      proxyProtocol: ProxyProtocol.default('none'),
      protocol: z.enum(['dicom', 'raw']),
      tls: Terms.prefault({}),
      keystore: oneOrMore(keystoreSection(scalars)).optional(),
      clients: clientsSection(scalars).prefault({ certificate: 'none' }),
      upstream: TcpAddress,
      /** Absent: every well-formed title will do. */
      titles: Titles.optional(),
      access: StreamAccess,
      limits: Limits.prefault({}),
    })
    .transform((stream, context) => {
      const wrong = (path: readonly string[], message: string) =>
        context.addIssue({ code: 'custom', path: [...path], message })
      const { keystore: keystores, ...rest } = stream
      if (keystores === undefined) {
        wrong(['keystore'], 'a stream needs a keystore (its certificate and key): TLS ends here')
        return z.NEVER
      }
      const isDicom = stream.protocol === 'dicom'
      if (!isDicom && stream.titles !== undefined) wrong(['titles'], 'only DICOM has AE titles; write protocol: dicom')
      if (!isDicom && stream.limits.associate !== undefined)
        wrong(['limits', 'associate'], 'only DICOM has associations; write protocol: dicom')
      if (stream.clients.certificate === 'none') {
        const cure = 'clients: { certificate: required, truststore: FILE }'
        if (stream.titles !== undefined)
          wrong(['titles'], `titles are held against a client certificate, and none is asked for; write ${cure}`)
        if (stream.access !== 'everyone')
          wrong(['access'], `nobody can prove who it is here, and nobody would get in; write ${cure}`)
      } else if (stream.titles !== undefined && stream.access === 'everyone') {
        wrong(
          ['access'],
          'titles say who may call how, and everyone lets people in without asking; write authenticated',
        )
      }
      const { associate = 30_000, idle = isDicom ? 10 * minute : 24 * hour } = stream.limits
      const limits: StreamLimits = { ...stream.limits, associate, idle }
      return { ...rest, keystores, limits }
    })

export type StreamSection = z.output<ReturnType<typeof streamSection>>
