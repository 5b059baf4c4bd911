/**
 * The accounts of people of the directory, in the database of the state: reading and writing, no rule about who is in.
 *
 * The gateway and commands write at the same time, so each change reads and writes in one transaction. Not to forget:
 * a record that cannot be read is a fault, never "no account": whoever is locked would come in as somebody new.
 */
import { createHash } from 'node:crypto'
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { z } from 'zod'
import { PersonName } from '../config/scalars.ts'
import { createRemembered } from '../kernel/remembered.ts'
import { openStateDatabase } from '../kernel/state-database.ts'
import type { DirectoryAccount, FileDirectoryAccounts } from './directory-account.ts'

const schema = `
create table if not exists directory_account (
  name text primary key,
  dn text not null,
  entry_id text,
  particulars text not null,
  groups text not null,
  locked integer not null,
  created_at integer not null,
  last_login_at integer
) strict, without rowid;
`

export const Particulars = z.partialRecord(
  z.enum(['firstName', 'middleName', 'lastName', 'email', 'institution']),
  z.string(),
)
export const Groups = z.array(
  z.strictObject({ name: z.string().min(1), source: z.enum(['directory', 'local']), owner: z.boolean() }),
)

/** Names that `lately` knows, accounts of them or not. */
const mostKnown = 20_000

/** Made with its table where it is not there yet. */
export function openDirectoryAccounts({ file }: { readonly file: string }): FileDirectoryAccounts {
  const state = openStateDatabase({ file, schema, about: 'accounts of the directory', synchronous: 'full' })
  const statements = state.ask(() => prepare(state.database))
  const known = createRemembered<DirectoryAccount | undefined>(mostKnown)

  const read = (name: string): DirectoryAccount | undefined => {
    const row = statements.one.get(name)
    const account = row && readAccount(row)
    // What is no well-formed text is changed on its way into SQLite, and would be found under another name.
    return account?.name === name ? account : undefined
  }
  const write = (account: DirectoryAccount): void => {
    const { name, dn, entryId = null, particulars, groups, locked, createdAt, lastLoginAt = null } = account
    const lists = [JSON.stringify(Particulars.parse(particulars)), JSON.stringify(Groups.parse(groups))] as const
    statements.write.run(name, dn, entryId, ...lists, locked ? 1 : 0, createdAt, lastLoginAt)
    known.forget(name)
  }

  return {
    find: name => state.ask(() => read(name)),
    lately: name => known.of(name, state.epoch(), () => state.ask(() => read(name))),
    list: () => state.ask(() => statements.all.all().map(readAccount)),
    version: name =>
      state.ask(() => {
        const account = read(name)
        return account && versionOf(account)
      }),
    add(account) {
      assertName(account.name)
      return state.inOneStep(() => {
        if (read(account.name) !== undefined) return false
        write(account)
        return true
      })
    },
    update: (name, changed) =>
      state.inOneStep(() => {
        const account = read(name)
        if (account === undefined) return false
        write({ ...account, ...changed, name, createdAt: account.createdAt })
        return true
      }),
    remove(name) {
      known.forget(name)
      return state.inOneStep(() => read(name) !== undefined && statements.remove.run(name).changes > 0)
    },
    [Symbol.dispose]: () => state[Symbol.dispose](),
  }
}

export function versionOf({ lastLoginAt: _, ...rest }: DirectoryAccount): string {
  return createHash('sha256').update(JSON.stringify(rest)).digest('base64url')
}

export function assertName(name: string): void {
  if (!PersonName.safeParse(name).success || !name.isWellFormed())
    throw new TypeError('nobody can have this name, and it was not refused before')
}

const prepare = (database: DatabaseSync) => ({
  one: database.prepare('select * from directory_account where name = ?'),
  all: database.prepare('select * from directory_account order by name'),
  write: database.prepare('insert or replace into directory_account values (?, ?, ?, ?, ?, ?, ?, ?)'),
  remove: database.prepare('delete from directory_account where name = ?'),
})

function readAccount(row: Record<string, SQLOutputValue>): DirectoryAccount {
  return {
    name: PersonName.parse(row['name']),
    dn: String(row['dn']),
    entryId: row['entry_id'] === null ? undefined : String(row['entry_id']),
    particulars: Particulars.parse(JSON.parse(String(row['particulars']))),
    groups: Groups.parse(JSON.parse(String(row['groups']))),
    // In the direction of failure: whatever else stands there means locked.
    locked: row['locked'] !== 0,
    createdAt: z.int().parse(row['created_at']),
    lastLoginAt: z.int().nullable().parse(row['last_login_at']) ?? undefined,
  }
}
