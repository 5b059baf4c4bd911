/**
 * What `sallyport users` does to the account file: add, passwd, lock, unlock, remove, list.
 *
 * The gateway looks at the file each time, so what is changed here counts at once. A password is never printed.
 */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { PersonName } from '../config/scalars.ts'
import { type LocalAccount, type LocalAccounts, openLocalAccounts, usablePassword } from '../identity/local-accounts.ts'
import { openSessionStore } from '../identity/session-store.ts'
import { systemClock } from '../kernel/clock.ts'
import { configFile, requireConfiguration } from './configuration.ts'
import { confirmed, newPassword } from './password-input.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'
import { refuseForeign, refuseForeignOwner } from './state-owner.ts'

export interface AccountsArguments {
  config?: string | undefined
}
export interface OneAccount extends AccountsArguments {
  name: string
}
export interface WithPassword extends OneAccount {
  passwordFile?: string | undefined
}

/** NIST SP 800-63B 5.1.1.2; longer is better than stranger, so nothing else is asked. */
const shortest = 8

const weakness = (password: string): string | undefined => {
  if (!usablePassword(password))
    return 'a password of blanks only, with NUL, or of more than 1024 characters is not taken'
  return [...password.normalize('NFC')].length < shortest
    ? `a password needs at least ${shortest} characters`
    : undefined
}

const dayLong = 86_400_000

interface Place {
  readonly file: string
  readonly accounts: LocalAccounts
  /** Ends whoever is signed in under this name; how many that were, as a half sentence. */
  endSessions(name: string): string
}

function open({ config: named }: AccountsArguments, report: Report, purpose: 'read' | 'change'): Place {
  const path = configFile(named)
  const config = path === undefined ? undefined : requireConfiguration(path, report).config
  const file = config?.realms.local.file ?? resolve('state/users.yaml')
  if (config?.realms.passwordProvider === 'directory') {
    report.warn('realms.passwordProvider is "directory": with this configuration no local account can sign in')
  }
  if (purpose === 'change') {
    refuseForeign(config?.state ?? resolve('state'))
    refuseForeignOwner(dirname(file))
  }
  const store = config?.sessions.store ?? resolve('state/sallyport.db')
  return {
    file,
    accounts: openLocalAccounts({ file, clock: systemClock }),
    endSessions(name) {
      if (!existsSync(store)) return ''
      const { idle, absolute } = config?.sessions ?? { idle: dayLong, absolute: dayLong }
      using sessions = openSessionStore({ file: store, idle, absolute, clock: systemClock })
      const ended = sessions.closeAllOf(name, 'local')
      return ended === 0 ? '' : `; ${ended === 1 ? 'one session' : `${ended} sessions`} ended`
    },
  }
}

const unknown = ({ file }: Place, name: string) =>
  new CommandEnd(
    1,
    `there is no account ${JSON.stringify(name)} in ${shownPath(file)}`,
    'sallyport users list names them',
  )

const known = (place: Place, name: string): LocalAccount => {
  const account = place.accounts.find(name)
  if (account === undefined) throw unknown(place, name)
  return account
}

export interface AddArguments extends WithPassword {
  group: string[]
}

export async function addAccount({ group, ...argv }: AddArguments, report: Report): Promise<void> {
  const place = open(argv, report, 'change')
  const { accounts, file } = place
  const { name } = argv
  const groups = [...new Set(group)]
  const odd = [name, ...groups].find(one => one.trim() !== one || !PersonName.safeParse(one).success)
  if (odd !== undefined) {
    const why = 'is empty, longer than 256 characters, begins or ends with a blank, or has control characters in it'
    throw new CommandEnd(2, `the name ${JSON.stringify(odd)} ${why}`)
  }
  const taken = () =>
    new CommandEnd(
      1,
      `${shownPath(file)} has an account "${name}" already`,
      `sallyport users passwd ${name} gives it another password`,
    )
  // Asked before the password is, so that nobody types one for nothing.
  if (accounts.find(name) !== undefined) throw taken()
  const password = await newPassword(
    { file: argv.passwordFile, prompt: `password for ${name}`, judge: weakness },
    report,
  )
  switch (await accounts.add({ name, groups, password })) {
    case 'name-taken':
      throw taken()
    case 'bad-name':
      throw new CommandEnd(2, 'a name or group is empty, longer than 256 characters, or has control characters in it')
    case 'bad-password':
      throw new CommandEnd(2, 'this password is not taken')
    case 'added':
      report.result(
        `account ${name} added to ${shownPath(file)}; ${groups.length === 0 ? 'in no group' : `groups: ${groups.join(', ')}`}`,
        known(place, name),
      )
  }
}

export async function changePassword(argv: WithPassword, report: Report): Promise<void> {
  const place = open(argv, report, 'change')
  const { name } = known(place, argv.name)
  const password = await newPassword(
    { file: argv.passwordFile, prompt: `new password for ${name}`, judge: weakness },
    report,
  )
  if (!(await place.accounts.setPassword(name, password))) throw unknown(place, name)
  report.result(`account ${name} has a new password${place.endSessions(name)}`, known(place, name))
}

export const setLocked =
  (locked: boolean) =>
  async (argv: OneAccount, report: Report): Promise<void> => {
    const place = open(argv, report, 'change')
    const before = known(place, argv.name)
    if (!(await place.accounts.setLocked(argv.name, locked))) throw unknown(place, argv.name)
    const state = locked ? 'locked' : 'unlocked'
    const ended = locked ? place.endSessions(argv.name) : ''
    report.result(
      `account ${argv.name} ${before.locked === locked ? `was ${state} already` : `is ${state}`}${ended}`,
      known(place, argv.name),
    )
  }

export interface RemoveArguments extends OneAccount {
  yes: boolean
}

export async function removeAccount(argv: RemoveArguments, report: Report): Promise<void> {
  const place = open(argv, report, 'change')
  const account = known(place, argv.name)
  if (!argv.yes && !(await confirmed(`Remove the account ${argv.name} from ${shownPath(place.file)}?`))) {
    throw new CommandEnd(1, 'not removed')
  }
  if (!(await place.accounts.remove(argv.name))) throw unknown(place, argv.name)
  report.result(`account ${argv.name} removed from ${shownPath(place.file)}${place.endSessions(argv.name)}`, {
    ...account,
    removed: true,
  })
}

export function listAccounts(argv: AccountsArguments, report: Report): void {
  const { accounts, file } = open(argv, report, 'read')
  const all = accounts.list()
  if (all.length === 0) report.note(`no local accounts in ${shownPath(file)}; sallyport users add NAME makes one`)
  const rows = all.map(({ name, groups, locked, createdAt }) => [
    name,
    locked ? 'locked' : 'open',
    createdAt.slice(0, 10),
    groups.join(', '),
  ])
  report.result(all.length === 0 ? '' : table([['NAME', 'STATE', 'SINCE', 'GROUPS'], ...rows]), all)
}

function table(rows: readonly (readonly string[])[]): string {
  const width = (column: number) => Math.max(...rows.map(row => row[column]?.length ?? 0))
  return rows
    .map(row =>
      row
        .map((cell, at) => cell.padEnd(width(at)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
