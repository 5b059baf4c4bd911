/**
 * Groups that hold groups: asked of Active Directory for all levels at once, or walked level by level for the others;
 * and the primary group, which no `member` shows.
 *
 * A walk ends because no group is looked at twice, however they hold each other. It goes through the groups that the
 * group filter finds.
 *
 * Source: MS-ADTS 3.1.1.3.4.4.3 (matching rule in chain).
 */
import { Fault } from '../kernel/fault.ts'
import { inChain, primaryGroupFilter } from './active-directory.ts'
import type { DirectoryPlan } from './directory-plan.ts'
import { dnKey } from './dn.ts'
import { bytesOf, type Entry } from './entry.ts'
import { any, both, equal, escapeFilterValue, type Filter } from './filter.ts'
import type { GroupRule, Nesting } from './group-rule.ts'
import type { PersonEntry } from './person.ts'
import type { Servers } from './servers.ts'

/** More levels or groups above one person is no arrangement that somebody meant. */
const mostLevels = 50
const mostGroups = 5_000
const perQuestion = 100

type Search = (filter: Filter) => Promise<Entry[]>

export interface NestedGroups {
  /** The groups that `filled` finds, the primary group, and with nesting those above them. */
  beside(
    entry: PersonEntry,
    rule: Extract<GroupRule, { kind: 'query' }>,
    filled: Filter,
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
  /** SID in hex -> DN of a primary group: it hardly ever changes, and saves a question. Undefined: not in sight. */
  const primaries = new Map<string, string | undefined>()

  const search: Search = filter =>
    servers.search({
      base,
      scope: 'sub',
      filter: both(groupFilter, filter),
      attributes: [groupNameAttribute, 'objectSid'],
      binary: ['objectSid'],
    })
  const heldBy = (attribute: string, dn: string): Filter => ({
    kind: 'extensible',
    attribute,
    dn: false,
    rule: inChain,
    value: escapeFilterValue(dn),
  })

  /** Asks with the primary group beside, and above it where all levels are asked for. */
  async function withPrimary(
    entry: PersonEntry,
    filter: Filter | undefined,
    { chain, attribute }: { readonly chain: boolean; readonly attribute: string },
    ask: Search,
  ): Promise<Entry[]> {
    const primary = primaryGroupFilter(entry)
    const wanted = [...(filter === undefined ? [] : [filter]), ...(primary === undefined ? [] : [primary])]
    if (wanted.length === 0) return []
    const sid = primary?.kind === 'equal' ? primary.value : undefined
    const known = chain && sid !== undefined ? primaries.get(sid) : undefined
    const found = await ask(any(...wanted, ...(known === undefined ? [] : [heldBy(attribute, known)])))
    if (!chain || sid === undefined || known !== undefined || primaries.has(sid)) return found
    const own = found.find(group => bytesOf(group, 'objectSid').some(bytes => hexText(bytes) === sid))
    if (primaries.size >= 1_000) primaries.clear()
    primaries.set(sid, own?.dn)
    return own === undefined ? found : distinct([...found, ...(await ask(heldBy(attribute, own.dn)))])
  }

  async function walk(start: readonly Entry[], starting: readonly string[], attribute: string): Promise<Entry[]> {
    const found = [...start]
    const seen = new Set([...starting, ...start.map(({ dn }) => dn)].map(dnKey))
    let level = [...new Set([...starting, ...start.map(({ dn }) => dn)])]
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > mostLevels || seen.size > mostGroups)
        throw new Fault('directory-misconfigured', {
          about: `groups stand in each other more than ${mostLevels} deep, or are more than ${mostGroups}`,
        })
      const above: Entry[] = []
      for (let at = 0; at < level.length; at += perQuestion) {
        const members = level.slice(at, at + perQuestion).map(dn => equal(attribute, dn))
        above.push(...(await search(any(...members))))
      }
      const fresh = distinct(above).filter(({ dn }) => !seen.has(dnKey(dn)))
      for (const { dn } of fresh) seen.add(dnKey(dn))
      found.push(...fresh)
      level = fresh.map(({ dn }) => dn)
    }
    return found
  }

  return {
    async beside(entry, { nesting, memberAttribute: attribute }, filled, ask) {
      const found = await withPrimary(entry, filled, { chain: nesting === 'chain', attribute }, ask)
      return nesting === 'walk' ? walk(found, [], attribute) : found
    },
    async above(entry, nesting, direct) {
      const attribute = 'member'
      const chain = nesting === 'chain'
      const found = await withPrimary(
        entry,
        chain ? heldBy(attribute, entry.dn) : undefined,
        { chain, attribute },
        search,
      )
      return nesting === 'walk' ? walk(found, direct, attribute) : found
    },
  }
}

const hexText = (bytes: Buffer): string => bytes.toString('hex').replace(/../g, '\\$&')

/** Each entry once, in the order of the directory. */
const distinct = (entries: readonly Entry[]): Entry[] => [
  ...new Map(entries.map(entry => [dnKey(entry.dn) ?? entry.dn, entry])).values(),
]
