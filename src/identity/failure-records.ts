/**
 * The same counts in the database of the state: all processes of a machine count together, and a restart forgets nothing.
 *
 * Read when somebody signs in, written when that fails or was preceded by failures; what is over is removed once a minute.
 * Not to forget: people type passwords where a name belongs, so the file holds keyed hashes. A failure that cannot be
 * written is counted in this process, and is a Fault('state-unavailable'): nobody guesses on while the file is kept.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../kernel/clock.ts'
import { Fault } from '../kernel/fault.ts'
import { openStateDatabase, patience, type StateDatabase } from '../kernel/state-database.ts'
import {
  countersBy,
  createFailureCounter,
  type FailureCounter,
  type FailureCounts,
  type Failures,
  type FamiliarAddresses,
  familiarFor,
  mostAddresses,
  mostKeys,
} from './failure-counts.ts'

export interface FailureRecordsOptions {
  readonly file: string
  readonly clock: Clock
  /** Rows of failures, and of familiar addresses; absent: 100 000. The oldest go first. */
  readonly most?: number
}

const schema = `
create table if not exists failure (
  kind text not null,
  key blob not null,
  count integer not null,
  since integer not null,
  within integer not null,
  primary key (kind, key)
) strict, without rowid;
create table if not exists familiar_address (
  name blob not null,
  address blob not null,
  at integer not null,
  primary key (name, address)
) strict;
create table if not exists secret_key (purpose text primary key, key blob not null) strict, without rowid;
`

const cleanEvery = 60_000
/** A known address is not written at each sign-in. */
const familiarAnew = 3_600_000

/** Made with its tables where it is not there yet. */
export function openFailureRecords({
  file,
  clock,
  most = mostKeys,
}: FailureRecordsOptions): FailureCounts & Disposable {
  const state = openStateDatabase({ file, schema, about: 'failed sign-ins', synchronous: 'normal' })
  const statements = state.ask(() => prepare(state.database))
  const key = state.ask(() => secretKey(statements))
  const hashOf = (text: string): Buffer => createHmac('sha256', key).update(text).digest().subarray(0, 16)
  let cleanedAt = Number.NEGATIVE_INFINITY
  let heldAt = Number.NEGATIVE_INFINITY
  /** Of several that are counted together, one waits for whoever keeps the file. */
  const write: Parts['write'] = work => {
    try {
      if (performance.now() - heldAt < patience) state.atOnce(work)
      else state.inOneStep(work)
    } catch (fault) {
      heldAt = performance.now()
      throw fault
    }
  }

  function clean(): void {
    const now = clock.now()
    if (Math.abs(now - cleanedAt) < cleanEvery) return
    cleanedAt = now
    statements.cleanFailures.run(now)
    statements.cleanFamiliar.run(now - familiarFor)
    statements.fewerFailures.run(most)
    statements.fewerFamiliar.run(most)
  }
  const parts: Parts = { state, statements, hashOf, clean, clock, write }
  return {
    ...countersBy(kind => counterIn(parts, kind)),
    familiar: familiarIn(parts),
    [Symbol.dispose]: () => state[Symbol.dispose](),
  }
}

interface Parts {
  readonly state: StateDatabase
  readonly statements: Statements
  readonly hashOf: (text: string) => Buffer
  readonly clean: () => void
  readonly clock: Clock
  readonly write: (work: () => void) => void
}

