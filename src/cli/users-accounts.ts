/**
 * What `sallyport users` does to the account file: add, passwd, list. What puts people out is in users-locks.ts.
 *
 * The gateway looks at the file each time, so what is changed here counts at once. A password is never printed.
 */
import { PersonName } from '../config/scalars.ts'
import { usablePassword } from '../identity/local-accounts.ts'
import { plain } from './certs-text.ts'
import { noAccount, personOf, requirePerson } from './one-person.ts'
import { newPassword } from './password-input.ts'
import { noteRevoked, openPeople, type PeopleArguments, putOut, putOutText } from './people.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'
import { tableOf } from './table.ts'

export interface OneAccount extends PeopleArguments {
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

/** For every command of `users`, as it also says where local accounts do not count. */
export async function openUsers(argv: PeopleArguments, report: Report, purpose: 'read' | 'change') {
  const people = await openPeople(argv, report, purpose)
  if (people.configuration?.config.realms.passwordProvider === 'directory')
    report.warn('realms.passwordProvider is "directory": with this configuration no local account can sign in')
  return people
}

export interface AddArguments extends WithPassword {
  group: string[]
}

export async function addAccount({ group, ...argv }: AddArguments, report: Report): Promise<void> {
  await using people = await openUsers(argv, report, 'change')
  const { local, file } = people
  const groups = [...new Set(group)]
  const odd = [argv.name, ...groups].find(one => one.trim() !== one || !PersonName.safeParse(one).success)
  if (odd !== undefined) {
    const why = 'is empty, longer than 256 characters, begins or ends with a blank, or has control characters in it'
    throw new CommandEnd(2, `the name ${JSON.stringify(odd)} ${why}`)
  }
  const name = people.called(argv.name)
  const taken = () =>
    new CommandEnd(
      1,
      `${shownPath(file)} has an account "${name}" already`,
      `sallyport users passwd ${quoted(name)} gives it another password`,
    )
  // Asked before the password is, so that nobody types one for nothing.
  const person = personOf(people, name)
  if (person?.kind === 'directory')
    throw new CommandEnd(
      1,
      `"${name}" is a person of the directory (${plain(person.account.dn)}), and a name is one person`,
      `sallyport accounts unlink ${quoted(name)} makes it a local account`,
    )
  if (person !== undefined) throw taken()
  const password = await newPassword(
    { file: argv.passwordFile, prompt: `password for ${name}`, judge: weakness },
    report,
  )
  switch (await local.add({ name, groups, password })) {
    case 'name-taken':
      throw taken()
    case 'bad-name':
      throw new CommandEnd(2, 'a name or group is empty, longer than 256 characters, or has control characters in it')
    case 'bad-password':
      throw new CommandEnd(2, 'this password is not taken')
    case 'added':
      report.result(
        `account ${name} added to ${shownPath(file)}; ${groups.length === 0 ? 'in no group' : `groups: ${groups.join(', ')}`}`,
        local.find(name),
      )
  }
}

export async function changePassword(argv: WithPassword, report: Report): Promise<void> {
  await using people = await openUsers(argv, report, 'change')
  const name = people.called(argv.name)
  const person = requirePerson(people, name)
  if (person.kind === 'directory')
    throw new CommandEnd(
      1,
      `${name} is a person of the directory (${plain(person.account.dn)}): the password is changed there`,
      `sallyport accounts unlink ${quoted(name)} makes it a local account`,
    )
  const password = await newPassword(
    { file: argv.passwordFile, prompt: `new password for ${name}`, judge: weakness },
    report,
  )
  if (!(await people.local.setPassword(name, password))) throw noAccount(people, name)
  const done = `account ${name} has a new password`
  const out = await putOut(people, name, done, 'superseded')
  report.result(`${done}${putOutText(out)}`, { ...people.local.find(name), ...out })
  noteRevoked(out, name, '', report)
}

export async function listAccounts(argv: PeopleArguments, report: Report): Promise<void> {
  await using people = await openUsers(argv, report, 'read')
  const { local, file, directory } = people
  const all = local.list().map(account => ({ ...account, dormant: directory.find(account.name) !== undefined }))
  if (all.length === 0) report.note(`no local accounts in ${shownPath(file)}; sallyport users add NAME makes one`)
  const rows = all.map(({ name, groups, locked, dormant, createdAt }) => [
    name,
    dormant ? 'dormant' : locked ? 'locked' : 'open',
    createdAt.slice(0, 10),
    groups.join(', '),
  ])
  report.result(all.length === 0 ? '' : tableOf([['NAME', 'STATE', 'SINCE', 'GROUPS'], ...rows]), all)
  if (all.some(({ dormant }) => dormant))
    report.note('dormant: the directory vouches for that person now (sallyport accounts show NAME)')
}
