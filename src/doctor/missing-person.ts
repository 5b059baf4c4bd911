/**
 * Why a name finds nobody, or not exactly one: which half of the search did not match, found out by asking again with one
 * half only.
 *
 * Not to forget: the name goes into a filter as a value, as in a sign-in; and what is found here lets nobody in.
 */

import type { DirectoryPlan } from '../ldap/directory-plan.ts'
import { isUnder, sameDn } from '../ldap/dn.ts'
import { type Entry, valuesOf } from '../ldap/entry.ts'
import { any, both, equal, type Filter, formatFilter } from '../ldap/filter.ts'
import type { Servers } from '../ldap/servers.ts'
import type { Diagnosis } from './diagnosis.ts'
import { readRoot } from './root-entry.ts'

export interface MissingParts {
  readonly plan: Pick<DirectoryPlan, 'base' | 'userFilter' | 'nameAttribute'>
  readonly servers: Pick<Servers, 'search'>
  /** Where parts of the tree lie that were left unread: host:port. */
  readonly unread: readonly string[]
}

/** By which people are called somewhere. */
const otherNames = ['uid', 'cn', 'sAMAccountName', 'userPrincipalName', 'mail', 'displayName']

/** May throw the Faults of Servers. */
export async function whyNobody(name: string, { plan, servers, unread }: MissingParts): Promise<Diagnosis> {
  const { base, userFilter, nameAttribute } = plan
  const search = (filter: Filter): Promise<Entry[]> =>
    servers.search({ base, scope: 'sub', filter, attributes: [nameAttribute, ...otherNames], most: 5 })
  const isNamed = equal(nameAttribute, name)

  const admitted = await search(both(userFilter, isNamed))
  const [one, ...others] = admitted
  if (one !== undefined && others.length > 0)
    return {
      code: 'several',
      cause: `several entries have ${nameAttribute}=${name}: ${admitted.map(({ dn }) => dn).join('; ')}`,
      cure: 'let userMapping take an attribute for omeName that only one has (uid, sAMAccountName), or have userFilter or base leave the others out',
    }
  if (one !== undefined) return otherSpelling(one, name, nameAttribute)

  const [unfiltered] = await search(isNamed)
  if (unfiltered !== undefined) return notAdmitted(unfiltered, await refusing(userFilter, isNamed, search))
  const elsewhere = otherNames.filter(attribute => attribute.toLowerCase() !== nameAttribute.toLowerCase())
  const [other] = await search(any(...elsewhere.map(attribute => equal(attribute, name))))
  if (other !== undefined) return otherAttribute(other, name, nameAttribute, elsewhere)
  const outside = await outsideOf(base, isNamed, servers)
  if (outside !== undefined) return outsideBase(outside, name, base)
  if (unread.length > 0) return elsewhereOf(unread, name)
  const [anybody] = await servers.search({
    ...{ base, scope: 'sub', filter: userFilter, most: 1 },
    attributes: ['1.1'],
  })
  return anybody === undefined ? nobodyAtAll(plan) : nobodyCalled(name, plan)
}

/** Somebody of that name in a tree of this server, and not below the base. */
async function outsideOf(base: string, isNamed: Filter, servers: MissingParts['servers']): Promise<Entry | undefined> {
  const root = await readRoot(servers)
  const above = root?.contexts.filter(context => isUnder(base, context) && !sameDn(base, context)) ?? []
  const [context] = above.toSorted((one, other) => one.length - other.length)
  if (context === undefined) return undefined
  const request = { scope: 'sub', filter: isNamed, attributes: ['1.1'], most: 2 } as const
  const [entry] = await servers.search({ ...request, base: context })
  return entry
}

const outsideBase = ({ dn }: Entry, name: string, base: string): Diagnosis => ({
  code: 'outside-base',
  cause: `an entry called ${name} is there (${dn}), and does not lie below ${base}`,
  cure: 'if this person may come in, write a realms.directory.base that stands above both',
})

function otherSpelling({ dn, ...entry }: Entry, name: string, attribute: string): Diagnosis {
  const spelt = valuesOf(entry, attribute).join(', ')
  return {
    code: 'other-spelling',
    cause: `the directory spells it ${spelt} (${dn}), and ${name} was asked for: rules compare names exactly`,
    cure: 'sign in with that spelling; or write realms.ignoreCase: true, and all names are in small letters',
  }
}

/** The parts of a filter that do not match by themselves. */
async function refusing(
  filter: Filter,
  isNamed: Filter,
  search: (filter: Filter) => Promise<Entry[]>,
): Promise<string[]> {
  if (filter.kind !== 'and') return []
  const refused: string[] = []
  for (const part of filter.filters.slice(0, 10))
    if ((await search(both(part, isNamed))).length === 0) refused.push(formatFilter(part))
  return refused
}

const notAdmitted = ({ dn }: Entry, parts: readonly string[]): Diagnosis => ({
  code: 'user-filter',
  cause: `there is an entry of that name (${dn}), and userFilter does not admit it${parts.length === 0 ? '' : `: ${parts.join(' and ')} ${parts.length === 1 ? 'does' : 'do'} not match`}`,
  cure: 'if this person may come in, mend realms.directory.userFilter or the entry; if not, all is well',
})

function otherAttribute(entry: Entry, name: string, attribute: string, others: readonly string[]): Diagnosis {
  const same = (value: string) => value.toLowerCase() === name.toLowerCase()
  const found = others.find(other => valuesOf(entry, other).some(same)) ?? 'another attribute'
  const own = valuesOf(entry, attribute)[0]
  return {
    code: 'other-attribute',
    cause: `nobody has ${attribute}=${name}, but ${entry.dn} has ${found}=${name}`,
    cure: `${own === undefined ? '' : `sign in as ${own}, or `}write omeName=${found} in realms.directory.userMapping`,
  }
}

const elsewhereOf = (unread: readonly string[], name: string): Diagnosis => ({
  code: 'referral-unread',
  cause: `nobody is called ${name} here, and parts of the tree lie at other servers, which were left unread: ${[...new Set(unread)].join(', ')}`,
  cure: 'write a narrower realms.directory.base; or name these servers in urls and write referral: follow; in Active Directory ask the Global Catalogue (ldaps://…:3269, base: ""), which knows all domains',
})

const nobodyAtAll = ({ base, userFilter }: MissingParts['plan']): Diagnosis => ({
  code: 'user-filter-empty',
  cause: `userFilter ${formatFilter(userFilter)} finds nobody at all below ${base === '' ? 'the empty base' : base}`,
  cure: 'look at realms.directory.base and userFilter, and whether the reader account may see the people (an access rule may hide them)',
})

const nobodyCalled = (name: string, { base, nameAttribute }: MissingParts['plan']): Diagnosis => ({
  code: 'nobody',
  cause: `no entry below ${base === '' ? 'the empty base' : base} has ${nameAttribute}=${name}; others are found`,
  cure: 'look at the spelling; whether the person lies below realms.directory.base; and whether the reader account may see the entry',
})
