/**
 * What the directory section says, made ready once: filters parsed, attributes to ask for, rule for the groups.
 *
 * It opens nothing, so that `check` can use it: every mistake comes back with the key it belongs to.
 *
 * Source: OMERO `omero.ldap.*`; RFC 4513 5.1.2 (why a reader needs a name and a password, or neither).
 */
import { SASL_MECHANISMS } from 'ldapts'
import type { DirectorySection } from '../config/realm.ts'
import { type Address, addressOf } from './connection.ts'
import { type Filter, parseFilter } from './filter.ts'
import { placeholdersIn, wrongPlaceholders } from './placeholder.ts'

/** The part of the section that is used here; the whole section fits. */
export type DirectorySettings = Pick<
  DirectorySection,
  | 'urls'
  | 'username'
  | 'base'
  | 'userFilter'
  | 'userMapping'
  | 'groupFilter'
  | 'groupMapping'
  | 'newUserGroup'
  | 'connectTimeout'
  | 'readTimeout'
>

export type GroupRule =
  | { readonly kind: 'literal'; readonly group: string }
  | { readonly kind: 'query'; readonly filter: Filter; readonly query: Filter; readonly nameAttribute: string }

export interface DirectoryPlan {
  readonly addresses: readonly Address[]
  readonly reader: string | undefined
  readonly base: string
  readonly userFilter: Filter
  readonly nameAttribute: string
  readonly userMapping: ReadonlyMap<string, string>
  /** What is asked of a person's entry: nothing that nobody uses. */
  readonly attributes: readonly string[]
  readonly groups: GroupRule
  /** Milliseconds, both at least 1: nothing waits for ever. */
  readonly connectTimeout: number
  readonly readTimeout: number
}

export interface SettingMistake {
  readonly key: keyof DirectorySettings
  readonly message: string
}

export type Planned =
  | { readonly ok: true; readonly plan: DirectoryPlan }
  | { readonly ok: false; readonly mistakes: readonly SettingMistake[] }

export function planDirectory(settings: DirectorySettings): Planned {
  const mistakes: SettingMistake[] = []
  const filterOf = (key: 'userFilter' | 'groupFilter' | 'newUserGroup', text: string): Filter | undefined => {
    const filter = parseFilter(text)
    if (filter.kind !== 'mistake') return filter
    mistakes.push({ key, message: filter.message })
    return undefined
  }
  const { newUserGroup, username } = settings
  const userFilter = filterOf('userFilter', settings.userFilter)
  const groupFilter = filterOf('groupFilter', settings.groupFilter)
  const query = newUserGroup.kind === 'query' ? filterOf('newUserGroup', newUserGroup.query) : undefined
  const wrong = query === undefined ? [] : wrongPlaceholders(query)
  for (const name of wrong)
    mistakes.push({ key: 'newUserGroup', message: `"@{${name}}" holds no name of an attribute` })

  if (username !== undefined && SASL_MECHANISMS.some(mechanism => mechanism === username)) {
    mistakes.push({ key: 'username', message: `"${username}" is the name of a SASL mechanism, not of an account` })
  }
  for (const key of ['connectTimeout', 'readTimeout'] as const) {
    if (settings[key] === 0)
      mistakes.push({ key, message: 'a time of 0 would wait for ever or not at all; write for example 5 s' })
  }

  if (userFilter === undefined || groupFilter === undefined || mistakes.length > 0) return { ok: false, mistakes }
  const groups = groupRule(settings, groupFilter, query)
  return { ok: true, plan: { ...planned(settings, groups), userFilter, groups } }
}

function groupRule(
  { newUserGroup, groupMapping }: DirectorySettings,
  filter: Filter,
  query: Filter | undefined,
): GroupRule {
  if (query === undefined) return { kind: 'literal', group: newUserGroup.kind === 'literal' ? newUserGroup.group : '' }
  return { kind: 'query', filter, query, nameAttribute: groupMapping.get('name') ?? 'cn' }
}

function planned(settings: DirectorySettings, groups: GroupRule): Omit<DirectoryPlan, 'userFilter' | 'groups'> {
  const { urls, username, base, userMapping } = settings
  const wanted = groups.kind === 'query' ? placeholdersIn(groups.query).filter(name => name.toLowerCase() !== 'dn') : []
  const distinct = new Map([...userMapping.values(), ...wanted].map(name => [name.toLowerCase(), name]))
  return {
    addresses: urls.map(addressOf),
    reader: username,
    base,
    nameAttribute: userMapping.get('omeName') ?? 'cn',
    userMapping,
    attributes: [...distinct.values()],
    connectTimeout: Math.max(1, settings.connectTimeout),
    readTimeout: Math.max(1, settings.readTimeout),
  }
}
