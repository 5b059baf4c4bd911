/**
 * The whole password check over real accounts, as generation.ts puts it together, without grid unless a test asks for it.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import { realmsSection, type ThrottleSection } from '../../src/config/realm.ts'
import { fileScalars } from '../../src/config/scalars.ts'
import { openDirectoryAccounts } from '../../src/identity/directory-accounts.ts'
import { createDirectoryLogin, type PasswordDirectory } from '../../src/identity/directory-login.ts'
import { createFailureCounts, type FailureCounts } from '../../src/identity/failure-counts.ts'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { createPasswordCheck, type PasswordRealms } from '../../src/identity/password-realms.ts'
import { createStanding } from '../../src/identity/standing.ts'
import { createThrottle } from '../../src/identity/throttle.ts'
import { type MovedClock, movedClock } from './moved-clock.ts'

export const from = '10.0.0.1'

export const usualLimits: ThrottleSection = realmsSection(fileScalars(path => path)).parse({}).throttle

export interface RealmsOptions {
  /** Undefined: `realms.directory` is not enabled. */
  readonly at: PasswordDirectory | undefined
  readonly provider?: PasswordRealms['provider']
  readonly ignoreCase?: boolean
  readonly syncOnLogin?: boolean
  readonly limits?: Partial<ThrottleSection>
  readonly counts?: FailureCounts
  readonly grid?: number
  /** The state of another one: the accounts are the same. */
  readonly dir?: string
  readonly clock?: MovedClock
  readonly local?: PasswordRealms['local']
}

/** There is one local account: admin, with the password "local admin". */
export async function realmsOf(t: Test, options: RealmsOptions) {
  const { at, provider = 'chained', ignoreCase = false, syncOnLogin = true, grid = 0 } = options
  const clock = options.clock ?? movedClock()
  const dir = options.dir ?? t.testdir({})
  const users = openLocalAccounts({ file: join(dir, 'users.yaml'), clock })
  await users.add({ name: 'admin', groups: ['pacs-admins'], password: 'local admin' })
  const accounts = openDirectoryAccounts({ file: join(dir, 'state.db') })
  t.teardown(() => accounts[Symbol.dispose]())
  const standing = createStanding({ local: users, accounts })
  const throttle = createThrottle(options.counts ?? createFailureCounts(clock), { ...usualLimits, ...options.limits })
  const warnings: unknown[] = []
  const passwords = createPasswordCheck({
    ...{ provider, ignoreCase, accounts, standing, throttle, grid, local: options.local ?? users },
    directory: at && {
      login: createDirectoryLogin({
        ...{ directory: at, accounts, local: users, binds: throttle.binds, syncOnLogin, clock },
        filterOnce: provider === 'chained431',
        reserved: { administrators: ['pacs-admins'], allowed: [] },
        warn: facts => warnings.push(facts),
      }),
      pretendToCheck: () => at.pretendToCheck(),
    },
  })
  const verify = (name: string, password: string, address = from) => passwords.verify(name, password, address)
  return { dir, local: users, accounts, standing, passwords, verify, warnings, clock }
}

export const detailOf = (answer: { readonly kind: string; readonly detail?: string }): string => answer.detail ?? ''
