/**
 * Who is signed in, for several gateways: sessions stand in Redis, and every gateway knows all of them (redis/replica.ts).
 *
 * A request is answered from memory; only a cookie that is not known here yet is asked for, because somebody may have signed
 * in at another gateway a moment ago. While Redis is away those who are in go on for `grace`, nobody signs in, and an end
 * counts here at once and is written when Redis is back, before anything is loaded from it. Not to forget: other gateways
 * use a session too, so none ends by idling before Redis was asked when it was used last.
 *
 * Source: interface "sessions"; as session-store.ts, whose rules these are.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import { every } from '../kernel/every.ts'
import { Fault, ignoreFault } from '../kernel/fault.ts'
import { dropCommand, keyOf, type Replica } from '../redis/replica.ts'
import { cookieDigest } from './cookies.ts'
import { createEndedSessions } from './ended-sessions.ts'
import type { Principal } from './principal.ts'
import { type Known, readSession, sessionOf, type WrittenSession } from './redis-session-record.ts'
import { sharedUses } from './redis-uses.ts'
import { clockSlip, cookiePattern, newSessionId, type Session, type SessionStore, sweepEvery } from './session-store.ts'

export interface SharedSessionsOptions {
  readonly replica: Replica
  /** Milliseconds without use. */
  readonly idle: number
  /** Milliseconds from signing in. */
  readonly absolute: number
  readonly clock: Clock
  /** Sessions of one person; absent: 20. */
  readonly perPerson?: number
  /** Milliseconds that sessions go on without Redis; absent: 15 minutes. */
  readonly grace?: number
}

export interface SharedSessions extends SessionStore {
  /** Ends that Redis was not told of yet. */
  readonly unwritten: number
}

/** Milliseconds after a refusal in which every gateway can tell when its sessions were used. */
const unsureFor = 3 * sweepEvery

const unavailable = () =>
  new Fault('state-unavailable', { about: 'Redis has been away or refusing for longer than sessions go on without it' })

