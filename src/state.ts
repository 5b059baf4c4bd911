/**
 * The state, wherever the configuration says that it stands: in a file of this machine, or in a Redis that several gateways
 * share. What is opened here is closed with it.
 */
import { join } from 'node:path'
import type { Config } from './config/schema.ts'
import { type AccountSource, accountsIn } from './identity/account-file.ts'
import type { DirectoryAccounts } from './identity/directory-account.ts'
import { openDirectoryAccounts } from './identity/directory-accounts.ts'
import type { FailureCounts } from './identity/failure-counts.ts'
import { openFailureRecords } from './identity/failure-records.ts'
import { openSharedAccounts, sharedAccountText } from './identity/redis-accounts.ts'
import { openSharedFailures } from './identity/redis-failures.ts'
import { openSharedSessions } from './identity/redis-sessions.ts'
import { openSessionStore, type SessionStore } from './identity/session-store.ts'
import { type Ledger, ledgerFile, openLedger } from './issuer/ledger.ts'
import { openSharedLedger } from './issuer/redis-ledger.ts'
import type { Clock } from './kernel/clock.ts'
import { Fault } from './kernel/fault.ts'
import type { News } from './kernel/news.ts'
import { redisName } from './redis/connection.ts'
import { openReplica } from './redis/replica.ts'
import type { StoreMaterials } from './redis/terms.ts'

export interface State extends AsyncDisposable {
  readonly sessions: SessionStore
  /** Of people of the directory. */
  readonly accounts: DirectoryAccounts
  readonly ledger: Ledger
  readonly failures: FailureCounts
  /** Where local accounts stand. */
  localAccounts(local: Config['realms']['local']): AccountSource
  /** What is wrong with a Redis just now; undefined as a whole for a file, which is asked by whoever needs it. */
  readonly trouble: (() => Fault | undefined) | undefined
  /** Rejects with Fault('state-unavailable') when something was done here that the others do not know of. */
  settled(): Promise<void>
}

export interface StateOptions {
  readonly config: Pick<Config, 'state' | 'sessions'>
  readonly clock: Clock
  /** Absent: no other process of ours has this state open. */
  readonly news?: News | undefined
  readonly store: StoreMaterials
  /** Told once when a Redis goes, or a file cannot be written, and when it is back (undefined). */
  readonly changed: (fault: Fault | undefined) => void
}

/** May throw, or reject with, Fault('state-unavailable'). */
export async function openState(options: StateOptions): Promise<State> {
  const { config, clock, store, changed } = options
  const { store: section, idle, absolute } = config.sessions
  await using open = new AsyncDisposableStack()
  if (section.kind === 'sqlite') {
    const { file } = section
    const sessions = open.use(openSessionStore({ file, idle, absolute, clock, news: options.news, changed }))
    const accounts = open.use(openDirectoryAccounts({ file }))
    const ledger = open.use(openLedger(join(config.state, ledgerFile)))
    const failures = open.use(openFailureRecords({ file, clock }))
    const opened = open.move()
    return {
      ...{ sessions, accounts, ledger, failures },
      localAccounts: ({ file: users }) => accountsIn(users),
      trouble: undefined,
      settled: async () => undefined,
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    }
  }
  let fault: Fault | undefined
  const replica = open.use(
    await openReplica({
      ...{ section, password: store.password, trust: store.trust },
      changed(now) {
        fault = now
        changed(now)
      },
    }),
  )
  const sessions = open.use(openSharedSessions({ replica, idle, absolute, clock }))
  const failures = open.use(openSharedFailures({ replica, key: await sessions.secretKey('failures'), clock }))
  const opened = open.move()
  return {
    sessions,
    accounts: openSharedAccounts(replica),
    ledger: openSharedLedger(replica),
    failures,
    localAccounts: ({ file, isShared }) =>
      isShared ? sharedAccountText(replica, redisName(section)) : accountsIn(file),
    trouble: () => fault,
    async settled() {
      if (sessions.unwritten > 0)
        throw fault ?? new Fault('state-unavailable', { about: `${redisName(section)} was not told of everything` })
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
