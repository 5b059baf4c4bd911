/**
 * What a server says of itself: which trees it holds, whether it is an Active Directory, which attributes it knows.
 *
 * For the doctor only: the gateway never decides anything by it. Much of it may be hidden from the reader.
 *
 * Source: RFC 4512 4.2 (subschema), 5.1 (root entry); MS-ADTS 3.1.1.3.2 (rootDSE), 3.1.1.3.4.3 (capabilities).
 */

import { isUnder, sameDn } from '../ldap/dn.ts'
import { valuesOf } from '../ldap/entry.ts'
import type { SearchRequest, Servers } from '../ldap/servers.ts'
import type { Diagnosis, Terms } from './diagnosis.ts'
import { readerCure } from './result-causes.ts'

export interface RootEntry {
  /** The trees that it holds. */
  readonly contexts: readonly string[]
  /** Active Directory: the domain of this server. */
  readonly domain: string | undefined
  readonly isActiveDirectory: boolean
  /** Where the schema stands. */
  readonly schema: string | undefined
}

const activeDirectory = '1.2.840.113556.1.4.800'

export const rootRequest: SearchRequest = {
  ...{ base: '', scope: 'base', filter: { kind: 'present', attribute: 'objectClass' }, most: 1 },
  attributes: ['namingContexts', 'defaultNamingContext', 'supportedCapabilities', 'subschemaSubentry'],
}

/** Undefined: it says nothing. May throw the Faults of Servers. */
export async function readRoot(servers: Pick<Servers, 'search'>): Promise<RootEntry | undefined> {
  const [entry] = await servers.search(rootRequest)
  if (entry === undefined) return undefined
  return {
    contexts: valuesOf(entry, 'namingContexts').filter(context => context !== ''),
    domain: valuesOf(entry, 'defaultNamingContext')[0],
    isActiveDirectory: valuesOf(entry, 'supportedCapabilities').includes(activeDirectory),
    schema: valuesOf(entry, 'subschemaSubentry')[0],
  }
}

/** What the trees that the server holds tell of a base that was not found. */
export function baseCause(
  found: Diagnosis,
  { contexts, domain }: Pick<RootEntry, 'contexts' | 'domain'>,
  { base, reader }: Pick<Terms, 'base' | 'reader'>,
): Diagnosis {
  if (contexts.some(context => sameDn(context, base)))
    return {
      code: 'base-hidden',
      cause: `the server holds ${base}, and does not show it to ${reader ?? 'who has not signed in'}`,
      cure: reader === undefined ? readerCure : 'let the reader account read and search there',
    }
  const around = contexts.find(context => isUnder(base, context))
  const trees = domain === undefined ? contexts : [domain, ...contexts.filter(context => !context.endsWith(domain))]
  const said =
    around !== undefined
      ? `the server holds ${around}, so look at what stands before that`
      : trees.length === 0
        ? 'the server does not say which trees it holds'
        : `did you mean ${trees.slice(0, 5).join(' or ')}?`
  return { ...found, cure: `${found.cure}: ${said}` }
}

/** Those of these attributes that the schema does not have; undefined: the schema is not to be seen. */
export async function unknownAttributes(
  servers: Pick<Servers, 'search'>,
  { schema }: Pick<RootEntry, 'schema'>,
  names: readonly string[],
): Promise<readonly string[] | undefined> {
  if (schema === undefined) return undefined
  const [entry] = await servers.search({
    ...{
      base: schema,
      scope: 'base',
      filter: { kind: 'equal', attribute: 'objectClass', value: 'subschema' },
      most: 1,
    },
    attributes: ['attributeTypes'],
  })
  const known = new Set((entry === undefined ? [] : valuesOf(entry, 'attributeTypes')).flatMap(namesIn))
  if (known.size === 0) return undefined
  const distinct = new Map(names.map(name => [name.toLowerCase(), name]))
  return [...distinct].flatMap(([key, name]) => (known.has(key.replace(/;.*$/, '')) ? [] : [name]))
}

/** `( 2.5.4.3 NAME ( 'cn' 'commonName' ) … )`: its names and its OID, in small letters. */
function namesIn(description: string): string[] {
  const [, oid = ''] = /^\(\s*([\d.]+)/.exec(description) ?? []
  const [, one, several = ''] = /\sNAME\s+(?:'([^']+)'|\(([^)]*)\))/.exec(description) ?? []
  const names = one === undefined ? [...several.matchAll(/'([^']+)'/g)].map(([, name = '']) => name) : [one]
  return [oid, ...names].map(name => name.toLowerCase())
}