export function openSharedSessions(options: SharedSessionsOptions): SharedSessions {
  const { replica, idle, clock, perPerson = 20, grace = 15 * 60_000 } = options
  /** By digest of the cookie, and by handle. */
  const known = new Map<string, Known>()
  const digests = new Map<string, string>()
  const listeners: ((id: string) => void)[] = []
  /** They do not come back, whatever Redis still says. */
  const ended = createEndedSessions(options.absolute)
  /** Of those, what Redis was not told of yet. */
  const unwritten = new Set<string>()
  const uses = sharedUses(replica, Math.max(50, Math.min(1_000, idle / 8)))
  let unsureUntil = Number.NEGATIVE_INFINITY
  const asking = new Map<string, Promise<Session | undefined>>()
  const keys = new Map<string, Buffer>()

  replica.onChange('sessions', (digest, text) => {
    if (text === undefined) {
      ended.add(digest)
      return forget(digest)
    }
    // A Redis that has it again is an older one, and is told once more.
    if (ended.has(digest)) return void unwritten.add(digest)
    const written = readSession(text)
    // What cannot be read lets nobody in, and keeps nobody else out.
    if (written === undefined) return forget(digest)
    const lastUsedAt = Math.max(written.createdAt, known.get(digest)?.lastUsedAt ?? 0)
    known.set(digest, { text, written, groups: new Set(written.groups), lastUsedAt })
    digests.set(written.id, digest)
  })
  function forget(digest: string): void {
    const gone = known.get(digest)
    if (gone === undefined) return
    known.delete(digest)
    digests.delete(gone.written.id)
    for (const listener of listeners) listener(gone.written.id)
  }

  const withEnd = (session: Known): Session => sessionOf(session, options)
  const isOn = ({ endsAt, createdAt }: Session): boolean => {
    const now = clock.now()
    return now < endsAt && now > createdAt - clockSlip
  }
  const isStale = () => (replica.cutOffFor() ?? 0) >= grace

  /** Redis may not know when sessions were used last: it takes no writes, or was not told yet of what came meanwhile. */
  const isUnsure = () => {
    if (replica.isRefusing()) unsureUntil = performance.now() + unsureFor
    return performance.now() < unsureUntil
  }

  /** Whether it is over by what Redis knows of it. One question at a time for each. */
  function askAgain(digest: string): Promise<Session | undefined> {
    const running = asking.get(digest) ?? look(digest).finally(() => asking.delete(digest))
    asking.set(digest, running)
    return running
  }
  async function look(digest: string): Promise<Session | undefined> {
    const [used] = await Promise.all([
      replica.ask(['HGET', keyOf('used'), digest]),
      replica.refresh('sessions', digest),
    ])
    const session = known.get(digest)
    if (session === undefined) return undefined
    session.lastUsedAt = Math.max(session.lastUsedAt, Number(used ?? 0))
    const found = withEnd(session)
    if (isOn(found)) return found
    if (isUnsure() && clock.now() < session.written.createdAt + options.absolute) throw unavailable()
    void close(session.written.id)
    return undefined
  }

  function use(digest: string, session: Known): Session {
    const now = clock.now()
    if (now - session.lastUsedAt >= Math.min(60_000, idle / 4)) {
      session.lastUsedAt = now
      uses.set(digest, now)
    }
    return withEnd(session)
  }
  async function close(id: string): Promise<boolean> {
    const digest = digests.get(id)
    if (digest === undefined) return false
    ended.add(digest)
    unwritten.add(digest)
    forget(digest)
    await writeEnd(digest)
    return true
  }
  /** What Redis does not take now is tried again, and written first when it was away. */
  async function writeEnd(digest: string): Promise<void> {
    try {
      await replica.drop('sessions', digest)
      unwritten.delete(digest)
    } catch (fault) {
      ignoreFault(fault)
    }
  }
  replica.before(async ask => {
    // What it refuses is told by a sweep; it can be read all the same, and what has ended does not come back from it.
    for (const digest of unwritten)
      await ask(dropCommand('sessions', digest)).then(() => unwritten.delete(digest), ignoreFault)
  })
  const theirs = (name: string, realm: Principal['realm'] | undefined): Known[] =>
    [...known.values()].filter(
      ({ written }) => written.name === name && (realm === undefined || written.realm === realm),
    )

  /** Each gateway looks; the first ends it. */
  function sweep(): void {
    if (replica.downFor() !== undefined) return
    for (const digest of unwritten) void writeEnd(digest)
    if (isUnsure()) return
    for (const [digest, session] of known) if (!isOn(withEnd(session))) askAgain(digest).catch(ignoreFault)
  }
  const sweeps = every(sweepEvery, sweep)

  return {
    async open({ name, realm, groups }, by, from) {
      const all = theirs(name, realm).toSorted((a, b) => a.lastUsedAt - b.lastUsedAt)
      for (const { written } of all.slice(0, Math.max(0, all.length + 1 - perPerson))) await close(written.id)

      const cookie = randomBytes(32).toString('base64url')
      const digest = cookieDigest(cookie)
      const id = newSessionId()
      const written: WrittenSession = { id, name, realm, groups: [...groups], by, from, createdAt: clock.now() }
      await replica.swap('sessions', digest, undefined, JSON.stringify(written))
      const session = known.get(digest)
      if (session === undefined) throw new Fault('state-unavailable', { about: 'a session ended as it was opened' })
      return { cookie, session: withEnd(session) }
    },
    find(cookie, isUse = true, shown) {
      if (!cookiePattern.test(cookie)) return undefined
      const digest = cookieDigest(cookie, shown)
      if (ended.has(digest)) return undefined
      if (isStale()) throw unavailable()
      const session = known.get(digest)
      if (session !== undefined && isOn(withEnd(session))) {
        return isUse ? use(digest, session) : withEnd(session)
      }
      return askAgain(digest).then(found => {
        const now = known.get(digest)
        return isUse && found !== undefined && now !== undefined ? use(digest, now) : found
      })
    },
    peek(id) {
      const digest = digests.get(id) ?? ''
      const session = known.get(digest)
      if (session === undefined) return undefined
      const found = withEnd(session)
      if (isStale()) throw unavailable()
      if (isOn(found)) return found
      askAgain(digest).catch(ignoreFault)
      throw new Fault('state-unavailable', { about: 'Redis is being asked whether a session is over' })
    },
    touch(id) {
      const digest = digests.get(id) ?? ''
      const session = known.get(digest)
      if (session === undefined || !isOn(withEnd(session))) return false
      use(digest, session)
      return true
    },
    ...{ close, isStale },
    async closeAllOf(name, realm) {
      const outcomes = await Promise.all(theirs(name, realm).map(({ written }) => close(written.id)))
      return outcomes.filter(isClosed => isClosed).length
    },
    async regroup(name, realm, groups) {
      const sorted = [...groups].toSorted()
      const isSame = (other: ReadonlySet<string>) => JSON.stringify([...other].toSorted()) === JSON.stringify(sorted)
      let changed = 0
      for (const { text, written, groups: before } of theirs(name, realm)) {
        const digest = digests.get(written.id)
        if (digest === undefined || isSame(before)) continue
        if (await replica.swap('sessions', digest, text, JSON.stringify({ ...written, groups: [...groups] }))) changed++
      }
      return changed
    },
    list: () =>
      [...known.values()]
        .map(withEnd)
        .filter(isOn)
        .toSorted((a, b) => a.createdAt - b.createdAt),
    async secretKey(purpose) {
      const before = keys.get(purpose)
      if (before !== undefined) return before
      await replica.ask(['HSETNX', keyOf('keys'), purpose, randomBytes(32).toString('base64url')])
      const key = Buffer.from(String(await replica.ask(['HGET', keyOf('keys'), purpose])), 'base64url')
      if (key.length !== 32) throw new Fault('state-unavailable', { about: `the key for ${purpose} is damaged` })
      keys.set(purpose, key)
      return key
    },
    onEnd: listener => void listeners.push(listener),
    sweep,
    get unwritten() {
      return unwritten.size
    },
    [Symbol.dispose]() {
      sweeps[Symbol.dispose]()
      uses[Symbol.dispose]()
    },
  }
}
