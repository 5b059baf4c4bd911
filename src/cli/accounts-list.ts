/**
 * `sallyport accounts list` and `show`: who has come in by the directory, and what the gateway remembers of them.
 */
import type { DirectoryAccount } from '../identity/directory-account.ts'
import { accountLines, groupsText, moment, stateText } from './accounts-text.ts'
import { plain } from './certs-text.ts'
import { asValue, personOf } from './one-person.ts'
import { openPeople, type People, type PeopleArguments } from './people.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'
import { tableOf } from './table.ts'

export interface OneAccount extends PeopleArguments {
  name: string
}

export async function listAccounts(argv: PeopleArguments, report: Report): Promise<void> {
  await using people = await openPeople(argv, report, 'read')
  const all = people.directory.list()
  const values = all.map(account => asValue({ kind: 'directory', account, dormant: people.local.find(account.name) }))
  if (all.length === 0)
    report.note(
      'nobody of the directory has an account yet: the first sign-in makes one, or sallyport accounts create NAME',
    )
  const rows = all.map(account => [
    plain(account.name),
    stateText(account),
    moment(account.lastLoginAt),
    groupsText(account.groups),
    plain(account.dn),
  ])
  report.result(all.length === 0 ? '' : tableOf([['NAME', 'STATE', 'LAST SIGN-IN', 'GROUPS', 'DN'], ...rows]), values)
}

export async function showAccount(argv: OneAccount, report: Report): Promise<void> {
  await using people = await openPeople(argv, report, 'read')
  const name = people.called(argv.name)
  const account = requireDirectoryAccount(people, name)
  const dormant = people.local.find(name)
  const lies =
    dormant === undefined
      ? undefined
      : `a local account lies in ${shownPath(people.file)}${dormant.locked ? ', locked' : ''}; accounts unlink wakes it up`
  report.result(accountLines(account, lies).join('\n'), asValue({ kind: 'directory', account, dormant }))
}

/** @throws CommandEnd 1 that says whether there is a local account instead */
export function requireDirectoryAccount(people: People, name: string): DirectoryAccount {
  const person = personOf(people, name)
  if (person?.kind === 'directory') return person.account
  if (person !== undefined)
    throw new CommandEnd(
      1,
      `${JSON.stringify(name)} is a local account, in ${shownPath(people.file)}`,
      `sallyport accounts link ${quoted(name)} hands it over to the directory; sallyport users list shows it`,
    )
  throw new CommandEnd(
    1,
    `there is no account ${JSON.stringify(name)} of the directory`,
    `sallyport accounts list names them; sallyport accounts create ${quoted(name)} makes it before the first sign-in`,
  )
}
