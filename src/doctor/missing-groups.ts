/**
 * Why a person has no group: found out by asking again without the group filter, and for the other attributes in which a
 * group may name its members.
 *
 * Not to forget: what is found here gives nobody a group.
 *
 * Source: RFC 4519 3.5 (groupOfNames), 3.6 (groupOfUniqueNames); RFC 2307 (posixGroup: memberUid); slapo-memberof(5).
 */

import type { DirectoryPlan } from '../ldap/directory-plan.ts'
import { type Entry, valuesOf } from '../ldap/entry.ts'
import { any, both, equal, type Filter, formatFilter } from '../ldap/filter.ts'
import type { PersonEntry } from '../ldap/person.ts'
import type { Servers } from '../ldap/servers.ts'
import type { Diagnosis } from './diagnosis.ts'

export interface NoGroupsParts {
  readonly plan: Pick<DirectoryPlan, 'base' | 'groupFilter' | 'groupNameAttribute' | 'groups'>
  readonly servers: Pick<Servers, 'search'>
  /** What the search for groups said. */
  readonly why: string
}

const membership = ['member', 'uniqueMember', 'memberUid'] as const

/** May throw the Faults of Servers. */
export async function whyNoGroups(entry: PersonEntry, { plan, servers, why }: NoGroupsParts): Promise<Diagnosis> {
  const { base, groupFilter, groupNameAttribute, groups: rule } = plan
  const search = (filter: Filter, attributes: readonly string[] = ['1.1']): Promise<Entry[]> =>
    servers.search({ base, scope: 'sub', filter, attributes, most: 5 })
  const otherwise: Diagnosis = { code: 'no-groups', cause: why, cure: 'look at realms.directory.newUserGroup' }
  if (rule.kind === 'attribute' || rule.kind === 'dn-attribute') {
    const { attribute, filtered } = rule
    const values = valuesOf(entry, attribute)
    if (values.length === 0) {
      const [other] = await search({ kind: 'present', attribute })
      return other === undefined ? attributeUnused(attribute) : attributeEmpty(entry, attribute, rule.kind)
    }
    if (!filtered) return otherwise
    const [anyGroup] = await search(groupFilter)
    return anyGroup === undefined ? noGroupAtAll(plan) : notAdmitted(values.slice(0, 5).join('; '), groupFilter)
  }
  if (rule.kind !== 'query' || why.includes('@{')) return otherwise

  const names = [entry.name, ...valuesOf(entry, 'uid')]
  const isMember = any(
    equal('member', entry.dn),
    equal('uniqueMember', entry.dn),
    ...names.map(name => equal('memberUid', name)),
  )
  const [holder] = await search(both(groupFilter, isMember), [groupNameAttribute, ...membership])
  if (holder !== undefined) return otherwiseNamed(holder, entry, { rule, groupNameAttribute, names })
  const unfiltered = await search(isMember)
  if (unfiltered.length > 0) return notAdmitted(unfiltered.map(({ dn }) => dn).join('; '), groupFilter)
  const [anyGroup] = await search(groupFilter)
  if (anyGroup === undefined) return noGroupAtAll(plan)
  const [shown] = await search(both(groupFilter, { kind: 'present', attribute: rule.memberAttribute }))
  if (shown === undefined) return membersHidden(rule.memberAttribute)
  return {
    code: 'in-no-group',
    cause: `no group that groupFilter finds holds ${entry.dn}`,
    cure: `put the person into a group in the directory${rule.nesting === false ? '; if it is by a group in a group: nestedGroups: true (Active Directory) or walk (others)' : ''}`,
  }
}

const attributeUnused = (attribute: string): Diagnosis => ({
  code: 'attribute-unused',
  cause: `nobody below the base has ${attribute}, as far as the reader account may see`,
  cure: /^memberOf$/i.test(attribute)
    ? 'OpenLDAP has memberOf by its overlay of that name only, and only for groups changed since it is there; write newUserGroup: ":query:(member=@{dn})", which needs no overlay'
    : `look at the spelling of ${attribute} in realms.directory.newUserGroup, and whether the reader account may read it`,
})

const attributeEmpty = ({ dn }: PersonEntry, attribute: string, kind: 'attribute' | 'dn-attribute'): Diagnosis => ({
  code: 'attribute-empty',
  cause: `${dn} has no ${attribute}, and others have`,
  cure: kind === 'dn-attribute' ? 'put the person into a group in the directory' : `give the entry its ${attribute}`,
})

const noGroupAtAll = ({ base, groupFilter }: NoGroupsParts['plan']): Diagnosis => ({
  code: 'group-filter-empty',
  cause: `groupFilter ${formatFilter(groupFilter)} finds no group at all below ${base === '' ? 'the empty base' : base}`,
  cure: 'in Active Directory groups are (objectClass=group), elsewhere (objectClass=groupOfNames), groupOfUniqueNames or posixGroup; groups must lie below realms.directory.base, too',
})

const notAdmitted = (groups: string, groupFilter: Filter): Diagnosis => ({
  code: 'group-filter',
  cause: `there are groups of this person (${groups}), and groupFilter ${formatFilter(groupFilter)} does not admit them`,
  cure: 'if these groups count, mend realms.directory.groupFilter; if not, put the person into one that does',
})

const membersHidden = (attribute: string): Diagnosis => ({
  code: 'members-hidden',
  cause: `groups are found, but none of them shows a ${attribute}`,
  cure: `let the reader account read and search ${attribute} of groups; or the groups are all empty`,
})

interface Named {
  readonly rule: Extract<DirectoryPlan['groups'], { kind: 'query' }>
  readonly groupNameAttribute: string
  readonly names: readonly string[]
}

/** A group that counts holds the person, and yet it was not found, or has no name. */
function otherwiseNamed(holder: Entry, entry: PersonEntry, { rule, groupNameAttribute, names }: Named): Diagnosis {
  if (valuesOf(holder, groupNameAttribute).length === 0)
    return {
      code: 'group-without-name',
      cause: `${holder.dn} holds the person, and has no ${groupNameAttribute}`,
      cure: 'let groupMapping take another attribute for name; or let the reader account read it',
    }
  const attribute = valuesOf(holder, 'memberUid').some(one => names.includes(one))
    ? 'memberUid'
    : valuesOf(holder, 'uniqueMember').length > 0
      ? 'uniqueMember'
      : 'member'
  const value = attribute === 'memberUid' ? (entry.attributes.has('uid') ? '@{uid}' : '@{omeName}') : '@{dn}'
  return {
    code: 'other-membership',
    cause: `${holder.dn} names the person in ${attribute}, and the query of newUserGroup is ${formatFilter(rule.query)}`,
    cure: `write newUserGroup: ":query:(${attribute}=${value})"`,
  }
}
