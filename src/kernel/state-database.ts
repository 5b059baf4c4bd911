/**
 * The database of the state: one SQLite file that sessions, accounts and the ledger open, each with tables of its own.
 *
 * The file is for the account of the gateway only. Two processes write to it, a gateway and a command, so whatever
 * reads before it writes goes through `inOneStep`. Not to forget: whatever goes wrong with the file, or with a record
 * in it, is Fault('state-unavailable'), never "there is none".
 *
 * Source: sqlite.org/wal.html, sqlite.org/pragma.html (synchronous, busy_timeout).
 */
import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from './fault.ts'

export interface StateDatabaseOptions {
  readonly file: string
  /** Creates what is not there yet. */
  readonly schema: string
  /** Whose records, for the log. */
  readonly about: string
  /** `normal`: a power cut may take the last writes away again, and they cost less. */
  readonly synchronous: 'full' | 'normal'
  /** What is thrown on purpose, and is no fault. */
  readonly isRefusal?: (thrown: unknown) => boolean
}

export interface StateDatabase extends Disposable {
  readonly database: DatabaseSync
  /** Whatever is thrown in there is a fault, except a refusal, and a bug of ours. */
  ask<T>(work: () => T): T
  /** The same in one transaction, which keeps every other writer out from its first line. */
  inOneStep<T>(work: () => T): T
  /** Like inOneStep, but who finds another writer there does not wait for it: that is a fault, too. */
  atOnce<T>(work: () => T): T
  /** Another number once somebody else has written to the file, seen within `freshFor`. What is written here is known. */
  epoch(): number
  fault(cause: unknown): Fault
}

/** Milliseconds that what was read may count before the file is asked whether it still does. */
export const freshFor = 250

/** Milliseconds. A command may hold the file for a moment. */
export const patience = 1_000

/** Made where it is not there yet, with mode 0600. */
export function openStateDatabase(options: StateDatabaseOptions): StateDatabase {
  const { file, schema, about, synchronous, isRefusal = () => false } = options
  const fault = (cause: unknown) => new Fault('state-unavailable', { cause, about: `${about} in ${file}` })
  const ask = <T>(work: () => T): T => {
    try {
      return work()
    } catch (cause) {
      if (cause instanceof TypeError || cause instanceof Fault || isRefusal(cause)) throw cause
      throw fault(cause)
    }
  }
  const database = ask(() => {
    // SQLite gives its side files (-wal, -shm) the mode of the main one.
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
    const opened = new DatabaseSync(file, { timeout: patience })
    opened.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous};`)
    opened.exec(schema)
    return opened
  })
  const version = ask(() => database.prepare('pragma data_version'))
  const inOneStep = <T>(work: () => T): T =>
    ask(() => {
      database.exec('begin immediate')
      try {
        const outcome = work()
        database.exec('commit')
        return outcome
      } catch (cause) {
        if (database.isTransaction) database.exec('rollback')
        throw cause
      }
    })
  let epoch = -1
  let askedAt = Number.NEGATIVE_INFINITY
  return {
    database,
    ask,
    epoch() {
      // Not the clock of the house: one that is set back must not make what was read last longer.
      const now = performance.now()
      if (now - askedAt < freshFor && database.isOpen) return epoch
      epoch = ask(() => Number(version.get()?.['data_version']))
      askedAt = now
      return epoch
    },
    inOneStep,
    atOnce(work) {
      ask(() => database.exec('pragma busy_timeout = 0'))
      try {
        return inOneStep(work)
      } finally {
        database.exec(`pragma busy_timeout = ${patience}`)
      }
    },
    fault,
    [Symbol.dispose]() {
      if (database.isOpen) database.close()
    },
  }
}
