/**
 * The entry of the directory that an account is to be linked to, and what a person should know before.
 */
import { admissibleGroups } from '../identity/directory-groups.ts'
import { foldName } from '../kernel/fold-name.ts'
import type { Directory } from '../ldap/directory.ts'
import { parseDn } from '../ldap/dn.ts'
import { valuesOf } from '../ldap/entry.ts'
import type { PersonEntry } from '../ldap/person.ts'
import { notFound } from './accounts-create.ts'
import { plain } from './certs-text.ts'
import type { People } from './people.ts'
import { CommandEnd } from './report.ts'

/** @throws CommandEnd 1 where the directory finds nobody, or somebody of another name */
export async function entryFor(
  { configuration }: People,
  directory: Directory,
  name: string,
  dn: string | undefined,
): Promise<PersonEntry> {
  if (dn !== undefined && (parseDn(dn) ?? []).length === 0)
    throw new CommandEnd(2, `${JSON.stringify(dn)} is no name of an entry`, 'write it whole: uid=alice,ou=people,o=lab')
  const found = dn === undefined ? await directory.find(name) : await directory.read(dn)
  if (found.kind === 'not-found') {
    if (dn === undefined) throw notFound(name, found.why)
    throw new CommandEnd(1, `the directory has no entry ${JSON.stringify(dn)}: ${plain(found.why)}`)
  }
  const { entry } = found
  const { realms } = configuration?.config ?? {}
  const names = valuesOf(entry, realms?.directory.userMapping.get('omeName') ?? 'cn')
  const bears = realms?.ignoreCase === true ? names.map(foldName).includes(foldName(name)) : names.includes(name)
  if (!bears && realms?.passwordProvider !== 'chained431')
    throw new CommandEnd(
      1,
      `${plain(entry.dn)} is not called ${JSON.stringify(name)} but ${names.map(one => JSON.stringify(one)).join(', ')}: nobody could sign in with it`,
      'an account whose name the entry does not bear is for realms.passwordProvider: chained431 only, which remembers the entry and looks up no name',
    )
  return entry
}

/** What speaks against handing a local account of these groups over to this entry; it is the operator who decides. */
export async function concerns(
  { configuration }: Pick<People, 'configuration'>,
  directory: Pick<Directory, 'groupsOf'>,
  entry: PersonEntry,
  groups: readonly string[],
): Promise<string[]> {
  const { administrators = [], realms } = configuration?.config ?? {}
  const dropped = (names: readonly string[], allowed: readonly string[]) =>
    admissibleGroups(
      names.map(name => ({ name, owner: false })),
      { administrators, allowed },
    ).dropped
  const found: string[] = []
  const reserved = dropped(groups, [])
  if (reserved.length > 0)
    found.push(
      `it keeps ${reserved.map(plain).join(', ')}: whoever can set that password in the directory has these rights`,
    )
  if (entry.closed !== undefined) found.push(`nobody can sign in with that entry just now: ${plain(entry.closed)}`)
  if (realms?.passwordProvider === 'local')
    found.push('realms.passwordProvider is "local": with this configuration nobody of the directory can sign in')
  if (groups.length > 0) return found
  if (realms?.directory.syncOnLogin !== true)
    return [...found, 'it has no group, and gets none without realms.directory.syncOnLogin: nobody is let in with it']
  const answer = await directory.groupsOf(entry)
  const conferred = answer.kind === 'groups' ? answer.groups.map(({ name }) => name) : []
  if (conferred.length === dropped(conferred, realms.directory.allowReserved).length)
    found.push('it has no group, neither from here nor of the directory: nobody is let in with it')
  return found
}
