/**
 * What the gateway would make of a sign-in: asked of the very code that decides it, with what the directory has just said
 * in place of the directory, and nothing written.
 *
 * Not to forget: without a password it is decided as if the right one had come, and the words say so. What the running
 * gateway counts (failed tries) is not known here.
 */
import type { Config } from '../config/schema.ts'
import type { RefusalReason } from '../identity/answer.ts'
import type { DirectoryAccounts } from '../identity/directory-account.ts'
import { groupNames } from '../identity/directory-admission.ts'
import { createDirectoryLogin, type PasswordDirectory } from '../identity/directory-login.ts'
import { createVerdictOf } from '../identity/directory-verdict.ts'
import type { LocalAccounts } from '../identity/local-accounts.ts'
import { createPasswordCheck } from '../identity/password-realms.ts'
import { createStanding } from '../identity/standing.ts'
import type { Throttle } from '../identity/throttle.ts'
import { systemClock } from '../kernel/clock.ts'
import { causeLine, Fault } from '../kernel/fault.ts'

export type Decision =
  | {
      readonly outcome: 'let-in'
      readonly name: string
      readonly realm: string
      readonly groups: readonly string[]
      /** What the person would be told besides. */
      readonly notice?: { readonly expiresIn?: number; readonly graceLeft?: number }
    }
  | { readonly outcome: 'refused'; readonly reason: RefusalReason; readonly why: string }
  /** Neither: the directory has the word, and does not answer. */
  | { readonly outcome: 'unavailable'; readonly why: string }

export interface DecisionParts {
  readonly config: Pick<Config, 'realms' | 'administrators'>
  readonly accounts: Pick<DirectoryAccounts, 'find'>
  readonly local: LocalAccounts
  readonly directory: Omit<PasswordDirectory, 'pretendToCheck'>
}

/** @param password  undefined: as if the right one had come */
export async function decide(name: string, password: string | undefined, parts: DecisionParts): Promise<Decision> {
  const { config, accounts, local, directory } = parts
  const { realms, administrators } = config
  const pretendToCheck = async () => undefined
  const check = createPasswordCheck({
    ...{ provider: realms.passwordProvider, ignoreCase: realms.ignoreCase, accounts, throttle: unthrottled, grid: 1 },
    local: password === undefined ? believing(local) : local,
    standing: createStanding({ local, accounts }),
    directory: realms.directory.enabled
      ? {
          pretendToCheck,
          login: createDirectoryLogin({
            directory: { ...directory, pretendToCheck },
            accounts: unwritten(accounts),
            ...{ local, binds: unthrottled.binds, clock: systemClock, warn: () => undefined },
            syncOnLogin: realms.directory.syncOnLogin,
            filterOnce: realms.passwordProvider === 'chained431',
            reserved: { administrators, allowed: realms.directory.allowReserved },
          }),
        }
      : undefined,
  })
  const answer = await check.verify(name, password ?? 'the right one', '127.0.0.1').catch(asOutcome)
  if (answer instanceof Fault) return { outcome: 'unavailable', why: causeLine(answer) }
  if (answer.kind === 'refused') return { outcome: 'refused', reason: answer.reason, why: answer.detail }
  const { principal, notice } = answer
  const groups = [...principal.groups]
  return {
    ...{ outcome: 'let-in', name: principal.name, realm: principal.realm, groups },
    ...(notice === undefined ? {} : { notice }),
  }
}

/** The counts of failed tries are in the gateway that runs. */
const unthrottled: Throttle = {
  learn: () => undefined,
  refusal: () => undefined,
  isKept: () => false,
  failed: () => undefined,
  succeeded: () => undefined,
  isFamiliar: () => true,
  binds: { learn: () => undefined, refusal: () => undefined, refused: () => undefined, taken: () => undefined },
}

/** As if every password were the right one. */
const believing = (local: LocalAccounts): Pick<LocalAccounts, 'find' | 'verify'> => ({
  find: name => local.find(name),
  async verify(name) {
    const account = local.find(name)
    if (account === undefined) return { kind: 'unknown' }
    return account.locked ? { kind: 'locked' } : { kind: 'right', account }
  },
})

export type HolderDecision =
  | { readonly outcome: 'let-in'; readonly groups: readonly string[] }
  | { readonly outcome: 'refused' | 'unavailable'; readonly why: string }

/** Whoever holds a certificate of this name; undefined: none of them is looked up in the directory. */
export async function decideForHolder(name: string, parts: DecisionParts): Promise<HolderDecision | undefined> {
  const { config, accounts, local, directory } = parts
  const { realms, administrators } = config
  if (!realms.directory.enabled || !realms.certificate.some(realm => realm.directory)) return undefined
  const verdictOf = createVerdictOf({
    ...{ directory, local, provider: realms.passwordProvider, syncOnLogin: realms.directory.syncOnLogin },
    accounts: unwritten(accounts),
    reserved: { administrators, allowed: realms.directory.allowReserved },
    now: () => systemClock.now(),
  })
  const verdict = await verdictOf(name).catch(asOutcome)
  if (verdict instanceof Fault) return { outcome: 'unavailable', why: causeLine(verdict) }
  return verdict.kind === 'in'
    ? { outcome: 'let-in', groups: [...groupNames(verdict.account)] }
    : { outcome: 'refused', why: verdict.why }
}

const unwritten = (accounts: Pick<DirectoryAccounts, 'find'>) => ({
  find: (name: string) => accounts.find(name),
  add: () => true,
  update: () => true,
})

function asOutcome(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown
  throw thrown
}
