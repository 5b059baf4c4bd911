/**
 * What the directory section says, made ready once: filters parsed, attributes to ask for, rule for the groups.
 *
 * It opens nothing, so that `check` can use it: every mistake comes back with the key it belongs to.
 *
 * Source: OMERO `omero.ldap.*`; RFC 4513 5.1.2 (why a reader needs a name and a password, or neither).
 */
import { SASL_MECHANISMS } from 'ldapts'
import type { DirectorySection } from '../config/realm.ts'
import { stateAttributes } from './account-state.ts'
import { type Address, addressOf } from './connection.ts'
import { parseDn } from './dn.ts'
import { type Filter, parseFilter } from './filter.ts'
import { attributesFor, type GroupRule, groupRule } from './group-rule.ts'
import { wrongPlaceholders } from './placeholder.ts'

/** The part of the section that is used here; the whole section fits. */
export type DirectorySettings = Pick<
  DirectorySection,
  | 'urls'
  | 'startTls'
  | 'username'
  | 'base'
  | 'userFilter'
  | 'userMapping'
  | 'groupFilter'
  | 'groupMapping'
  | 'newUserGroup'
  | 'newUserGroupOwner'
  | 'nestedGroups'
  | 'referral'
  | 'connectTimeout'
  | 'readTimeout'
>

export interface DirectoryPlan {
  readonly addresses: readonly Address[]
  readonly startTls: boolean
  readonly referral: DirectorySettings['referral']
  readonly reader: string | undefined
  readonly base: string
  readonly userFilter: Filter
  readonly nameAttribute: string
  readonly userMapping: ReadonlyMap<string, string>
  /** What is asked of a person's entry: nothing that nobody uses. */
  readonly attributes: readonly string[]
  readonly groupFilter: Filter
  readonly groupNameAttribute: string
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

/** By which an entry is known again after it was renamed: OpenLDAP and others, Active Directory, 389. */
export const idAttributes = ['entryUUID', 'objectGUID', 'nsUniqueId'] as const

export function planDirectory(settings: DirectorySettings): Planned {
  const mistakes: SettingMistake[] = []
  const report = (mistake: SettingMistake) => void mistakes.push(mistake)
  const filterOf = (
    key: 'userFilter' | 'groupFilter' | 'newUserGroup' | 'newUserGroupOwner',
    text: string,
  ): Filter | undefined => {
    const filter = parseFilter(text)
    if (filter.kind === 'mistake') {
      report({ key, message: filter.message })
      return undefined
    }
    const isFilled = key === 'newUserGroup' || key === 'newUserGroupOwner'
    for (const text of wrongPlaceholders(filter)) {
      if (isFilled) report({ key, message: `"${text}" is no placeholder; write @{attribute}, or @{dn}` })
    }
    return filter
  }
  const { username, base } = settings
  // OMERO takes an empty filter for "everybody". Here that is written: (objectClass=*).
  const userFilter = filterOf('userFilter', settings.userFilter)
  const groupFilter = filterOf('groupFilter', settings.groupFilter)
  const groups = groupRule(settings, filterOf, report)

  if (parseDn(base) === undefined) report({ key: 'base', message: `"${base}" is no name of an entry (DN)` })
  if (username?.trim() === '')
    report({ key: 'username', message: 'is blank; name the reader account, or leave it out' })
  if (username !== undefined && SASL_MECHANISMS.some(mechanism => mechanism === username)) {
    report({ key: 'username', message: `"${username}" is the name of a SASL mechanism, not of an account` })
  }
  for (const key of ['connectTimeout', 'readTimeout'] as const) {
    if (settings[key] === 0)
      report({ key, message: 'a time of 0 would wait for ever or not at all; write for example 5 s' })
  }
  if (userFilter === undefined || groupFilter === undefined || groups === undefined || mistakes.length > 0)
    return { ok: false, mistakes }
  return { ok: true, plan: planned(settings, { userFilter, groupFilter, groups }) }
}

function planned(
  settings: DirectorySettings,
  parts: Pick<DirectoryPlan, 'userFilter' | 'groupFilter' | 'groups'>,
): DirectoryPlan {
  const { urls, startTls, referral, username, base, userMapping, groupMapping } = settings
  const wanted = [...userMapping.values(), ...attributesFor(parts.groups), ...idAttributes, ...stateAttributes]
  const distinct = new Map(wanted.map(name => [name.toLowerCase(), name]))
  return {
    ...parts,
    ...{ startTls, referral, base, userMapping },
    addresses: urls.map(addressOf),
    reader: username,
    nameAttribute: userMapping.get('omeName') ?? 'cn',
    attributes: [...distinct.values()],
    groupNameAttribute: groupMapping.get('name') ?? 'cn',
    connectTimeout: Math.max(1, settings.connectTimeout),
    readTimeout: Math.max(1, settings.readTimeout),
  }
}
