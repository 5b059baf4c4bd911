/**
 * The SQLite file in which sessions and secret keys stand: opening, reading, writing; no rule about who is in or out.
 *
 * What was read is known here until another program has written to the file, so that a request reads nothing; and that a session
 * is used is known here until it is written, so that a request writes nothing.
 *
 * The cookie is known to the browser alone; here stands its SHA-256, so a stolen file opens nothing. The file is for the
 * account of the gateway only. Whatever goes wrong with it is Fault('state-unavailable').
 */
import { randomBytes } from 'node:crypto'
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { openStateDatabase } from '../kernel/state-database.ts'
import { cookieDigest } from './cookies.ts'
import type { Principal } from './principal.ts'
import { createSessionTable } from './session-table.ts'

export interface SessionRecord {
  /** A short public handle; says nothing about the cookie. */
  readonly id: string
  readonly name: string
  readonly realm: Principal['realm']
  readonly groups: ReadonlySet<string>
  readonly by: 'password'
  /** The address it was opened from. */
  readonly from: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Milliseconds since 1970, not finer than a minute. */
  readonly lastUsedAt: number
}

/** Sessions known without reading; about 500 bytes each. */
const mostKnown = 20_000

export interface SessionRecords extends Disposable {
  add(cookie: string, record: SessionRecord): void
  /** Like byId, of a quarter of a second ago at most where another program writes; when it was used last, of longer ago. */
  byDigest(digest: string): SessionRecord | undefined
  byId(id: string): SessionRecord | undefined
  /** As it stands in the file now. */
  reread(id: string): SessionRecord | undefined
  /** Oldest first. */
  all(): SessionRecord[]
  /** The one not used for longest first. */
  ofPerson(name: string, realm: Principal['realm']): SessionRecord[]
  /** It counts at once, and stands in the file after the next `writeUses`. */
  use(id: string, at: number): void
  /** All or none, without waiting for another writer: what could not be written is kept for the next time. */
  writeUses(): void
  /** How many have changed. */
  regroup(name: string, realm: Principal['realm'], groups: ReadonlySet<string>): number
  /** False: there was none. */
  remove(id: string): boolean
  /** All or none, without waiting for another writer. */
  removeAll(ids: Iterable<string>): void
  /** Made at the first request for this purpose. */
  secretKey(purpose: string): Buffer
}

const schema = `
create table if not exists session (
  digest blob primary key,
  id text not null unique,
  name text not null,
  realm text not null,
  groups text not null,
  opened_by text not null,
  opened_from text not null,
  created_at integer not null,
  last_used_at integer not null
) strict, without rowid;
create index if not exists session_person on session (name, realm);
create table if not exists secret_key (purpose text primary key, key blob not null) strict, without rowid;
`

/** In hexadecimal, which costs a third of what bytes cost; the file holds the bytes. */
const bytesOf = (digest: string): Buffer => Buffer.from(digest, 'hex')

