/**
 * Who is signed in, and when that ends: by idling, by age, on request, or because a person opens too many.
 *
 * What has ended never comes back. Not to forget: other processes (`sallyport sessions revoke`) end sessions too, which is
 * seen within a second, and the file is swept for those who listen: an open WebSocket has to be closed. They use sessions
 * as well, so none ends by idling before the file was asked; it stands there within a second.
 *
 * Source: OWASP session management; interface "sessions".
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import type { Eventually } from '../kernel/eventually.ts'
import { every } from '../kernel/every.ts'
import { Fault } from '../kernel/fault.ts'
import type { News } from '../kernel/news.ts'
import { cookieDigest, type OwnCookies } from './cookies.ts'
import type { Principal } from './principal.ts'
import { openSessionRecords, type SessionRecord } from './session-records.ts'
import { writtenInTime } from './session-uses.ts'

export interface Session extends SessionRecord {
  /** Milliseconds since 1970, if nothing more is heard of it. */
  readonly endsAt: number
}

export interface Opened {
  readonly cookie: string
  readonly session: Session
}

/**
 * All of them may throw Fault('state-unavailable'), or reject with it. What is asked again and again is answered at once;
 * a store that several machines share is waited for where something is written, and for a cookie that it does not know yet.
 */
export interface SessionStore extends Disposable {
  /** Always a new one: a cookie from before signing in is worth nothing afterwards. */
  open(who: Pick<Principal, 'name' | 'realm' | 'groups'>, by: 'password', from: string): Eventually<Opened>
  /**
   * @param cookie  from outside, may hold anything
   * @param isUse   whether finding it counts as use; absent: it does
   * @param shown   where the cookie came, which is asked about again and again
   */
  find(cookie: string, isUse?: boolean, shown?: OwnCookies): Eventually<Session | undefined>
  /** Does not count as use. */
  peek(id: string): Session | undefined
  /** Counts as use, for traffic that goes on without new requests. False: it has ended. */
  touch(id: string): boolean
  /** False: there was none. */
  close(id: string): Eventually<boolean>
  /** How many have ended. Absent realm: whichever vouches for the name. */
  closeAllOf(name: string, realm?: Principal['realm']): Eventually<number>
  /** From now on these groups in every session of theirs. How many had other ones. */
  regroup(name: string, realm: Principal['realm'], groups: ReadonlySet<string>): Eventually<number>
  list(): Session[]
  /** Whether nobody may go on by what is known here: its store has been away for too long. */
  isStale(): boolean
  /** 32 random bytes, the same after a restart; one key for each purpose. */
  secretKey(purpose: string): Eventually<Buffer>
  /** Told once for each session that ends, wherever that was decided; within five seconds if it was not here. */
  onEnd(listener: (id: string) => void): void
  /** Looks for sessions that have ended; done every five seconds anyway. */
  sweep(): void
}

/** One that waits for nothing. */
export interface FileSessionStore extends SessionStore {
  open(...given: Parameters<SessionStore['open']>): Opened
  find(...given: Parameters<SessionStore['find']>): Session | undefined
  close(id: string): boolean
  closeAllOf(name: string, realm?: Principal['realm']): number
  regroup(...given: Parameters<SessionStore['regroup']>): number
  secretKey(purpose: string): Buffer
}

export interface SessionStoreOptions {
  readonly file: string
  /** Milliseconds without use. */
  readonly idle: number
  /** Milliseconds from signing in. */
  readonly absolute: number
  readonly clock: Clock
  /** Absent: no other process of ours has this file open. */
  readonly news?: News | undefined
  /** Sessions of one person; the one not used for longest makes room. Absent: 20. */
  readonly perPerson?: number
  /** Told once when nothing can be written for ten seconds, and when something can again (undefined). */
  readonly changed?: (fault: Fault | undefined) => void
}

/** What operators call a session by. In base64url one in 64 began with a dash, and was an option on the command line. */
export const newSessionId = (): string => randomBytes(9).toString('hex')
/** 256 random bits in base64url. */
export const cookiePattern = /^[\w-]{43}$/
export const sweepEvery = 5_000
const topic = 'a session is over'
/** How far a clock may be set back before sessions "from the future" end; else each would last that much longer. */
export const clockSlip = 5 * 60_000

