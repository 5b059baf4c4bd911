/**
 * `sallyport accounts unlink`: back to a local account. OMERO `ldap setdn false`: the old local password counts again.
 *
 * Not to forget: there is no moment in which the name is nobody's, else the directory would make it anew; and who is
 * locked stays locked.
 */
import type { DirectoryAccount } from '../identity/directory-account.ts'
import type { LocalAccount } from '../identity/local-accounts.ts'
import { randomPassword } from '../issuer/random-password.ts'
import { type OneAccount, requireDirectoryAccount } from './accounts-list.ts'
import { plain } from './certs-text.ts'
import { endedText, openPeople, type People } from './people.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'

export async function unlinkAccount(argv: OneAccount, report: Report): Promise<void> {
  await using people = await openPeople(argv, report, 'change')
  const account = requireDirectoryAccount(people, people.called(argv.name))
  const { name, locked } = account
  const dormant = people.local.find(name)
  const local = dormant ?? (await makeLocal(people, account))
  // While the other record is there this one lies dormant, so nobody comes in with it in between.
  if (locked && !local.locked) await people.local.setLocked(name, true)
  await people.directory.remove(name)

  const shown = plain(name)
  const place = shownPath(people.file)
  const ended = endedText(await people.endSessions(name))
  const how =
    dormant === undefined
      ? `is a local account now, made in ${place}, with a password that nobody knows${ended}`
      : `is a local account again, in ${place}, with its old password${ended}`
  report.result(`account ${shown} ${how}`, people.local.find(name))
  const groups = local.groups.length === 0 ? 'no groups' : `the groups ${local.groups.map(plain).join(', ')}`
  report.note(`it has ${groups}`)
  if (locked || local.locked) report.note(`it is locked: sallyport users unlock ${quoted(name)} lets it in again`)
  if (dormant === undefined) report.note(`sallyport users passwd ${quoted(name)} gives it a password`)
  if (people.configuration?.config.realms.passwordProvider === 'directory')
    report.warn('realms.passwordProvider is "directory": with this configuration no local account can sign in')
}

async function makeLocal({ local }: People, { name, groups }: DirectoryAccount): Promise<LocalAccount> {
  const names = groups.map(group => group.name)
  const added = await local.add({ name, groups: names, password: randomPassword() })
  const made = local.find(name)
  // Added by somebody else just now: then that one counts.
  if (made === undefined) throw new CommandEnd(1, `no local account could be made (${added}); nothing was changed`)
  return made
}
