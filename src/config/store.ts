/**
 * Where sessions, throttle, revocations, accounts and issued serials stand, as written: a file of this machine, or a Redis
 * that several gateways share.
 *
 * Not to forget: the password of Redis is never part of its address, which stands in messages.
 */
import { z } from 'zod'
import type { PeerTrustSection } from './peer-trust.ts'
import type { FileScalars, SecretPlace } from './scalars.ts'

export type StoreSection = FileStore | RedisSection

export interface FileStore {
  readonly kind: 'sqlite'
  readonly file: string
}

export interface RedisSection {
  readonly kind: 'redis'
  /** IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** Of Redis: 0 to 15 unless it was told otherwise. */
  readonly database: number
  /** Absent: the user that Redis calls default. */
  readonly username?: string | undefined
  readonly password?: SecretPlace | undefined
  /** Undefined: without TLS. */
  readonly tls: PeerTrustSection | undefined
}

const usualPort = 6379

export function storeSection(scalars: FileScalars, resolvePath: (path: string) => string) {
  const { File, SecretRef } = scalars
  const address = z.string().transform((text, context) => {
    const read = readAddress(text)
    if (typeof read !== 'string') return read
    context.addIssue({ code: 'custom', message: read })
    return z.NEVER
  })
  const whole = z
    .strictObject({
      url: address,
      username: z.string().min(1).optional(),
      password: SecretRef.optional(),
      ca: File.optional(),
      certificate: File.optional(),
      key: File.optional(),
    })
    .superRefine(({ url, username, password, ca, certificate, key }, context) => {
      const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
      if (!url.isTls && (ca ?? certificate ?? key) !== undefined)
        refuse('url', 'certificates are of no use without TLS: write rediss://')
      if (key !== undefined && certificate === undefined) refuse('certificate', 'a key needs its certificate')
      if (username !== undefined && password === undefined) refuse('password', 'a user of Redis needs a password')
    })
    .transform(({ url, ...rest }): StoreSection => redisAt(url, rest))
  const written = z.string().transform((text, context): StoreSection => {
    if (isFile(text)) return { kind: 'sqlite', file: resolvePath(text.slice('sqlite:'.length)) }
    const read = readAddress(text)
    if (typeof read !== 'string') return redisAt(read, {})
    context.addIssue({ code: 'custom', message: read })
    return z.NEVER
  })
  return z.union([written, whole], {
    error: ({ input }) => (typeof input === 'string' ? String(readAddress(input)) : forms),
  })
}

const forms = 'write sqlite:PATH, redis://HOST:PORT or rediss://HOST:PORT'
const isFile = (text: string) => /^sqlite:./.test(text)

interface Address extends Pick<RedisSection, 'host' | 'port' | 'database'> {
  readonly isTls: boolean
}

/** @returns what is wrong with it, where something is */
function readAddress(text: string): Address | string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '' || url.port === '0') return forms
  if (url.username !== '' || url.password !== '')
    return 'user and password of Redis do not belong into its address: { url, username, password: { file: PATH } }'
  if (!/^\/?\d{0,4}$/.test(url.pathname) || url.search !== '' || url.hash !== '')
    return 'behind the port there is nothing but the number of a database: redis://HOST:PORT/1'
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || usualPort),
    database: Number(url.pathname.slice(1)),
    isTls: url.protocol === 'rediss:',
  }
}

function redisAt(
  { isTls, ...place }: Address,
  {
    username,
    password,
    ...tls
  }: Pick<RedisSection, 'username' | 'password'> & Pick<PeerTrustSection, 'ca' | 'certificate' | 'key'>,
): RedisSection {
  return { kind: 'redis', ...place, username, password, tls: isTls ? { ...tls, depth: 0 } : undefined }
}