export function openSessionStore({
  file,
  idle,
  absolute,
  clock,
  news,
  perPerson = 20,
  changed = () => undefined,
}: SessionStoreOptions): FileSessionStore {
  const records = openSessionRecords(file)
  const listeners: ((id: string) => void)[] = []
  /** Those whose end has still to be told. */
  const living = new Set<string>()
  /** Told, and still to be removed from the file: what is over is over, also while somebody keeps the file. */
  const over = new Set<string>()

  const tell = (id: string) => {
    living.delete(id)
    for (const listener of listeners) listener(id)
  }
  const putOut = (id: string) => {
    if (over.has(id)) return
    over.add(id)
    tell(id)
  }
  /** The file does not say so, and the others go by it. */
  const putOutEverywhere = (id: string) => {
    putOut(id)
    void news?.tell(topic, id)
  }
  const hearing = news?.hear(topic, putOut)
  const end = (id: string): boolean => {
    try {
      if (!records.remove(id)) return false
    } catch (fault) {
      // Whoever asked is told that it may come back with a restart.
      putOutEverywhere(id)
      throw fault
    }
    if (!over.delete(id)) tell(id)
    return true
  }
  const withEnd = (record: SessionRecord): Session => ({
    ...record,
    endsAt: Math.min(record.createdAt + absolute, record.lastUsedAt + idle),
  })
  const isOn = ({ endsAt, createdAt }: Session): boolean => clock.now() < endsAt && clock.now() > createdAt - clockSlip
  /** @param read  as it stands in the file now */
  const judged = (read: SessionRecord | undefined): Session | undefined => {
    const session = read && withEnd(read)
    if (session === undefined || over.has(session.id)) return undefined
    if (isOn(session)) return session
    putOut(session.id)
    return undefined
  }
  const alive = (known: SessionRecord | undefined): Session | undefined => {
    const session = known && withEnd(known)
    if (session === undefined || over.has(session.id)) return undefined
    return isOn(session) ? session : judged(records.reread(session.id))
  }
  const used = (session: Session | undefined): Session | undefined => {
    const now = clock.now()
    // All others would read their sessions anew after each write; but a short idle time must not pass between two.
    if (session === undefined || now - session.lastUsedAt < Math.min(60_000, idle / 4)) return session
    records.use(session.id, now)
    return withEnd({ ...session, lastUsedAt: now })
  }
  const present = (all: readonly SessionRecord[]): Session[] => all.map(judged).filter(session => session !== undefined)

  const sweep = () => {
    const ids = new Set(present(records.all()).map(({ id }) => id))
    for (const id of living) if (!ids.has(id)) tell(id)
    for (const id of ids) living.add(id)
    records.removeAll(over)
    over.clear()
  }
  const sweeps = every(sweepEvery, () => {
    try {
      sweep()
    } catch (fault) {
      // Nobody waits for this one; the next request meets the same fault, and reports it.
      if (!(fault instanceof Fault)) throw fault
    }
  })
  const uses = writtenInTime(records, idle, changed)

  return {
    open({ name, realm, groups }, by, from) {
      const theirs = present(records.ofPerson(name, realm))
      for (const { id } of theirs.slice(0, Math.max(0, theirs.length + 1 - perPerson))) end(id)

      const cookie = randomBytes(32).toString('base64url')
      const id = newSessionId()
      const now = clock.now()
      const record = { id, name, realm, groups: new Set(groups), by, from, createdAt: now, lastUsedAt: now }
      records.add(cookie, record)
      living.add(id)
      return { cookie, session: withEnd(record) }
    },
    find(cookie, isUse = true, shown) {
      const found = cookiePattern.test(cookie) ? alive(records.byDigest(cookieDigest(cookie, shown))) : undefined
      return isUse ? used(found) : found
    },
    peek: id => alive(records.byId(id)),
    touch: id => used(alive(records.byId(id))) !== undefined,
    close: end,
    closeAllOf(name, realm) {
      const theirs =
        realm === undefined ? records.all().filter(record => record.name === name) : records.ofPerson(name, realm)
      const left = new Set(theirs.map(({ id }) => id))
      try {
        return theirs.filter(({ id }) => left.delete(id) && end(id)).length
      } finally {
        // Each that cannot be written would be waited for.
        for (const id of left) putOutEverywhere(id)
      }
    },
    regroup: (name, realm, groups) => records.regroup(name, realm, groups),
    list: () => present(records.all()),
    isStale: () => false,
    secretKey: purpose => records.secretKey(purpose),
    onEnd(listener) {
      listeners.push(listener)
    },
    sweep,
    [Symbol.dispose]() {
      sweeps[Symbol.dispose]()
      uses[Symbol.dispose]()
      hearing?.[Symbol.dispose]()
      records[Symbol.dispose]()
    },
  }
}
