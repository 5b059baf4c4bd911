/**
 * One connection to Redis: connected, proved, signed in, and ended the first time that it fails.
 *
 * It does not come back by itself: who leans on it has to load anew what it may have missed (replica.ts). A command that gets
 * no answer in time ends the connection too, because nobody knows what became of it. Not to forget: the password stands in
 * no message, and nothing is sent before the server has proved its name where TLS is asked for.
 *
 * Source: redis.io/docs (AUTH, SELECT); node-redis 6 (RedisClientOptions).
 */
import { isIP } from 'node:net'
import type { RedisSection } from '../config/store.ts'
import { Fault } from '../kernel/fault.ts'
import type { Secret } from '../kernel/secret.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'

export interface RedisTerms {
  readonly section: RedisSection
  readonly password: Secret | undefined
  /** Undefined: without TLS. */
  readonly trust: PeerTrust | undefined
}

/** As Redis says it: texts, numbers, lists of both, and null for what is not there. */
export type Reply = string | number | null | readonly Reply[]

export interface RedisConnection extends Disposable {
  /** Rejects with Fault('state-unavailable'). @param patience  milliseconds; absent: two seconds */
  ask(args: readonly string[], patience?: number): Promise<Reply>
  /** Aborted once nothing can be asked any more. */
  readonly ended: AbortSignal
}

/** Milliseconds. A command takes less than one; who waits longer is a person. */
const usualPatience = 2_000

export const redisName = ({ host, port }: Pick<RedisSection, 'host' | 'port'>): string =>
  `redis ${host.includes(':') ? `[${host}]` : host}:${port}`

/** Rejects with Fault('state-unavailable'). */
export async function connectRedis(terms: RedisTerms, patience = usualPatience): Promise<RedisConnection> {
  const { section, password, trust } = terms
  const { host, port, database, username } = section
  // Half a second of loading and twenty megabytes, for those who use it.
  const { createClient, ErrorReply } = await import('@redis/client')
  const about = redisName(section)
  const fault = (cause: unknown) => new Fault('state-unavailable', { cause: plainCause(cause), about })
  const place = { host, port, connectTimeout: patience, reconnectStrategy: false } as const
  const client = createClient({
    RESP: 2,
    socket:
      trust === undefined
        ? place
        : {
            ...place,
            tls: true,
            secureContext: trust.context,
            // RFC 6066 3: an address is no server name. The name itself is checked by Node, against the host.
            ...(isIP(host) === 0 ? { servername: host } : {}),
          },
    database,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  })
  const ended = new AbortController()
  let why: unknown
  const end = (cause: unknown) => {
    if (ended.signal.aborted) return
    why = cause
    ended.abort()
    if (client.isOpen) client.destroy()
  }
  client.on('error', end)
  client.on('end', () => end(new Error('the connection was closed')))
  await inTime(client.connect(), patience).catch((cause: unknown) => {
    end(cause)
    throw fault(cause)
  })

  async function answered<T>(reply: Promise<T>, within: number): Promise<T> {
    try {
      return await inTime(reply, within)
    } catch (cause) {
      // What Redis refuses is its answer; the connection is as good as before.
      if (!(cause instanceof ErrorReply)) end(cause)
      throw fault(why ?? cause)
    }
  }
  return {
    ask: (args, within = usualPatience) => answered(client.sendCommand<Reply>(args), within),
    ended: ended.signal,
    [Symbol.dispose]: () => end(new Error('it was closed here')),
  }
}

/** @returns why this is not taken, or cannot be asked; undefined: it was done */
export const refusalOf = (connection: RedisConnection, command: readonly string[]): Promise<Fault | undefined> =>
  connection.ask(command).then(
    () => undefined,
    (fault: unknown) => {
      if (!(fault instanceof Fault)) throw fault
      return fault
    },
  )

/** Errors of @redis/client may carry the command, and a command may be AUTH. */
const plainCause = (cause: unknown): Error => {
  const { message = String(cause), code } = (cause instanceof Error ? cause : {}) as {
    message?: string
    code?: unknown
  }
  return Object.assign(new Error(message), typeof code === 'string' ? { code } : {})
}

async function inTime<T>(work: Promise<T>, patience: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    // Whoever is late may be we: what has come meanwhile is read before it is given up.
    timer = setTimeout(() => setImmediate(() => reject(new Error(`no answer within ${patience} ms`))), patience)
  })
  work.catch(() => undefined) // who waits has been told already
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
