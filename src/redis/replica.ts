/**
 * What several gateways share, known here in memory: a copy of a few hashes in Redis, which is the authority.
 *
 * Each change is written together with an entry of one stream of changes, which every gateway reads: pushed, in the order in
 * which it happened, and never lost, as a message could be. A writer goes on when its own change has come back by the stream:
 * whatever was written before it is known here then. After a break everything is loaded anew, at one stroke.
 *
 *   up      what is read here is at most a moment old
 *   down    what was known goes on to count; who asks how long, see `cutOffFor`
 *
 * Not to forget: nothing of it is lost in between. What could not be written when Redis was gone is written before anything is
 * loaded again (`before`), so that an end that was told here never comes back.
 *
 * Source: redis.io/docs (Streams, EVAL, transactions).
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '../kernel/fault.ts'
import { connectRedis, type RedisConnection, type RedisTerms, type Reply, redisName, refusalOf } from './connection.ts'
import { entriesIn, isBefore, pairsIn, streamIn } from './replies.ts'
import { dropScript, loadScript, mostChanges, swapScript } from './scripts.ts'
import { createStanding } from './standing.ts'

/** Of these every gateway has a copy. */
export const copied = ['sessions', 'accounts', 'revoked', 'texts'] as const
export type Copied = (typeof copied)[number]
/** Hashes that are read where they are needed. */
export type Hash = Copied | 'issued' | 'used' | 'keys' | 'lists'

export const keyOf = (name: string): string => `sallyport:${name}`

export interface Replica extends AsyncDisposable {
  get(hash: Copied, field: string): string | undefined
  all(hash: Copied): ReadonlyMap<string, string>
  /** Told of each change, and of all there is after it was loaded. @param value  undefined: it is gone */
  onChange(hash: Copied, listener: (field: string, value: string | undefined) => void): void
  /**
   * Writes where the field is as it was; absent is undefined. Resolves when that is known here.
   *
   * @returns false: it was another by then
   */
  swap(hash: Hash, field: string, before: string | undefined, after: string | undefined): Promise<boolean>
  /** Removes it, whatever it was. @returns false: it was gone already */
  drop(hash: Copied, field: string): Promise<boolean>
  /** Any other command; keys by `keyOf`. Rejects with Fault('state-unavailable'). */
  ask(args: readonly string[]): Promise<Reply>
  /** Reads it anew, for what is not known here yet. */
  refresh(hash: Copied, field: string): Promise<string | undefined>
  /** Milliseconds for which Redis has been away; undefined: it is not. */
  downFor(): number | undefined
  /** Milliseconds for which no end could be told to others: away, or refusing all writes; undefined: it can. */
  cutOffFor(): number | undefined
  /** It can be read, and takes no writes. */
  isRefusing(): boolean
  /** Work to be done at each return: before anything is loaded, and for what came in between once more behind it. */
  before(work: (ask: Replica['ask']) => Promise<void>): void
}

export interface ReplicaOptions extends RedisTerms {
  /** Told once at each change. @param fault  it is away, or takes no writes; undefined: it does again */
  readonly changed: (fault: Fault | undefined) => void
}

/** Milliseconds that Redis waits for a change before it says that there was none; a sign of life as well. */
const heartbeat = 400
/** Milliseconds of silence after which a connection is given up. */
const silence = 3_000
/** Milliseconds for all there is. */
const loading = 10_000
/** A field that goes with all others when Redis is emptied, which no connection would tell of. */
const marked = [keyOf('keys'), 'house'] as const
const pauses = [100, 250, 500, 1_000]

