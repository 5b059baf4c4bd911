/**
 * The small values that an operator writes: spans of time, sizes, addresses, paths, secrets.
 *
 * Units are written and gone after parsing. Nothing here reads a file or the environment.
 */
import { isIP } from 'node:net'
import { z } from 'zod'

const timeUnits = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A span of time with its unit, as an operator writes it ("30 s", "8 h"); milliseconds inside. */
export const Duration = z
  .string({ error: 'write a number and a unit: 500 ms, 30 s, 15 min, 8 h, 7 d' })
  .regex(/^\d{1,9} ?(ms|s|min|h|d)$/, 'write a number and a unit: 500 ms, 30 s, 15 min, 8 h, 7 d')
  // The cast is safe: the pattern above lets no other unit through.
  .transform(text => Number.parseInt(text, 10) * timeUnits[text.replace(/^\d+ ?/, '') as keyof typeof timeUnits])
  // Timers of Node count in 31 bits, and fire at once above that.
  .refine(milliseconds => milliseconds < 2 ** 31, 'at most 24 d')
  .meta({ description: 'A number and a unit (ms, s, min, h, d)', examples: ['30 s', '8 h'] })

const sizeUnits = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const

const sizeHint = 'write a number and a unit: 512 KB, 2 GB'

/** A size with its unit ("512 KB"), powers of 1024; bytes inside. A bare 0 means no limit where the field says so. */
export const ByteSize = z
  .union([z.literal(0), z.string().regex(/^\d{1,9} ?(B|KB|MB|GB|TB)$/, sizeHint)], { error: sizeHint })
  .transform(value =>
    // The cast is safe: the pattern above lets no other unit through.
    value === 0 ? 0 : Number.parseInt(value, 10) * sizeUnits[value.replace(/^\d+ ?/, '') as keyof typeof sizeUnits],
  )
  .meta({ description: 'A number and a unit (B, KB, MB, GB, TB)', examples: ['512 KB', '2 GB'] })

export interface BindAddress {
  readonly host: string
  /** 0: a free port, printed when bound. */
  readonly port: number
}

const bindHint = 'write address:port, for example 0.0.0.0:8443 or [::]:8443'

const OneBindAddress = z.string({ error: bindHint }).transform((text, context): BindAddress => {
  const [, v6, v4 = '', port = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? v4
  const known = host === 'localhost' || isIP(host) === (v6 === undefined ? 4 : 6)
  if (!known || Number(port) > 65_535) {
    context.addIssue({ code: 'custom', message: `"${text}" is no address to listen on; ${bindHint}` })
    return z.NEVER
  }
  return { host, port: Number(port) }
})

/** One address to listen on, or a list of them. */
export const Bind = z
  .union([OneBindAddress.transform(one => [one]), z.array(OneBindAddress).min(1)], {
    error: ({ input }) =>
      input === undefined
        ? `"bind" is missing; ${bindHint}`
        : `${JSON.stringify(input)} is no address to listen on; ${bindHint}`,
  })
  .meta({ description: 'address:port, or a list of them', examples: ['0.0.0.0:8443', '[::]:8443'] })

/** A path in a URL, by whole segments: begins with a slash, ends with one only when it is "/". */
export const PathPrefix = z
  .string()
  .regex(/^\/[A-Za-z0-9._~\-/]*$/, {
    error: 'a path begins with / and holds letters, digits and . _ ~ - only',
    abort: true,
  })
  .refine(path => !/(^|\/)\.\.?(\/|$)|\/\//.test(path), 'a path holds no empty segment, . or ..')
  .transform(path => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path))

/** A scheme and an authority, nothing behind it; kept as the URL parser writes it. */
export const Origin = z.string().transform((text, context): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    url === undefined ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== '' ||
    !/^\/?$/.test(url.pathname)
  ) {
    // What stands before an @ may be a password.
    const shown = text.includes('@') ? 'this' : `"${text}"`
    context.addIssue({ code: 'custom', message: `${shown} is not of the form https://host:port (no path, no user)` })
    return z.NEVER
  }
  return url
})

export const HttpsOrigin = Origin.refine(url => url.protocol === 'https:', 'must begin with https://')
export const HttpOrigin = Origin.refine(url => /^https?:$/.test(url.protocol), 'must begin with http:// or https://')

/** A name that rules, routes or messages refer to. */
export const Name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name is letters, digits, and . _ - inside')

/** A person or group, as a realm spells it. */
export const PersonName = z
  .string()
  .min(1)
  .max(256)
  .refine(name => !/\p{Cc}/u.test(name), 'control characters cannot be part of a name')

/** One of them, or a list; a list inside. */
export const oneOrMore = <Section extends z.ZodType>(section: Section) =>
  z.union([section.transform(one => [one]), z.array(section).min(1)])

/** Where a secret stands. The text itself is read when the gateway opens, and never stored in the configuration. */
export type SecretPlace = { readonly file: string } | { readonly env: string }

/** A key of the interface that a later version brings. Refused by name, so that nobody believes it is at work. */
export const notYet = (what: string) => z.undefined({ error: `${what} is not built yet; leave it out` }).optional()

/**
 * The scalars that depend on where the configuration file lies.
 *
 * @param resolvePath  makes a path absolute
 * @param noteFile     told of each file that is to be read, so that a change of it is noticed
 */
export const fileScalars = (
  resolvePath: (path: string) => string,
  noteFile: (path: string) => void = () => undefined,
) => {
  const path = z.string().min(1).meta({ description: 'A path, relative to this file' })
  /** A folder, or a file that the gateway writes itself. */
  const Place = path.transform(written => resolvePath(written))
  const File = path.transform(written => {
    const file = resolvePath(written)
    noteFile(file)
    return file
  })
  const SecretRef = z
    .union([z.strictObject({ file: File }), z.strictObject({ env: z.string().min(1) })], {
      error: 'a secret is never written here: write { file: PATH } or { env: NAME }',
    })
    .transform((place): SecretPlace => place)
  return { File, Place, SecretRef }
}

export type FileScalars = ReturnType<typeof fileScalars>
