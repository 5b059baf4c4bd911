/**
 * Whoever a command may name: local accounts, accounts of people of the directory, and all that hangs on the name of one
 * who is put out (sessions, client certificates).
 *
 * Not to forget: a name is one person. Where both kinds of account are there, the directory's counts, and the local one
 * lies dormant with its old password.
 */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { DirectoryAccounts } from '../identity/directory-account.ts'
import { openDirectoryAccounts } from '../identity/directory-accounts.ts'
import { type LocalAccounts, openLocalAccounts } from '../identity/local-accounts.ts'
import { openSessionStore } from '../identity/session-store.ts'
import type { RevocationReason } from '../issuer/issued-entry.ts'
import { systemClock } from '../kernel/clock.ts'
import { causeLine, Fault } from '../kernel/fault.ts'
import { foldName } from '../kernel/fold-name.ts'
import { openExistingLedger } from './certs-authority.ts'
import { type Configuration, configFile, requireConfiguration } from './configuration.ts'
import { openConfiguredState, sharedIn } from './configured-state.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'
import { refuseForeign, refuseForeignOwner } from './state-owner.ts'

export interface PeopleArguments {
  config?: string | undefined
}

export interface PutOut {
  readonly sessionsEnded: number
  /** Serials. */
  readonly certificatesRevoked: readonly string[]
}

export interface People extends AsyncDisposable {
  /** Undefined: there is none, and the usual places count. */
  readonly configuration: Configuration | undefined
  /** users.yaml. */
  readonly file: string
  readonly local: LocalAccounts
  readonly directory: DirectoryAccounts
  /** As accounts are called: what was typed, in small letters where `realms.ignoreCase` says so. */
  called(typed: string): string
  /** How many have ended. */
  endSessions(name: string): Promise<number>
  /** All good client certificates of this name; their serials. */
  takeBackCertificates(name: string, reason: RevocationReason): Promise<readonly string[]>
}

const dayLong = 86_400_000

/** Of a state in which no account was ever made; nothing is left there by looking. */
const nobody: DirectoryAccounts = {
  find: () => undefined,
  lately: () => undefined,
  list: () => [],
  version: () => undefined,
  add: () => {
    throw new TypeError('opened to look, and written to')
  },
  update: () => false,
  remove: () => false,
  [Symbol.dispose]: () => undefined,
}

/**
 * @param purpose  `make`: people of the directory may get their first account, so the database is made
 * @throws CommandEnd 2 where the state belongs to another account
 */
export async function openPeople(
  { config: named }: PeopleArguments,
  report: Report,
  purpose: 'read' | 'change' | 'make',
): Promise<People> {
  const path = configFile(named)
  const configuration = path === undefined ? undefined : requireConfiguration(path, report)
  const shared = sharedIn(configuration)
  return shared === undefined ? openOwnPeople(configuration, report, purpose) : await openSharedPeople(shared, report)
}

const calledIn =
  (configuration: Configuration | undefined, { local, directory }: Pick<People, 'local' | 'directory'>) =>
  (typed: string): string => {
    const isKnown = local.find(typed) !== undefined || directory.find(typed) !== undefined
    return configuration?.config.realms.ignoreCase === true && !isKnown ? foldName(typed) : typed
  }

async function openSharedPeople(configuration: Configuration, report: Report): Promise<People> {
  const state = await openConfiguredState(configuration, report)
  const source = state.localAccounts(configuration.config.realms.local)
  const local = openLocalAccounts({ file: source, clock: systemClock })
  const { accounts: directory, sessions, ledger } = state
  if (!configuration.config.realms.local.isShared)
    report.note(
      `local accounts stand in ${shownPath(source.place)} of this machine: bring them to the other gateways yourself`,
    )
  return {
    ...{ configuration, file: source.place, local, directory },
    called: calledIn(configuration, { local, directory }),
    async endSessions(name) {
      const count = await sessions.closeAllOf(name)
      await state.settled()
      return count
    },
    async takeBackCertificates(name, reason) {
      const revoked = await ledger.revokeAllOf(name, { at: new Date(), reason })
      return revoked.map(({ serial }) => serial)
    },
    [Symbol.asyncDispose]: () => state[Symbol.asyncDispose](),
  }
}

function openOwnPeople(
  configuration: Configuration | undefined,
  report: Report,
  purpose: 'read' | 'change' | 'make',
): People {
  const config = configuration?.config
  const state = config?.state ?? resolve('state')
  const file = config?.realms.local.file ?? join(state, 'users.yaml')
  const section = config?.sessions.store
  const store = section?.kind === 'sqlite' ? section.file : join(state, 'sallyport.db')
  if (purpose !== 'read') {
    refuseForeign(state)
    refuseForeignOwner(dirname(file))
  }
  if (purpose === 'make') refuseForeignOwner(dirname(store))
  const opens = purpose === 'make' || existsSync(store)
  // Also for looking: SQLite writes beside the file whatever it is opened for.
  if (opens) refuseForeign(store)
  const directory = opens ? openDirectoryAccounts({ file: store }) : nobody
  const local = openLocalAccounts({ file, clock: systemClock })

  return {
    ...{ configuration, file, local, directory },
    called: calledIn(configuration, { local, directory }),
    async endSessions(name) {
      if (!existsSync(store)) return 0
      const { idle, absolute } = config?.sessions ?? { idle: dayLong, absolute: dayLong }
      using sessions = openSessionStore({ file: store, idle, absolute, clock: systemClock })
      return sessions.closeAllOf(name)
    },
    async takeBackCertificates(name, reason) {
      const { dir = resolve('certs/authority'), days, password } = config?.authority ?? {}
      using ledger = await openExistingLedger({ dir, state, days, password }, report)
      const revoked = await ledger?.revokeAllOf(name, { at: new Date(), reason })
      return revoked?.map(({ serial }) => serial) ?? []
    },
    [Symbol.asyncDispose]: async () => directory[Symbol.dispose](),
  }
}

/** @throws CommandEnd 1 that says what has been done already, and what has not */
export async function putOut(people: People, name: string, done: string, reason: RevocationReason): Promise<PutOut> {
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause
      throw new CommandEnd(1, `${done}, but ${what}: ${causeLine(cause)}`, 'run the same command once more')
    }
  }
  return {
    sessionsEnded: await attempt('sessions may go on', () => people.endSessions(name)),
    certificatesRevoked: await attempt('client certificates were not taken back', () =>
      people.takeBackCertificates(name, reason),
    ),
  }
}

/** As half sentences behind what was done; nothing where nothing ended. */
export function endedText(sessionsEnded: number): string {
  if (sessionsEnded === 0) return ''
  return `; ${sessionsEnded === 1 ? 'one session' : `${sessionsEnded} sessions`} ended`
}

export function putOutText({ sessionsEnded, certificatesRevoked: serials }: PutOut): string {
  const ended = endedText(sessionsEnded)
  if (serials.length === 0) return ended
  const taken = serials.length === 1 ? 'one client certificate' : `${serials.length} client certificates`
  return `${ended}; ${taken} taken back:\n${serials.map(serial => `  serial ${serial}`).join('\n')}`
}

/**
 * What else is to be done where certificates were taken back.
 *
 * @param again  when that person needs a new one; undefined: never
 */
export function noteRevoked(
  { certificatesRevoked: { length } }: PutOut,
  name: string,
  again: string | undefined,
  report: Report,
): void {
  if (length === 0) return
  report.note('other servers need the new list: sallyport certs crl')
  if (again !== undefined) report.note(`for a new one${again}: sallyport certs client ${quoted(name)}`)
}
