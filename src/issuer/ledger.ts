/**
 * The ledger: what was issued, and what of it was taken back. Tables of their own in the database of the state.
 *
 * A certificate is in here, and on the disk, before it leaves the house: one that nobody remembers cannot be revoked.
 * Nothing is ever removed, and what is revoked stays so. A running gateway asks `revoked` on every connection, which is
 * answered from memory; `poll` brings that up to date with what commands wrote meanwhile. Not to forget: while the
 * database cannot be read the last known state goes on to count, so nobody who was put out comes in again.
 *
 * Source: RFC 5280 5.2.3 (CRL number), 5.3.1 (reasons).
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Eventually } from '../kernel/eventually.ts'
import { openStateDatabase, patience } from '../kernel/state-database.ts'
import {
  type IssuedEntry,
  type IssuedRecord,
  plainHex,
  plainSerial,
  type RevocationReason,
  readEntry,
  stateOf,
} from './issued-entry.ts'
import { IssuerRefusal } from './refusal.ts'
import { chooseForRevocation } from './revocation-choice.ts'

/** The name of the database in the state folder; sessions stand in the same file. */
export const ledgerFile = 'sallyport.db'

export interface RevokeOptions {
  readonly at: Date
  /** Absent: unspecified. */
  readonly reason?: RevocationReason
  /** SHA-256 of the CA certificate. Absent: whatever authority it is from. */
  readonly authority?: string
}

export interface Revocation {
  readonly at: Date
  readonly reason: string
}

export interface Ledger extends Disposable {
  /** The same record once more adds nothing. */
  record(issued: IssuedRecord & { readonly authority: string }): Eventually<void>
  /** Oldest first. */
  list(): Eventually<IssuedEntry[]>
  /**
   * What was revoked now. By serial (any case, colons or none), or by a name that has one certificate which is good.
   * Refuses with `issued-unknown`, `revoked-already`, `issued-expired`, `revoke-ambiguous`.
   */
  revoke(serialOrName: string, options: RevokeOptions): Eventually<IssuedEntry[]>
  /** Every client certificate of exactly this name that is good, of whatever authority; what was revoked now. */
  revokeAllOf(name: string, options: Omit<RevokeOptions, 'authority'>): Eventually<IssuedEntry[]>
  /** From memory, for every connection. @param authority  SHA-256 of the CA certificate, hexadecimal */
  revoked(authority: string, serial: string): Revocation | undefined
  /** The same by SHA-256 of the certificate itself, where its issuer is not at hand or was renewed. */
  revokedCertificate(sha256: string): Revocation | undefined
  /** Another number whenever the set of what is revoked has changed. */
  revision(): number
  /** True: the set of what is revoked has changed. While the database is locked: false, and the old set counts. */
  poll(): boolean
  /** 1, 2, 3 …: the number of the next revocation list of this authority, never the same twice. */
  nextListNumber(authority: string): Eventually<number>
}

/** One that waits for nothing. */
export interface FileLedger extends Ledger {
  record(issued: IssuedRecord & { readonly authority: string }): void
  list(): IssuedEntry[]
  revoke(serialOrName: string, options: RevokeOptions): IssuedEntry[]
  revokeAllOf(name: string, options: Omit<RevokeOptions, 'authority'>): IssuedEntry[]
  nextListNumber(authority: string): number
}

const schema = `
create table if not exists issued (
  authority text not null,
  serial text not null,
  subject text not null,
  name text not null,
  kind text not null,
  not_after text not null,
  sha256 text not null,
  issued_at text not null,
  revoked_at text,
  reason text,
  primary key (authority, serial)
) strict, without rowid;
create index if not exists issued_revoked on issued (revoked_at) where revoked_at is not null;
create table if not exists revocation_list (authority text primary key, number integer not null) strict, without rowid;
`

/** Milliseconds. A command that writes waits for another one; a look at what changed does not keep the gateway. */
const pollPatience = 50
/** SQLITE_BUSY and SQLITE_LOCKED. */
const locked = new Set([5, 6])

