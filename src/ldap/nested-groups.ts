/**
 * Groups that hold groups: asked of Active Directory for all levels at once, or walked level by level for the others;
 * and the primary group, which no `member` shows.
 *
 * A walk ends because no group is looked at twice, however they hold each other. It goes through the groups that the
 * group filter finds. Not to forget: whatever else a `:query:` compares is true of every group that comes of it, of the
 * primary group and of those above too.
 *
 * Source: MS-ADTS 3.1.1.3.4.4.3 (matching rule in chain).
 */
import { performance } from 'node:perf_hooks'
import { Fault } from '../kernel/fault.ts'
import { inChain, primaryGroupFilter } from './active-directory.ts'
import type { DirectoryPlan } from './directory-plan.ts'
import { dnKey } from './dn.ts'
import type { Entry } from './entry.ts'
import { any, both, equal, escapeFilterValue, type Filter, formatFilter } from './filter.ts'
import type { GroupRule, Nesting } from './group-rule.ts'
import type { PersonEntry } from './person.ts'
import type { Servers } from './servers.ts'

/** More levels or groups above one person is no arrangement that somebody meant. */
const mostLevels = 50
const mostGroups = 5_000
const perQuestion = 100

/** Milliseconds for which a primary group keeps its name: longer, and those above a renamed one would be missed. */
const nameHolds = 60_000

type Search = (filter: Filter) => Promise<Entry[]>

/** The filter of a `:query:`, with something in the place of the comparison that asks for the person as a member. */
export type Question = (membership: (own: Filter) => Filter) => Filter

export interface NestedGroups {
  /** The groups that `question` finds, the primary group among them, and with nesting those above. */
  beside(
    entry: PersonEntry,
    rule: Extract<GroupRule, { kind: 'query' }>,
    question: Question,
    search: Search,
  ): Promise<Entry[]>
  /** The primary group, and with nesting all groups above `direct`, which an attribute of the entry named. */
  above(entry: PersonEntry, nesting: Nesting, direct: readonly string[]): Promise<Entry[]>
}

export function createNestedGroups({
  plan,
  servers,
}: {
  readonly plan: Pick<DirectoryPlan, 'base' | 'groupFilter' | 'groupNameAttribute'>
  readonly servers: Pick<Servers, 'search'>
}): NestedGroups {
  const { base, groupFilter, groupNameAttribute } = plan
  /** By its filter. Saves a question; one that is not in sight is looked for again. */
  const primaries = new Map<string, { readonly dn: string; readonly until: number }>()

  const search: Search = filter =>
    servers.search({
      base,
      scope: 'sub',
      filter: both(groupFilter, filter),
      attributes: [groupNameAttribute],
    })
  const heldBy = (attribute: string, dn: string): Filter => ({
    kind: 'extensible',
    attribute,
    dn: false,
    rule: inChain,
    value: escapeFilterValue(dn),
  })

  /** What finds the primary group, and those above it where all levels are asked for at once. */
  async function primaryOf(entry: PersonEntry, nesting: Nesting, attribute: string): Promise<Filter[]> {
    const primary = primaryGroupFilter(entry)
    if (primary === undefined) return []
    const dn = nesting === 'chain' ? await nameOf(primary) : undefined
    return dn === undefined ? [primary] : [primary, heldBy(attribute, dn)]
  }

  /** Without the group filter: a group on the way need not be one that counts. */
  async function nameOf(primary: Filter): Promise<string | undefined> {
    const key = formatFilter(primary)
    const known = primaries.get(key)
    if (known !== undefined && performance.now() < known.until) return known.dn
    const [group] = await servers.search({ base, scope: 'sub', filter: primary, attributes: ['1.1'], most: 2 })
    if (group === undefined) return undefined
    if (primaries.size >= 1_000) primaries.clear()
    primaries.set(key, { dn: group.dn, until: performance.now() + nameHolds })
    return group.dn
  }

  async function walk(
    start: readonly Entry[],
    starting: readonly string[],
    ask: (dns: readonly string[]) => Promise<Entry[]>,
  ): Promise<Entry[]> {
    const found = [...start]
    const seen = new Set([...starting, ...start.map(({ dn }) => dn)].map(keyOf))
    let level = [...new Set([...starting, ...start.map(({ dn }) => dn)])]
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > mostLevels || seen.size > mostGroups)
        throw new Fault('directory-misconfigured', {
          about: `groups stand in each other more than ${mostLevels} deep, or are more than ${mostGroups}`,
        })
      const above: Entry[] = []
      for (let at = 0; at < level.length; at += perQuestion)
        above.push(...(await ask(level.slice(at, at + perQuestion))))
      const fresh = distinct(above).filter(({ dn }) => !seen.has(keyOf(dn)))
      for (const { dn } of fresh) seen.add(keyOf(dn))
      found.push(...fresh)
      level = fresh.map(({ dn }) => dn)
    }
    return found
  }

  const holding = (attribute: string, dns: readonly string[]): Filter => any(...dns.map(dn => equal(attribute, dn)))

  return {
    async beside(entry, { nesting, memberAttribute: attribute }, question, ask) {
      const primary = await primaryOf(entry, nesting, attribute)
      const found = await ask(question(own => any(own, ...primary)))
      return nesting === 'walk' ? walk(found, [], dns => ask(question(() => holding(attribute, dns)))) : found
    },
    async above(entry, nesting, direct) {
      const attribute = 'member'
      const primary = await primaryOf(entry, nesting, attribute)
      const wanted = nesting === 'chain' ? [heldBy(attribute, entry.dn), ...primary] : primary
      const found = wanted.length === 0 ? [] : await search(any(...wanted))
      return nesting === 'walk' ? walk(found, direct, dns => search(holding(attribute, dns))) : found
    },
  }
}

/** A name that cannot be taken apart is still one of its own. */
const keyOf = (dn: string): string => dnKey(dn) ?? dn

/** Each entry once, in the order of the directory. */
const distinct = (entries: readonly Entry[]): Entry[] => [
  ...new Map(entries.map(entry => [keyOf(entry.dn), entry])).values(),
]
