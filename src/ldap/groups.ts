/**
 * The groups of a person, by the rule of the settings, with at most one question to the directory as a rule.
 *
 * More than one only where the rule itself asks for more: owners, levels that are walked, more than two hundred values
 * to filter, a primary group seen for the first time. Half an answer is none: rules are read in order, and a missing
 * group may mean more rights.
 *
 * Source: OMERO LdapImpl, AttributeNewUserGroupBean, OrgUnitNewUserGroupBean, QueryNewUserGroupBean.
 */
import type { DirectoryPlan } from './directory-plan.ts'
import { dnKey, isUnder, nearest, parseDn } from './dn.ts'
import { type Entry, valuesOf } from './entry.ts'
import { any, both, equal, type Filter } from './filter.ts'
import type { AskModule } from './group-module.ts'
import { asksForMember, type GroupRule } from './group-rule.ts'
import { createNestedGroups, type Question } from './nested-groups.ts'
import type { DirectoryGroup, GroupsAnswer, PersonEntry } from './person.ts'
import { fillerFor, fillPlaceholders, mapFilter, type Unfilled } from './placeholder.ts'
import { allValues } from './ranged-values.ts'
import type { Servers } from './servers.ts'

export interface GroupsParts {
  readonly plan: Pick<
    DirectoryPlan,
    'base' | 'userMapping' | 'groupFilter' | 'groupNameAttribute' | 'groups' | 'readTimeout'
  >
  readonly servers: Pick<Servers, 'search'>
  readonly askModule: AskModule
}

type RuleOf<Kind extends GroupRule['kind']> = Extract<GroupRule, { kind: Kind }>

/** Values that go into one filter: a directory bounds what it takes. */
const mostInFilter = 200
/** Nobody is in more of them; and whoever may write the attribute must not keep the directory busy. */
const mostGroups = 5_000

