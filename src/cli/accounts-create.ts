/**
 * `sallyport accounts create`: an account for a person of the directory who has not signed in yet. OMERO `ldap create`.
 *
 * It goes by the rules of a sign-in, but for the password: who would not be let in gets no account.
 */
import { PersonName } from '../config/scalars.ts'
import { admit } from '../identity/directory-admission.ts'
import { admissibleGroups } from '../identity/directory-groups.ts'
import type { OneAccount } from './accounts-list.ts'
import { groupsText } from './accounts-text.ts'
import { plain } from './certs-text.ts'
import { openConfiguredDirectory } from './configured-directory.ts'
import { asValue, personOf } from './one-person.ts'
import { openPeople } from './people.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'

export async function createAccount(argv: OneAccount, report: Report): Promise<void> {
  await using people = await openPeople(argv, report, 'make')
  const { configuration, directory: accounts } = people
  await using directory = await openConfiguredDirectory(configuration, report)
  const name = people.called(argv.name)
  if (!PersonName.safeParse(name).success)
    throw new CommandEnd(
      2,
      `the name ${JSON.stringify(name)} is empty, longer than 256 characters, or has control characters in it`,
    )
  const person = personOf(people, name)
  if (person?.kind === 'local')
    throw new CommandEnd(
      1,
      `${JSON.stringify(name)} is a local account, in ${shownPath(people.file)}`,
      `sallyport accounts link ${quoted(name)} hands it over to the directory`,
    )
  if (person !== undefined)
    throw new CommandEnd(
      1,
      `${JSON.stringify(name)} has an account already`,
      `sallyport accounts show ${quoted(name)} shows it`,
    )
  const found = await directory.find(name)
  if (found.kind === 'not-found') throw notFound(name, found.why)
  const { entry } = found
  const { administrators, realms } = configuration?.config ?? {}
  const reserved = { administrators: administrators ?? [], allowed: realms?.directory.allowReserved ?? [] }
  const answer = await directory.groupsOf(entry)
  const { groups, dropped } = admissibleGroups(answer.kind === 'groups' ? answer.groups : [], reserved)
  noteDropped(dropped, report)
  if (groups.length === 0)
    throw new CommandEnd(
      1,
      `the directory confers no group on ${plain(entry.dn)}, and nobody is let in without: no account was made`,
      answer.kind === 'no-groups' ? plain(answer.why) : undefined,
    )
  const syncOnLogin = realms?.directory.syncOnLogin === true
  const admission = await admit(
    { entry, groups, at: Date.now(), signsIn: false },
    { accounts, local: people.local, syncOnLogin },
  )
  if (admission.kind === 'refused') throw new CommandEnd(1, `no account was made: ${plain(admission.why)}`)
  const { account } = admission
  report.result(
    `account ${plain(account.name)} made for ${plain(account.dn)}; groups: ${groupsText(account.groups)}`,
    asValue({ kind: 'directory', account, dormant: undefined }),
  )
  if (entry.closed !== undefined) report.warn(`nobody can sign in with it just now: ${plain(entry.closed)}`)
}

export const notFound = (name: string, why: string) =>
  new CommandEnd(
    1,
    `the directory has no person ${JSON.stringify(name)}: ${plain(why)}`,
    'realms.directory.userFilter and the attribute of omeName in userMapping decide who is one',
  )

function noteDropped(dropped: readonly string[], report: Report): void {
  if (dropped.length === 0) return
  const names = dropped.map(plain).join(', ')
  report.warn(
    `the directory also confers ${names}, which is reserved, and is left out (realms.directory.allowReserved lets it in)`,
  )
}
