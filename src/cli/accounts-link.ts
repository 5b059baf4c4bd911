/**
 * `sallyport accounts link`: a local account becomes one of the directory, or an account follows its person to another
 * entry. OMERO `ldap setdn true`.
 *
 * Not to forget: whoever has that entry has this account from now on, with all the groups that were given to it here.
 */
import { isDeepStrictEqual } from 'node:util'
import type { DirectoryAccount } from '../identity/directory-account.ts'
import { isSameEntry } from '../identity/directory-admission.ts'
import type { LocalAccount } from '../identity/local-accounts.ts'
import { concerns, entryFor } from './accounts-entry.ts'
import type { OneAccount } from './accounts-list.ts'
import { entryLines, groupsText } from './accounts-text.ts'
import { plain } from './certs-text.ts'
import { openConfiguredDirectory } from './configured-directory.ts'
import { asValue, noAccount, requirePerson } from './one-person.ts'
import { confirmed } from './password-input.ts'
import { endedText, openPeople, type People } from './people.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'

export interface LinkArguments extends OneAccount {
  dn?: string | undefined
  yes: boolean
}

export async function linkAccount(argv: LinkArguments, report: Report): Promise<void> {
  await using people = await openPeople(argv, report, 'make')
  await using directory = await openConfiguredDirectory(people.configuration, report)
  const person = requirePerson(people, people.called(argv.name))
  const { name } = person.account
  const entry = await entryFor(people, directory, name, argv.dn)
  const other = people.directory.list().find(account => account.name !== name && isSameEntry(account, entry))
  if (other !== undefined)
    throw new CommandEnd(
      1,
      `${plain(entry.dn)} is the entry of the account ${plain(other.name)} already`,
      `sallyport accounts unlink ${quoted(other.name)} or sallyport users remove ${quoted(other.name)} sets it free`,
    )
  const facts = { dn: entry.dn, entryId: entry.id, particulars: entry.particulars }
  if (person.kind === 'local') {
    const doubts = await concerns(people, directory, entry, person.account.groups)
    return await handOver(people, { account: person.account, facts, doubts, yes: argv.yes }, report)
  }
  await moveOver(people, { account: person.account, facts, yes: argv.yes }, report)
}

type Facts = Pick<DirectoryAccount, 'dn' | 'entryId' | 'particulars'>

interface Linking<Account> {
  readonly account: Account
  readonly facts: Facts
  readonly yes: boolean
}

async function handOver(
  people: People,
  linking: Linking<LocalAccount> & { doubts: readonly string[] },
  report: Report,
) {
  const { account, facts, yes, doubts } = linking
  const { name, locked } = account
  const groups = account.groups.map(group => ({ name: group, source: 'local' as const, owner: false }))
  report.note([`the local account ${plain(name)} becomes that of`, ...entryLines('entry', idOf(facts))].join('\n'))
  const lasting = groups.length === 0 ? '' : '; they stay, whatever the directory says'
  report.note(`  groups    ${groupsText(groups)}${lasting}`)
  for (const doubt of doubts) report.warn(doubt)
  const question = 'From now on the password of that entry opens it, and the local one no longer does. Go on?'
  if (!yes && !(await confirmed(question))) throw new CommandEnd(1, 'not linked')
  // Else whoever was locked while the question stood there would be let in by it.
  if (!isDeepStrictEqual(people.local.find(name), account))
    throw new CommandEnd(
      1,
      `the local account ${plain(name)} was changed just now: not linked`,
      'look at it, and link it again',
    )
  const made = { name, ...facts, groups, locked, createdAt: Date.now(), lastLoginAt: undefined }
  if (!(await people.directory.add(made))) throw new CommandEnd(1, `${name} was linked by somebody else just now`)
  report.result(
    `account ${plain(name)} is of the directory now${locked ? ', and locked as before' : ''}${endedText(await people.endSessions(name))}; its local account lies dormant in ${shownPath(people.file)}`,
    asValue({ kind: 'directory', account: made, dormant: account }),
  )
}

async function moveOver(people: People, { account, facts: said, yes }: Linking<DirectoryAccount>, report: Report) {
  const { name } = account
  const dormant = people.local.find(name)
  const isSame = isSameEntry(account, { dn: said.dn, id: said.entryId })
  const facts = { ...said, entryId: said.entryId ?? (isSame ? account.entryId : undefined) }
  const show = (text: string) =>
    report.result(text, asValue({ kind: 'directory', account: { ...account, ...facts }, dormant }))
  if (isSame && account.dn === facts.dn && account.entryId === facts.entryId)
    return show(`account ${plain(name)} belongs to ${plain(facts.dn)} already`)
  if (!isSame) {
    report.note(`the account ${plain(name)} moves to another entry`)
    for (const line of [...entryLines('from', idOf(account)), ...entryLines('to', idOf(facts))]) report.note(line)
    if (!yes && !(await confirmed('Is that the same person?')))
      throw new CommandEnd(
        1,
        'not linked',
        `if it is somebody else: sallyport users remove ${quoted(name)}, and the next sign-in makes an account of its own`,
      )
  }
  if (!(await people.directory.update(name, facts))) throw noAccount(people, name)
  // The same entry under another name: whoever is in is still the one that it was.
  const ended = isSame ? '' : endedText(await people.endSessions(name))
  show(`account ${plain(name)} belongs to ${plain(facts.dn)} now${ended}`)
}

const idOf = ({ dn, entryId: id }: Pick<DirectoryAccount, 'dn' | 'entryId'>) => ({ dn, id })