/** Made with its tables where it is not there yet (0600). Whatever goes wrong is Fault('state-unavailable'). */
export function openLedger(file: string): FileLedger {
  // full: a revocation, or a serial, that a power cut takes away again would be a hole.
  const state = openStateDatabase({
    ...{ file, schema, about: 'issued certificates', synchronous: 'full' },
    isRefusal: thrown => thrown instanceof IssuerRefusal,
  })
  const { database, ask: sql, inOneStep } = state
  const statements = sql(() => prepare(database))
  let version = -1
  let snapshot = new Map<string, Revocation>()
  let revision = 0

  const read = (): boolean => {
    version = Number(statements.version.get()?.['data_version'])
    const fresh = new Map<string, Revocation>()
    for (const { authority, serial, sha256, revokedAt, reason } of statements.revoked.all().map(readEntry)) {
      if (revokedAt === undefined) continue
      const revocation = { at: new Date(revokedAt), reason: reason ?? 'unspecified' }
      fresh.set(keyOf(authority, serial), revocation)
      fresh.set(plainHex(sha256), revocation)
    }
    // Nothing is ever taken back from the set, so another size is the only way for it to differ.
    const changed = fresh.size !== snapshot.size
    snapshot = fresh
    if (changed) revision++
    return changed
  }
  sql(read)

  return {
    record({ authority, serial, subject, name, kind, notAfter, sha256, when }) {
      const key = [plainHex(authority), plainSerial(serial)] as const
      sql(() => {
        if (statements.add.run(...key, subject, name, kind, notAfter, sha256, when).changes > 0) return
        const known = statements.one.get(...key)
        if (known?.['sha256'] !== sha256) throw new Error(`the serial ${serial} stands for another certificate already`)
      })
    },
    list: () => sql(() => statements.all.all().map(readEntry)),
    revoke(serialOrName, { at, reason = 'unspecified', authority }) {
      const chosen = inOneStep(() => {
        const all = statements.all.all().map(readEntry)
        const ours = authority === undefined ? all : all.filter(entry => entry.authority === plainHex(authority))
        const entry = chooseForRevocation(ours, serialOrName, at)
        statements.revoke.run(at.toISOString(), reason, entry.authority, entry.serial)
        return { ...entry, revokedAt: at.toISOString(), reason }
      })
      sql(read)
      return [chosen]
    },
    revokeAllOf(name, { at, reason = 'unspecified' }) {
      const revokedAt = at.toISOString()
      const taken = inOneStep(() => {
        const all = statements.all.all().map(readEntry)
        const good = all.filter(
          entry => entry.name === name && entry.kind === 'client' && stateOf(entry, at) === 'good',
        )
        for (const { authority, serial } of good) statements.revoke.run(revokedAt, reason, authority, serial)
        return good.map(entry => ({ ...entry, revokedAt, reason }))
      })
      sql(read)
      return taken
    },
    revoked: (authority, serial) => snapshot.get(keyOf(authority, serial)),
    revokedCertificate: sha256 => snapshot.get(plainHex(sha256)),
    revision: () => revision,
    poll() {
      try {
        database.exec(`pragma busy_timeout = ${pollPatience}`)
        return Number(statements.version.get()?.['data_version']) === version ? false : read()
      } catch (cause) {
        if (isLocked(cause)) return false
        throw state.fault(cause)
      } finally {
        if (database.isOpen) database.exec(`pragma busy_timeout = ${patience}`)
      }
    },
    nextListNumber: authority =>
      inOneStep(() => {
        const row = statements.nextNumber.get(plainHex(authority))
        return Number(row?.['number'])
      }),
    [Symbol.dispose]: () => state[Symbol.dispose](),
  }
}

export const keyOf = (authority: string, serial: string) => `${plainHex(authority)} ${plainSerial(serial)}`

const isLocked = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  'errcode' in thrown &&
  typeof thrown.errcode === 'number' &&
  locked.has(thrown.errcode & 0xff)

const prepare = (database: DatabaseSync) => ({
  version: database.prepare('pragma data_version'),
  add: database.prepare('insert into issued values (?, ?, ?, ?, ?, ?, ?, ?, null, null) on conflict do nothing'),
  one: database.prepare('select * from issued where authority = ? and serial = ?'),
  all: database.prepare('select * from issued order by issued_at, serial'),
  revoked: database.prepare('select * from issued where revoked_at is not null'),
  revoke: database.prepare('update issued set revoked_at = ?, reason = ? where authority = ? and serial = ?'),
  nextNumber: database.prepare(
    'insert into revocation_list values (?, 1) on conflict do update set number = number + 1 returning number',
  ),
})
