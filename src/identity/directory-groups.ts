/**
 * Which groups the directory may confer, and what a synchronization makes of those that an account has. Pure.
 *
 * Not to forget: groups of source `local` are nobody's but ours. The directory neither takes one away, nor makes it its
 * own by having one of the same name, nor decides who owns it.
 *
 * Source: OMERO LdapImpl 303-424 (synchronization).
 */
import { isReserved, type Reserved } from '../config/reserved-groups.ts'
import type { DirectoryGroup } from '../ldap/person.ts'
import type { AccountGroup } from './directory-account.ts'

export interface Admissible {
  readonly groups: readonly DirectoryGroup[]
  /** For the audit trail: names that the directory must not confer. */
  readonly dropped: readonly string[]
}

export function admissibleGroups(groups: readonly DirectoryGroup[], reserved: Reserved): Admissible {
  const mustNot = ({ name }: DirectoryGroup) => isReserved(name, reserved)
  return { groups: groups.filter(group => !mustNot(group)), dropped: groups.filter(mustNot).map(({ name }) => name) }
}

/** Local ones first, as they stand; then those of the directory, in its order. */
export function synchronized(
  current: readonly AccountGroup[],
  fresh: readonly DirectoryGroup[],
): readonly AccountGroup[] {
  const local = current.filter(({ source }) => source === 'local')
  const taken = new Set(local.map(({ name }) => name))
  const ofDirectory = fresh.filter(({ name }) => !taken.has(name))
  return [...local, ...ofDirectory.map(({ name, owner }) => ({ name, source: 'directory' as const, owner }))]
}
