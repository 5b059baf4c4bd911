/**
 * The group specification of the settings made ready: filters parsed, placeholders looked at, attributes to ask for.
 *
 * It asks nothing (groups.ts does). Every mistake comes back with the key that it belongs to.
 *
 * Source: OMERO `omero.ldap.new_user_group`, `omero.ldap.new_user_group_owner`.
 */
import type { DirectorySection } from '../config/realm.ts'
import { inChain } from './active-directory.ts'
import type { Filter } from './filter.ts'
import { type Item, mapFilter, placeholdersIn } from './placeholder.ts'

export type GroupSettings = Pick<
  DirectorySection,
  'newUserGroup' | 'newUserGroupOwner' | 'nestedGroups' | 'groupMapping'
>

export type Nesting = false | 'chain' | 'walk'

export type GroupRule =
  | { readonly kind: 'literal'; readonly group: string }
  | { readonly kind: 'ou' }
  | { readonly kind: 'attribute'; readonly attribute: string; readonly filtered: boolean }
  | {
      readonly kind: 'dn-attribute'
      readonly attribute: string
      readonly filtered: boolean
      readonly nesting: Nesting
    }
  | {
      readonly kind: 'query'
      readonly query: Filter
      /** Those of them whom the person owns. */
      readonly owner: Filter | undefined
      readonly nesting: Nesting
      /** In which attribute of a group its members stand. */
      readonly memberAttribute: string
    }
  | { readonly kind: 'module'; readonly file: string; readonly name: string }

export interface RuleMistake {
  readonly key: 'newUserGroup' | 'newUserGroupOwner' | 'nestedGroups'
  readonly message: string
}

/** `filterOf` reads a filter, and reports its mistakes itself. */
export function groupRule(
  { newUserGroup: spec, newUserGroupOwner, nestedGroups: nesting }: GroupSettings,
  filterOf: (key: 'newUserGroup' | 'newUserGroupOwner', text: string) => Filter | undefined,
  report: (mistake: RuleMistake) => void,
): GroupRule | undefined {
  const owner = newUserGroupOwner.trim() === '' ? undefined : filterOf('newUserGroupOwner', newUserGroupOwner)
  if (newUserGroupOwner.trim() !== '' && spec.kind !== 'query')
    report({
      key: 'newUserGroupOwner',
      message: 'is asked together with :query: only; leave it out, or write a :query:',
    })
  if (nesting !== false && spec.kind !== 'query' && spec.kind !== 'dn-attribute')
    report({
      key: 'nestedGroups',
      message:
        'goes with :query:(member=@{dn}), :dn_attribute: and :filtered_dn_attribute: only; leave it out, or choose one of them',
    })
  switch (spec.kind) {
    case 'literal':
    case 'ou':
    case 'attribute':
      return spec
    case 'dn-attribute':
      return { ...spec, nesting }
    case 'bean':
      return { kind: 'module', file: spec.file, name: spec.name }
    case 'query': {
      const query = filterOf('newUserGroup', spec.query)
      if (query === undefined) return undefined
      const memberAttribute = membershipIn(query)
      if (nesting !== false && memberAttribute === undefined) {
        report({
          key: 'nestedGroups',
          message: 'needs to know where members stand: write (member=@{dn}) in the :query:',
        })
      }
      return {
        kind: 'query',
        query: nesting === 'chain' ? chained(query) : query,
        owner,
        nesting,
        memberAttribute: memberAttribute ?? 'member',
      }
    }
  }
}

const personPattern = /^[@$]\{(?:dn|distinguishedName)\}$/i

/** The attribute that is compared with the person's own name. */
function membershipIn(filter: Filter): string | undefined {
  if (filter.kind === 'equal') return personPattern.test(filter.value) ? filter.attribute : undefined
  if (filter.kind === 'and' || filter.kind === 'or') return filter.filters.map(membershipIn).find(Boolean)
  return undefined
}

/** Membership over all levels in place of the direct one. */
const chained = (filter: Filter): Filter =>
  mapFilter(filter, item =>
    item.kind === 'equal' && personPattern.test(item.value)
      ? { kind: 'extensible', attribute: item.attribute, dn: false, rule: inChain, value: item.value }
      : item,
  )

/** Whether this comparison of a `:query:` asks for the person in `attribute`, on one level or on all. */
export const asksForMember = (item: Item, attribute: string): boolean =>
  (item.kind === 'equal' || (item.kind === 'extensible' && item.rule === inChain)) &&
  item.attribute.toLowerCase() === attribute.toLowerCase() &&
  personPattern.test(item.value)

/** What of a person's entry the rule looks at. */
export function attributesFor(rule: GroupRule): readonly string[] {
  switch (rule.kind) {
    case 'literal':
    case 'ou':
      return []
    case 'attribute':
      return [rule.attribute]
    case 'dn-attribute':
      return [rule.attribute, 'primaryGroupID', 'objectSid']
    case 'query': {
      const filters = [rule.query, ...(rule.owner === undefined ? [] : [rule.owner])]
      const wanted = filters.flatMap(placeholdersIn).filter(name => name.toLowerCase() !== 'dn')
      return [...wanted, 'primaryGroupID', 'objectSid']
    }
    case 'module':
      return ['*', 'memberOf']
  }
}
