/**
 * What should be known of a directory that answers: slow steps, attributes that it does not know, and whether it locks
 * accounts before the gateway stops trying.
 *
 * Much of it may be hidden from the reader account; then nothing is said of it.
 */

import type { DirectoryPlan } from '../ldap/directory-plan.ts'
import type { Filter } from '../ldap/filter.ts'
import { placeholdersIn } from '../ldap/placeholder.ts'
import { nothing } from './closer-look.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { Examination } from './examination.ts'
import { lockoutAdvice, readLockout } from './lockout.ts'
import { type RootEntry, readRoot, unknownAttributes } from './root-entry.ts'
import type { Step } from './step-rows.ts'

/** Milliseconds. A directory answers a sign-in in a few. */
const slow = 1_000

/** @param name  `realms.throttle.name` */
export async function remarksOn(
  { steps, servers, plan, terms, remarks }: Examination,
  name: { readonly failures: number; readonly within: number },
): Promise<Diagnosis[]> {
  const answers = steps.some(({ step, ok }) => ok && /^(reader|search)$/.test(step))
  const root = answers ? await readRoot(servers).catch(nothing) : undefined
  const unknown = root && (await unknownAttributes(servers, root, attributesOf(plan)).catch(nothing))
  const lockout = root && (await readLockout(servers, root).catch(nothing))
  return [
    ...remarks,
    ...steps
      .filter(({ milliseconds = 0 }) => milliseconds > slow)
      .map(step => slowCause(step, root, terms.address.port)),
    root && chainCause(root, plan),
    unknown && unknownCause(unknown, plan),
    lockout && lockoutAdvice(lockout, name),
  ].filter(one => one !== undefined)
}

function slowCause({ step, milliseconds = 0, what }: Step, root: RootEntry | undefined, port: number): Diagnosis {
  const took = `took ${(milliseconds / 1000).toFixed(1)} s`
  if (step !== 'search' && step !== 'referral')
    return {
      code: 'slow',
      cause: `the step "${step}" ${took}`,
      cure: 'look at the way to the server and at its load: name server, distance, a domain controller at another site',
    }
  const index = 'have the attributes of the filters indexed, and write a narrower realms.directory.base'
  if (root?.isActiveDirectory === true && (port === 389 || port === 636))
    return {
      code: 'slow-search',
      cause: `a search ${took}: ${what}`,
      cure: `ask the Global Catalogue instead (port ${port === 636 ? 3269 : 3268}), which answers from one place; it knows universal groups only, so look with sallyport ldap groups. Otherwise ${index}`,
    }
  return { code: 'slow-search', cause: `a search ${took}: ${what}`, cure: index }
}

/** A server that does not know the rule finds nobody by it, and says so in no way. */
function chainCause({ isActiveDirectory }: RootEntry, { groups }: DirectoryPlan): Diagnosis | undefined {
  if (isActiveDirectory || !('nesting' in groups) || groups.nesting !== 'chain') return undefined
  return {
    code: 'no-chain-rule',
    cause:
      'nestedGroups: true asks by a rule of Active Directory, and this server does not say that it is one: there people are in no group',
    cure: 'write nestedGroups: walk, which goes from group to group',
  }
}

function attributesOf({ userMapping, groupNameAttribute, userFilter, groupFilter, groups }: DirectoryPlan): string[] {
  const filters = [
    userFilter,
    groupFilter,
    ...(groups.kind === 'query' ? [groups.query, ...(groups.owner ? [groups.owner] : [])] : []),
  ]
  const named = groups.kind === 'attribute' || groups.kind === 'dn-attribute' ? [groups.attribute] : []
  const holders = filters.flatMap(placeholdersIn).filter(one => one.toLowerCase() !== 'dn' && !userMapping.has(one))
  return [...userMapping.values(), groupNameAttribute, ...named, ...filters.flatMap(attributesIn), ...holders]
}

function attributesIn(filter: Filter): string[] {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.flatMap(attributesIn)
    case 'not':
      return attributesIn(filter.filter)
    default:
      return filter.attribute === '' ? [] : [filter.attribute]
  }
}

function unknownCause(
  unknown: readonly string[],
  { userMapping, nameAttribute }: DirectoryPlan,
): Diagnosis | undefined {
  if (unknown.length === 0) return undefined
  const particulars = new Set([...userMapping.values()].filter(one => one !== nameAttribute))
  const isHarmless = unknown.every(one => particulars.has(one))
  return {
    code: isHarmless ? 'unknown-particulars' : 'unknown-attributes',
    cause: `the directory knows no attribute ${unknown.join(', ')}`,
    cure: isHarmless
      ? 'these particulars stay empty; leave them out of userMapping, or name the attributes that hold them'
      : 'look at their spelling in userMapping, groupMapping, userFilter, groupFilter and newUserGroup: what is not known matches nobody',
  }
}
