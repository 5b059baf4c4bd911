/**
 * `sallyport users lock`, `unlock`, `remove`: who is put out, and let in again; local accounts and people of the directory.
 *
 * Whoever is put out is locked first: what ends afterwards cannot be begun anew in the meantime.
 */

import { plain } from './certs-text.ts'
import { asValue, noAccount, type Person, personOf, requirePerson } from './one-person.ts'
import { confirmed } from './password-input.ts'
import type { People } from './people.ts'
import { noteRevoked, putOut, putOutText } from './people.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'
import { type OneAccount, openUsers } from './users-accounts.ts'

/** @throws CommandEnd 1 where it is gone meanwhile */
async function lock(people: People, { kind, account: { name } }: Person, locked: boolean): Promise<void> {
  const { local, directory } = people
  const done = kind === 'local' ? await local.setLocked(name, locked) : await directory.update(name, { locked })
  if (!done) throw noAccount(people, name)
}

export const setLocked =
  (locked: boolean) =>
  async (argv: OneAccount, report: Report): Promise<void> => {
    await using people = await openUsers(argv, report, 'change')
    const person = requirePerson(people, people.called(argv.name))
    const { name } = person.account
    await lock(people, person, locked)
    const state = locked ? 'locked' : 'unlocked'
    const done = `account ${name} ${person.account.locked === locked ? `was ${state} already` : `is ${state}`}`
    const after = () => asValue(personOf(people, name) ?? person)
    if (!locked) return report.result(done, after())
    const out = await putOut(people, name, done, 'cessationOfOperation')
    report.result(`${done}${putOutText(out)}`, { ...after(), ...out })
    noteRevoked(out, name, `, once ${name} is let in again`, report)
  }

export interface RemoveArguments extends OneAccount {
  yes: boolean
}

export async function removeAccount(argv: RemoveArguments, report: Report): Promise<void> {
  await using people = await openUsers(argv, report, 'change')
  const person = requirePerson(people, people.called(argv.name))
  const { name } = person.account
  const file = shownPath(people.file)
  const isLocal = person.kind === 'local'
  if (!isLocal) {
    const lasting = `sallyport users lock ${quoted(name)}`
    report.note(`if the directory still lets ${name} in, the account is made again at the next sign-in`)
    report.note(`to keep somebody out, do not remove the account but lock it: ${lasting}`)
  }
  const question = isLocal ? `Remove the account ${name} from ${file}?` : `Forget the account ${name}?`
  if (!argv.yes && !(await confirmed(question))) throw new CommandEnd(1, 'not removed')

  if (personOf(people, name)?.kind !== person.kind)
    throw new CommandEnd(
      1,
      `the account ${plain(name)} was handed over just now: not removed`,
      'look at it, and run the same command once more',
    )
  await lock(people, person, true)
  const out = await putOut(people, name, `account ${name} is locked`, 'cessationOfOperation')
  // The local one first: while the other is there it lies dormant, and must not wake up with its old password.
  const hadLocal = await people.local.remove(name)
  if (!isLocal) await people.directory.remove(name)
  const gone = hadLocal ? `account ${name} removed from ${file}` : `account ${name} forgotten`
  const both = !isLocal && hadLocal ? ', where it lay dormant, and forgotten' : ''
  report.result(`${gone}${both}${putOutText(out)}`, { ...asValue(person), removed: true, ...out })
  noteRevoked(out, name, undefined, report)
}
