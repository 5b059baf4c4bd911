/**
 * A folder with a configuration whose directory is a real slapd, or none, and the state behind it at hand.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { DirectoryAccount } from '../../src/identity/directory-account.ts'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { openSessionStore } from '../../src/identity/session-store.ts'
import { openLedger } from '../../src/issuer/ledger.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import type { Slapd } from '../fixture/slapd.ts'
import { type Surroundings, sallyport } from './command.ts'

const hour = 3_600_000

export interface PeopleOptions {
  /** Absent: a directory that nobody asks. */
  readonly slapd?: Slapd
  /** YAML inside `realms`. */
  readonly realms?: string
  /** `realms.directory.syncOnLogin`; absent: true. */
  readonly syncOnLogin?: boolean
}

/** The configuration is found without being named; there is no state yet. */
export function peoplePlace(t: Pick<Test, 'teardown'>, { slapd, realms = '', syncOnLogin = true }: PeopleOptions = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'sallyport-people-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  mkdirSync(join(cwd, 'config'))
  writeFileSync(join(cwd, 'reader'), slapd?.reader.password ?? 'unused', { mode: 0o600 })
  writeFileSync(
    join(cwd, 'config/sallyport.yaml'),
    `state: ../state
administrators: [pacs-admins]
authority: { dir: ../certs/authority }
# The certificate is missing: nothing here needs it.
listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: server.pem } } }
realms:
  ${realms}
  directory:
    enabled: true
    urls: ${slapd?.url ?? 'ldap://127.0.0.1:9'}
    username: "${slapd?.reader.dn ?? 'cn=reader'}"
    password: { file: ../reader }
    base: "${slapd?.base ?? 'o=lab'}"
    userMapping: omeName=uid,firstName=givenName,lastName=sn,email=mail
    newUserGroup: ":query:(member=@{dn})"
    syncOnLogin: ${syncOnLogin}
`,
  )
  const state = join(cwd, 'state')
  const store = join(state, 'sallyport.db')
  const opened = <T extends Disposable>(open: () => T): T => {
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const it = open()
    t.teardown(() => it[Symbol.dispose]())
    return it
  }
  const run =
    (command: string) =>
    (args: readonly string[], more: Partial<Surroundings> = {}) =>
      sallyport([command, ...args], { cwd, ...more })
  return {
    cwd,
    state,
    accounts: run('accounts'),
    users: run('users'),
    local: openLocalAccounts({ file: join(state, 'users.yaml'), clock: systemClock }),
    /** These make the state. */
    directory: () => opened(() => openDirectoryAccounts({ file: store })),
    sessions: () => opened(() => openSessionStore({ file: store, idle: hour, absolute: hour, clock: systemClock })),
    ledger: () => opened(() => openLedger(store)),
  }
}

export const accountOf = (name: string, more: Partial<DirectoryAccount> = {}): DirectoryAccount => ({
  name,
  dn: `uid=${name},ou=people,dc=lab,dc=test`,
  entryId: `entryUUID:${name}`,
  particulars: { email: `${name}@lab.test` },
  groups: [{ name: 'radiology', source: 'directory', owner: false }],
  locked: false,
  createdAt: Date.UTC(2026, 10, 1),
  lastLoginAt: undefined,
  ...more,
})