export function openSessionRecords(file: string): SessionRecords {
  // normal: a session that is used is written, and none of it is worth a write that waits for the disk.
  const state = openStateDatabase({ file, schema, about: 'sessions', synchronous: 'normal' })
  const { ask: sql, database } = state
  const statements = sql(() => prepare(database))
  const known = createSessionTable(mostKnown)
  const unwritten = new Map<string, number>()
  const recordIn = (row: Row): SessionRecord => {
    const record = readRow(row)
    return { ...record, lastUsedAt: Math.max(record.lastUsedAt, unwritten.get(record.id) ?? 0) }
  }
  const readAs = (read: () => Row | undefined): SessionRecord | undefined => {
    // Before it is read: what another program writes in between belongs to the next epoch.
    const epoch = state.epoch()
    const row = sql(read)
    if (row === undefined) return undefined
    const [digest, record] = sql(() => [digestIn(row), recordIn(row)] as const)
    known.put(digest, record, epoch)
    return record
  }
  const reread = (id: string) => {
    known.forget(id)
    return readAs(() => statements.byId.get(id))
  }

  return {
    add(cookie, record) {
      const { id, name, realm, groups, by, from, createdAt, lastUsedAt } = record
      const digest = cookieDigest(cookie)
      const row = [bytesOf(digest), id, name, realm, JSON.stringify([...groups]), by, from, createdAt, lastUsedAt]
      const epoch = state.epoch()
      sql(() => statements.add.run(...row))
      known.put(digest, record, epoch)
    },
    byDigest(digest) {
      return known.byDigest(digest, state.epoch()) ?? readAs(() => statements.byDigest.get(bytesOf(digest)))
    },
    byId: id => known.byId(id, state.epoch()) ?? reread(id),
    reread,
    all: () => sql(() => statements.all.all().map(recordIn)),
    ofPerson: (name, realm) =>
      sql(() => statements.ofPerson.all(name, realm).map(recordIn)).toSorted(
        (a, b) => a.lastUsedAt - b.lastUsedAt || a.createdAt - b.createdAt,
      ),
    use(id, at) {
      unwritten.set(id, at)
      known.use(id, at)
    },
    writeUses() {
      if (unwritten.size === 0) return
      state.atOnce(() => {
        for (const [id, at] of unwritten) statements.use.run(at, id)
      })
      unwritten.clear()
    },
    regroup(name, realm, groups) {
      const text = JSON.stringify([...groups])
      return sql(() => {
        // Hardly ever is there anything to change, and a write waits for whoever else writes.
        if (statements.otherGroups.get(name, realm, text) === undefined) return 0
        known.forgetAll()
        return Number(statements.regroup.run(text, name, realm, text).changes)
      })
    },
    remove(id) {
      known.forget(id)
      const isRemoved = sql(() => statements.remove.run(id).changes > 0)
      unwritten.delete(id)
      return isRemoved
    },
    removeAll(ids) {
      const all = [...ids]
      if (all.length === 0) return
      for (const id of all) known.forget(id)
      state.atOnce(() => {
        for (const id of all) statements.remove.run(id)
      })
      for (const id of all) unwritten.delete(id)
    },
    secretKey: purpose =>
      sql(() => {
        statements.addKey.run(purpose, randomBytes(32))
        const key = statements.key.get(purpose)?.['key']
        if (!(key instanceof Uint8Array) || key.length !== 32) throw new Error(`the key for ${purpose} is damaged`)
        return Buffer.from(key)
      }),
    [Symbol.dispose]: () => state[Symbol.dispose](),
  }
}

const prepare = (records: DatabaseSync) => ({
  add: records.prepare('insert into session values (?, ?, ?, ?, ?, ?, ?, ?, ?)'),
  byDigest: records.prepare('select * from session where digest = ?'),
  byId: records.prepare('select * from session where id = ?'),
  all: records.prepare('select * from session order by created_at, id'),
  ofPerson: records.prepare('select * from session where name = ? and realm = ?'),
  use: records.prepare('update session set last_used_at = max(last_used_at, ?) where id = ?'),
  otherGroups: records.prepare('select id from session where name = ? and realm = ? and groups <> ? limit 1'),
  regroup: records.prepare('update session set groups = ? where name = ? and realm = ? and groups <> ?'),
  remove: records.prepare('delete from session where id = ?'),
  addKey: records.prepare('insert into secret_key values (?, ?) on conflict do nothing'),
  key: records.prepare('select key from secret_key where purpose = ?'),
})

type Row = Record<string, SQLOutputValue>

function digestIn(row: Row): string {
  const digest = row['digest']
  if (!(digest instanceof Uint8Array)) throw new Error('a record of a session is damaged')
  return Buffer.from(digest).toString('hex')
}

function readRow(row: Row): SessionRecord {
  const groups: unknown = JSON.parse(String(row['groups']))
  const realm = row['realm']
  if (!Array.isArray(groups) || typeof realm !== 'string') {
    throw new Error('a record of a session is damaged')
  }
  return {
    id: String(row['id']),
    name: String(row['name']),
    realm,
    groups: new Set(groups.map(String)),
    by: 'password',
    from: String(row['opened_from']),
    createdAt: Number(row['created_at']),
    lastUsedAt: Number(row['last_used_at']),
  }
}
