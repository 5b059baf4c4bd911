/**
 * The part of `check --online` that asks the Redis of the state: connection, TLS, sign-in, version, and whether it would lose
 * what must not be lost.
 *
 * A session that is lost is a new sign-in; a revocation that is lost lets somebody in. What a Redis does not tell (its CONFIG
 * may be closed) is said, and is no failure.
 */
import type { Config } from '../config/schema.ts'
import { Fault } from '../kernel/fault.ts'
import type { Materials } from '../preflight.ts'
import { connectRedis, type RedisConnection, redisName } from '../redis/connection.ts'
import { pairsIn } from '../redis/replies.ts'

/** Streams and all scripts that are used are there since then. */
const oldestVersion = 6

/** Undefined: the state stands in a file. @throws Fault where it cannot be reached, or is too old */
export function checkStore(
  { sessions: { store: section } }: Pick<Config, 'sessions'>,
  { store }: Pick<Materials, 'store'>,
): { readonly what: string; readonly work: () => Promise<string> } | undefined {
  if (section.kind === 'sqlite') return undefined
  return {
    what: redisName(section),
    async work() {
      using connection = await connectRedis({ section, ...store }, 5_000)
      const info = String(await connection.ask(['INFO', 'server']))
      const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown'
      if (Number.parseInt(version, 10) < oldestVersion)
        throw new Error(`version ${version} is too old: ${oldestVersion} or later is needed`)
      const said = [`version ${version}`, section.tls === undefined ? 'without TLS' : 'over TLS']
      const [policy, append, save] = [
        await settingOf(connection, 'maxmemory-policy'),
        await settingOf(connection, 'appendonly'),
        await settingOf(connection, 'save'),
      ]
      const warn = (text: string) => said.push(`warning: ${text}`)
      if (policy === undefined)
        warn('it does not tell its settings (CONFIG GET); see to noeviction and appendonly yourself')
      else if (policy !== 'noeviction')
        warn(`maxmemory-policy is ${policy}: when its memory is full it forgets revocations; set noeviction`)
      if (append === 'no')
        warn(
          save === ''
            ? 'it keeps nothing on its disk: a restart forgets revocations and accounts; set appendonly yes'
            : 'appendonly is no: a crash forgets the revocations of the last minutes; set appendonly yes',
        )
      return said.join(', ')
    },
  }
}

/** Undefined: it does not tell. */
async function settingOf(connection: RedisConnection, name: string): Promise<string | undefined> {
  try {
    return pairsIn(await connection.ask(['CONFIG', 'GET', name])).get(name)
  } catch (fault) {
    if (fault instanceof Fault && !connection.ended.aborted) return undefined
    throw fault
  }
}