export function createGroups(parts: GroupsParts): (entry: PersonEntry) => Promise<GroupsAnswer> {
  const { plan, servers, askModule } = parts
  const { base, groupFilter, groupNameAttribute, groups: rule } = plan
  const nested = createNestedGroups(parts)

  const search = (filter: Filter): Promise<Entry[]> =>
    servers.search({
      base,
      scope: 'sub',
      filter: both(groupFilter, filter),
      attributes: [groupNameAttribute],
    })
  const nameOf = (group: Entry): string | undefined => valuesOf(group, groupNameAttribute)[0]

  /** What no group can be called is not asked for: a directory hangs up on questions of megabytes. */
  async function searchNames(wanted: readonly string[]): Promise<Entry[]> {
    const names = wanted.filter(isGroupName)
    const found: Entry[] = []
    for (let at = 0; at < names.length; at += mostInFilter) {
      const some = names.slice(at, at + mostInFilter).map(name => equal(groupNameAttribute, name))
      found.push(...(await search(any(...some))))
    }
    return found
  }

  async function byValues(
    entry: PersonEntry,
    rule: RuleOf<'attribute'> | RuleOf<'dn-attribute'>,
  ): Promise<Named | Unfilled> {
    const values = [...new Set(await allValues(entry, rule.attribute, servers))]
    if (values.length > mostGroups)
      return { kind: 'unfilled', why: `more than ${mostGroups} groups in the ${rule.attribute} of ${entry.dn}` }
    return rule.kind === 'attribute' ? byAttribute(values, rule) : byDnAttribute(entry, values, rule)
  }

  async function byAttribute(values: readonly string[], { filtered }: RuleOf<'attribute'>): Promise<Named> {
    if (!filtered || values.length === 0) return { names: values }
    const known = new Set((await searchNames(values)).map(nameOf))
    return { names: values.filter(value => known.has(value)) }
  }

  async function byDnAttribute(
    entry: PersonEntry,
    values: readonly string[],
    rule: RuleOf<'dn-attribute'>,
  ): Promise<Named> {
    const skipped: string[] = []
    const direct = values.flatMap(dn => {
      const name = groupName(dn)
      if ('name' in name) return [{ dn, name: name.name }]
      skipped.push(name.why)
      return []
    })
    const above = await nested.above(
      entry,
      rule.nesting,
      direct.map(({ dn }) => dn),
    )
    if (!rule.filtered) return { names: [...direct.map(({ name }) => name), ...above.map(nameOf)], skipped }
    // Two groups may bear one name: what the filter finds is held against the whole name of the entry.
    const known = new Set([...above, ...(await searchNames(missingIn(above, direct)))].map(({ dn }) => dnKey(dn)))
    const kept = direct.filter(({ dn }) => known.has(dnKey(dn))).map(({ name }) => name)
    return { names: [...kept, ...above.map(nameOf)], skipped }
  }

  const missingIn = (found: readonly Entry[], direct: readonly { dn: string; name: string }[]): string[] => {
    const known = new Set(found.map(({ dn }) => dnKey(dn)))
    return [...new Set(direct.filter(({ dn }) => !known.has(dnKey(dn))).map(({ name }) => name))]
  }

  /** The part of the DN that names the group. */
  function groupName(value: string): { readonly name: string } | { readonly why: string } {
    const dn = parseDn(value)
    if (dn === undefined || dn.length === 0) return { why: `"${inShort(value)}" is no name of an entry (DN)` }
    if (!isUnder(value, base)) return { why: `${inShort(value)} lies outside of the base` }
    const name = nearest(dn, groupNameAttribute)
    return name === undefined ? { why: `${inShort(value)} has no ${groupNameAttribute}` } : { name }
  }

  async function byQuery(entry: PersonEntry, rule: RuleOf<'query'>): Promise<Named | Unfilled> {
    const fill = fillerFor(rule.query, placeholder => told(entry, placeholder))
    if ('why' in fill) return fill
    const question: Question = membership =>
      mapFilter(rule.query, item => (asksForMember(item, rule.memberAttribute) ? membership(fill(item)) : fill(item)))
    const owner = rule.owner && fillPlaceholders(rule.owner, placeholder => told(entry, placeholder))
    if (owner?.kind === 'unfilled') return owner
    const found = await nested.beside(entry, rule, question, search)
    const owned =
      owner === undefined
        ? []
        : await search(
            both(
              question(own => own),
              owner,
            ),
          )
    const names = found.map(nameOf)
    return { names, owned: new Set(owned.map(nameOf)) }
  }

  function told(entry: PersonEntry, placeholder: string): readonly string[] {
    const named = valuesOf(entry, placeholder)
    if (named.length > 0) return named
    const mapped = plan.userMapping.get(placeholder)
    if (mapped !== undefined) return valuesOf(entry, mapped)
    return placeholder.toLowerCase() === 'dn' ? [entry.dn] : []
  }

  function byUnit({ dn }: PersonEntry): Named | Unfilled {
    const unit = nearest(parseDn(dn) ?? [], 'ou')
    return unit === undefined ? { kind: 'unfilled', why: `no organizational unit (ou) in ${dn}` } : { names: [unit] }
  }

  async function ask(entry: PersonEntry): Promise<Named | Unfilled> {
    switch (rule.kind) {
      case 'literal':
        return { names: [rule.group] }
      case 'ou':
        return byUnit(entry)
      case 'attribute':
      case 'dn-attribute':
        return byValues(entry, rule)
      case 'query':
        return byQuery(entry, rule)
      case 'module':
        return { names: await askModule(entry) }
    }
  }

  return async entry => {
    const said = await ask(entry)
    if ('why' in said) return { kind: 'no-groups', why: said.why }
    const names = [...new Set(said.names.filter(isGroupName))]
    const skipped = said.skipped ?? []
    const why = [`no group found for ${entry.dn}`, ...skipped.slice(0, 5)].join('; ')
    if (names.length === 0) return { kind: 'no-groups', why }
    const groups = names.map((name): DirectoryGroup => ({ name, owner: said.owned?.has(name) ?? false }))
    return { kind: 'groups', groups, ...(skipped.length === 0 ? {} : { skipped }) }
  }
}

/** What a rule found, before names that nobody can have are left out. */
interface Named {
  readonly names: readonly (string | undefined)[]
  readonly owned?: ReadonlySet<string | undefined>
  readonly skipped?: readonly string[]
}

/** Whoever may write the attribute must not fill the audit trail. */
const inShort = (value: string): string => (value.length > 200 ? `${value.slice(0, 200)}…` : value)

const isGroupName = (name: string | undefined): name is string => name !== undefined && /^\P{Cc}{1,256}$/u.test(name)
