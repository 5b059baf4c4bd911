/**
 * Where requests go, as written. What each kind of server needs stands in upstream/profiles.ts, not here.
 */
import { z } from 'zod'
import { peerTrustSection } from './peer-trust.ts'
import { ByteSize, Duration, type FileScalars, HttpOrigin, PathPrefix } from './scalars.ts'

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** They belong to the connection or frame the body; whoever sets them by hand makes two requests of one. */
const framing = /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|expect)$/i

const HeaderName = z
  .string()
  .regex(token, 'not a header name')
  .refine(name => !framing.test(name), 'this header belongs to the connection; leave it out')

/** Of DICOM frames, and of nothing else: see src/cache. Workers share the memory out. */
const Cache = z.strictObject({
  memory: ByteSize.refine(bytes => bytes >= 1024 ** 2, 'at least 1 MB').default(256 * 1024 ** 2),
  /** Besides, for what memory has no room for; nothing of it outlives the process. */
  disk: ByteSize.refine(bytes => bytes >= 64 * 1024 ** 2, 'at least 64 MB').optional(),
  /** What is changed past the gateway (C-STORE, another gateway) is seen after so long at the latest. */
  maxAge: Duration.refine(milliseconds => milliseconds >= 1_000, 'at least 1 s').default(600_000),
  /** Whether they may keep frames, and ask each time whether they may show them; on a shared machine they stay on its disk. */
  browsers: z.enum(['never', 'revalidate']).default('never'),
})

/** One server, or several that show the same: whoever stores in one must find it in all. */
const Servers = z
  .union([HttpOrigin.transform(one => [one]), z.array(HttpOrigin).min(1)], {
    error: ({ input }) =>
      `${input === undefined ? '"url" is missing; ' : ''}write https://host:port (no path, no user), or a list of such`,
  })
  .superRefine((urls, context) => {
    const seen = new Set<string>()
    for (const [at, { origin, protocol }] of urls.entries()) {
      const wrong = (message: string) => context.addIssue({ code: 'custom', path: [at], message })
      if (seen.has(origin)) wrong('this server stands there already')
      if (protocol !== urls[0]?.protocol) wrong('servers of one upstream are all called by http://, or all by https://')
      seen.add(origin)
    }
  })

const httpFields = (scalars: FileScalars) => ({
  url: Servers,
  tls: peerTrustSection(scalars).optional(),
  credentials: z
    .strictObject({
      username: z
        .string()
        .min(1)
        .refine(name => !name.includes(':'), 'a user name for HTTP Basic cannot hold a colon'),
      password: scalars.SecretRef,
    })
    .optional(),
  /** At one time, of each server; what comes on top waits in a queue. Orthanc stalls above 40: it has 50 threads, one for each connection. */
  connections: z.int().min(1).max(1000).default(40),
  timeouts: z
    .strictObject({
      connect: Duration.default(5_000),
      /** No byte from the upstream for so long is a fault (504). */
      idle: Duration.default(300_000),
    })
    .prefault({}),
  /** 0: no limit. */
  maxBody: ByteSize.default(0),
  /** Added to every request, in place of what the client sent under these names. */
  headers: z.record(HeaderName, z.string().regex(/^[\x20-\x7e]*$/, 'a header value is printable ASCII')).default({}),
  authorization: z.enum(['strip', 'pass']).default('strip'),
  cache: Cache.optional(),
  /** Answers on their way to clients, see src/forward/compressible.ts. auto: pixels only where the line is slow. */
  compress: z.enum(['auto', 'always', 'never']).default('never'),
})

const written = (scalars: FileScalars) =>
  z.discriminatedUnion(
    'kind',
    [
      z.strictObject({ kind: z.literal('orthanc'), ...httpFields(scalars) }),
      z.strictObject({
        kind: z.literal('omero-web'),
        ...httpFields(scalars),
        cache: z
          .undefined({ error: 'OMERO.web has its own login and shows each person something else; leave it out' })
          .optional(),
        compress: z
          .undefined({
            error: 'its pages hold tokens and repeat what was sent, and their length would tell (BREACH); leave it out',
          })
          .optional(),
      }),
      z.strictObject({ kind: z.literal('generic'), ...httpFields(scalars) }),
      z.strictObject({
        kind: z.literal('ohif'),
        /** The folder with the built viewer (index.html in it). */
        root: scalars.Place,
        /** Where this gateway's DICOMweb is, on the same origin. */
        dicomWeb: PathPrefix.default('/dicom-web'),
      }),
    ],
    { error: 'an upstream needs a kind: orthanc, ohif, omero-web or generic' },
  )

/** `urls`: all servers; `url`: the first, or the one that is meant. */
export const upstreamSection = (scalars: FileScalars) =>
  written(scalars).transform(one => {
    if (one.kind === 'ohif') return one
    const { url: urls, ...rest } = one
    const [url] = urls
    if (url === undefined) throw new Error('a list of servers passed that has none')
    return { ...rest, url, urls }
  })

export type UpstreamSection = z.output<ReturnType<typeof upstreamSection>>
export type HttpUpstreamSection = Exclude<UpstreamSection, { kind: 'ohif' }>
export type ViewerSection = Extract<UpstreamSection, { kind: 'ohif' }>
export type UpstreamKind = UpstreamSection['kind']