/** Rejects with Fault('state-unavailable') where Redis is not there at the start. */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const about = redisName(options.section)
  const copies = new Map<Copied, Map<string, string>>(copied.map(hash => [hash, new Map()]))
  const listeners = new Map<Copied, ((field: string, value: string | undefined) => void)[]>()
  const returns: ((ask: Replica['ask']) => Promise<void>)[] = []
  const waiting = new Set<{ readonly id: string; readonly done: () => void }>()
  const closed = new AbortController()
  let commands: RedisConnection | undefined
  let reader: RedisConnection | undefined
  let last = '0-0'
  /** By which Redis is known to hold what was loaded. */
  let house: Reply | undefined
  let downSince: number | undefined = performance.now()
  const standing = createStanding(fault => void (closed.signal.aborted || options.changed(fault)))

  const tell = (hash: Copied, field: string, value: string | undefined) => {
    for (const listener of listeners.get(hash) ?? []) listener(field, value)
  }
  const put = (hash: Copied, field: string, value: string | undefined) => {
    const copy = copies.get(hash)
    if (copy === undefined || copy.get(field) === value) return
    if (value === undefined) copy.delete(field)
    else copy.set(field, value)
    tell(hash, field, value)
  }
  const askOn = (connection: RedisConnection) => (args: readonly string[]) => connection.ask(args)
  /** One that takes no writes just now (full, or a replica) is still one to be read. */
  const mark = (connection: RedisConnection) => refusalOf(connection, ['HSETNX', ...marked, randomUUID()])

  async function load(connection: RedisConnection): Promise<void> {
    await mark(connection)
    const keys = ['keys', 'changes', ...copied].map(keyOf)
    const loaded = await connection.ask(['EVAL', loadScript, String(keys.length), ...keys, marked[1]], loading)
    const [found, entries, ...hashes] = Array.isArray(loaded) ? loaded : []
    house = found
    last = entriesIn(entries)[0]?.id ?? '0-0'
    for (const [at, hash] of copied.entries()) {
      const fresh = pairsIn(hashes[at])
      for (const field of [...(copies.get(hash)?.keys() ?? [])]) if (!fresh.has(field)) put(hash, field, undefined)
      for (const [field, value] of fresh) put(hash, field, value)
    }
  }
  /** Throws where it is another one, or was emptied. */
  async function look(connection: RedisConnection): Promise<void> {
    // Over the connection for commands: that one may fail alone, and nobody else would notice.
    const asked = commands ?? connection
    const refusal = await mark(asked)
    const takesRemovals = refusal === undefined || (await refusalOf(asked, ['HDEL', marked[0], 'none'])) === undefined
    if (commands?.ended.aborted) throw refusal ?? new Fault('state-unavailable', { about })
    if ((await connection.ask(['HGET', ...marked], silence)) !== house)
      throw new Fault('state-unavailable', { about: `${about} is not the same any more: it was emptied or replaced` })
    standing.there(refusal, takesRemovals)
  }
  async function follow(connection: RedisConnection): Promise<void> {
    const args = ['XREAD', 'COUNT', '1000', 'BLOCK', String(heartbeat), 'STREAMS', keyOf('changes')]
    for (let lookedAt = Number.NEGATIVE_INFINITY; !closed.signal.aborted; ) {
      if (performance.now() - lookedAt >= heartbeat) {
        lookedAt = performance.now()
        await look(connection)
      }
      const reply = await connection.ask([...args, last], silence)
      for (const { id, hash, field, value } of entriesIn(streamIn(reply))) {
        put(hash as Copied, field, value === '' ? undefined : value) // other hashes have no copy, and are passed over
        last = id
      }
      for (const one of waiting) if (!isBefore(last, one.id)) one.done()
    }
  }
  async function connect(): Promise<void> {
    const first = await connectRedis(options)
    const second = await connectRedis(options).catch((cause: unknown) => {
      first[Symbol.dispose]()
      throw cause
    })
    try {
      for (const work of returns) await work(askOn(first))
      await load(first)
      await look(second)
    } catch (cause) {
      first[Symbol.dispose]()
      second[Symbol.dispose]()
      throw cause
    }
    commands = first
    reader = second
    downSince = undefined
    // What was done here while it was being loaded.
    for (const work of returns) await work(askOn(first))
  }
  const hangUp = () => [commands, reader].forEach(connection => void connection?.[Symbol.dispose]())
  function leave(fault: Fault): void {
    downSince ??= performance.now()
    hangUp()
    commands = undefined
    reader = undefined
    // Whoever waits for a change to come back has written it.
    for (const one of waiting) one.done()
    standing.gone(fault)
  }
  async function live(): Promise<void> {
    for (let tries = 0; !closed.signal.aborted; tries++) {
      try {
        if (reader === undefined) await connect()
        if (reader === undefined) continue
        tries = 0
        await follow(reader)
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown
        leave(thrown)
        const pause = pauses[Math.min(tries, pauses.length - 1)] ?? 0
        await sleep(pause, undefined, { ref: false, signal: closed.signal }).catch(() => undefined)
      }
    }
  }

  async function ask(args: readonly string[]): Promise<Reply> {
    if (commands === undefined) throw new Fault('state-unavailable', { about: `${about} is not there` })
    return await commands.ask(args)
  }
  /** Until the change is known here, which is a matter of milliseconds; or Redis is gone, and it was written. */
  const known = (id: string): Promise<void> =>
    new Promise(resolve => {
      if (reader === undefined || !isBefore(last, id)) return resolve()
      const one = {
        id,
        done() {
          waiting.delete(one)
          resolve()
        },
      }
      waiting.add(one)
    })
  async function change(command: readonly string[]): Promise<boolean> {
    const id = await ask(command)
    if (typeof id !== 'string') return false
    await known(id)
    return true
  }

  const downFor = () => (downSince === undefined ? undefined : performance.now() - downSince)
  await connect()
  const living = live()
  return {
    get: (hash, field) => copies.get(hash)?.get(field),
    all: hash => copies.get(hash) ?? new Map(),
    onChange(hash, listener) {
      listeners.set(hash, [...(listeners.get(hash) ?? []), listener])
      for (const [field, value] of copies.get(hash) ?? []) listener(field, value)
    },
    swap: (hash, field, before = '', after = '') => change(evaluate(swapScript, hash, [field, before, after])),
    drop: (hash, field) => change(dropCommand(hash, field)),
    ask,
    async refresh(hash, field) {
      const reply = await ask(['HGET', keyOf(hash), field])
      const value = typeof reply === 'string' ? reply : undefined
      put(hash, field, value)
      return value
    },
    downFor,
    cutOffFor: standing.cutOffFor,
    isRefusing: () => standing.isRefusing,
    before: work => void returns.push(work),
    async [Symbol.asyncDispose]() {
      closed.abort()
      hangUp()
      await living.finally(hangUp) // also what was being connected
    },
  }
}

const evaluate = (script: string, hash: Hash, args: readonly string[]): readonly string[] => {
  const keys = [hash, 'changes', 'used'].map(keyOf)
  return ['EVAL', script, String(keys.length), ...keys, hash, ...args, String(mostChanges)]
}

export const dropCommand = (hash: Copied, field: string): readonly string[] => evaluate(dropScript, hash, [field])
