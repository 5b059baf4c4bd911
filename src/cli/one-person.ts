/**
 * The account that a name stands for on a command line, and what is said of it: types, look-up, text.
 */
import type { DirectoryAccount } from '../identity/directory-account.ts'
import type { LocalAccount } from '../identity/local-accounts.ts'
import type { People } from './people.ts'
import { CommandEnd } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'

export type Person =
  | { readonly kind: 'local'; readonly account: LocalAccount }
  /** `dormant`: the local account of that name, which does not count. */
  | { readonly kind: 'directory'; readonly account: DirectoryAccount; readonly dormant: LocalAccount | undefined }

export function personOf({ local, directory }: Pick<People, 'local' | 'directory'>, name: string): Person | undefined {
  const account = directory.find(name)
  const known = local.find(name)
  if (account !== undefined) return { kind: 'directory', account, dormant: known }
  return known && { kind: 'local', account: known }
}

/** @throws CommandEnd 1 */
export function requirePerson(people: People, name: string): Person {
  const person = personOf(people, name)
  if (person === undefined) throw noAccount(people, name)
  return person
}

export function noAccount({ configuration, file }: Pick<People, 'configuration' | 'file'>, name: string): CommandEnd {
  const listed = 'sallyport users list names them'
  if (configuration?.config.realms.directory.enabled !== true)
    return new CommandEnd(1, `there is no account ${JSON.stringify(name)} in ${shownPath(file)}`, listed)
  return new CommandEnd(
    1,
    `there is no account ${JSON.stringify(name)}, neither in ${shownPath(file)} nor of the directory`,
    `${listed}, and sallyport accounts list those of the directory; it has one for each who has signed in, and sallyport accounts create ${quoted(name)} makes one before`,
  )
}

/** For `--json`. What is not known is null, and moments are written as those of local accounts are. */
export function asValue(person: Person): Record<string, unknown> {
  if (person.kind === 'local') return { ...person.account }
  const { name, entryId = null, createdAt, lastLoginAt, ...rest } = person.account
  return {
    name,
    kind: 'directory',
    ...rest,
    entryId,
    createdAt: new Date(createdAt).toISOString(),
    lastLoginAt: lastLoginAt === undefined ? null : new Date(lastLoginAt).toISOString(),
    dormantLocalAccount: person.dormant !== undefined,
  }
}