function counterIn({ state, statements, hashOf, clean, clock, write }: Parts, kind: string): FailureCounter {
  /** What could not be written. */
  const unwritten = createFailureCounter(clock)
  const none: Failures = { count: 0, left: 0 }

  function written(key: Buffer): Failures {
    const row = statements.of.get(kind, key)
    if (row === undefined) return none
    const age = clock.now() - Number(row['since'])
    // A clock that was set back must not make the time longer than it is.
    if (age < 0) statements.since.run(clock.now(), kind, key)
    const left = Number(row['within']) - Math.max(age, 0)
    return left > 0 ? { count: Number(row['count']), left } : none
  }
  return {
    of(text) {
      const one = state.ask(() => written(hashOf(text)))
      const other = unwritten.of(text)
      return { count: one.count + other.count, left: Math.max(one.left, other.left) }
    },
    add(text, within, anew) {
      const now = clock.now()
      try {
        write(() => {
          statements.add.run({ kind, key: hashOf(text), now, within, anew: anew ? 1 : 0 })
          clean()
        })
      } catch (fault) {
        if (fault instanceof Fault) unwritten.add(text, within, anew)
        throw fault
      }
    },
    forget(text) {
      const key = hashOf(text)
      // Hardly ever is there anything to forget, and a write waits for whoever else writes.
      state.ask(() => statements.of.get(kind, key) !== undefined && statements.forget.run(kind, key))
      unwritten.forget(text)
    },
  }
}

function familiarIn({ state, statements, hashOf, clean, clock }: Parts): FamiliarAddresses {
  const isRecent = (at: unknown): boolean => typeof at === 'number' && Math.abs(clock.now() - at) < familiarFor
  return {
    has: (name, address) => state.ask(() => isRecent(statements.familiar.get(hashOf(name), hashOf(address))?.['at'])),
    knows: name => state.ask(() => statements.familiarOf.all(hashOf(name)).some(row => isRecent(row['at']))),
    add(name, address) {
      const [who, where, now] = [hashOf(name), hashOf(address), clock.now()]
      const before = state.ask(() => statements.familiar.get(who, where)?.['at'])
      if (typeof before === 'number' && Math.abs(now - before) < familiarAnew) return
      state.inOneStep(() => {
        statements.addFamiliar.run(who, where, now)
        statements.latestFamiliar.run(who, who, mostAddresses)
        clean()
      })
    },
  }
}

type Statements = ReturnType<typeof prepare>

const prepare = (database: DatabaseSync) =>
  ({
    of: database.prepare('select count, since, within from failure where kind = ? and key = ?'),
    since: database.prepare('update failure set since = ? where kind = ? and key = ?'),
    add: database.prepare(`
      insert into failure values (:kind, :key, 1, :now, :within) on conflict do update set
        count = iif(:now - since >= within, 1, count + 1),
        within = iif(:now - since >= within or :anew, :within, within),
        since = iif(:now - since >= within or :anew or :now < since, :now, since)`),
    forget: database.prepare('delete from failure where kind = ? and key = ?'),
    cleanFailures: database.prepare('delete from failure where since + within <= ?'),
    fewerFailures: database.prepare(`delete from failure where (kind, key) in
      (select kind, key from failure order by since desc limit -1 offset ?)`),
    familiar: database.prepare('select at from familiar_address where name = ? and address = ?'),
    familiarOf: database.prepare('select at from familiar_address where name = ?'),
    addFamiliar: database.prepare('insert or replace into familiar_address values (?, ?, ?)'),
    latestFamiliar: database.prepare(`delete from familiar_address where name = ? and address not in
      (select address from familiar_address where name = ? order by at desc, rowid desc limit ?)`),
    cleanFamiliar: database.prepare('delete from familiar_address where at <= ?'),
    fewerFamiliar: database.prepare(`delete from familiar_address where (name, address) in
      (select name, address from familiar_address order by at desc limit -1 offset ?)`),
    addKey: database.prepare('insert into secret_key values (?, ?) on conflict do nothing'),
    key: database.prepare('select key from secret_key where purpose = ?'),
  }) satisfies Record<string, StatementSync>

function secretKey({ addKey, key }: Statements): Uint8Array {
  addKey.run('failures', randomBytes(32))
  const found = key.get('failures')?.['key']
  if (!(found instanceof Uint8Array) || found.length !== 32) throw new Error('the key for failures is damaged')
  return found
}
