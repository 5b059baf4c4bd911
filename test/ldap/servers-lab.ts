/**
 * The servers of a directory under test, over whatever URLs a test has: real slapd, a broken way to it, a liar.
 */
import type { Test } from 'tap'
import { Secret } from '../../src/kernel/secret.ts'
import { addressOf } from '../../src/ldap/connection.ts'
import type { Filter } from '../../src/ldap/filter.ts'
import { openServers, type SearchRequest, type ServerSettings, type Servers } from '../../src/ldap/servers.ts'
import { reader, suffix } from '../fixture/directory-tree.ts'

export interface Opened extends Servers {
  /** `step what`, in order. */
  readonly steps: readonly string[]
}

export function serversOn(
  t: Pick<Test, 'teardown'>,
  urls: readonly string[],
  settings: Partial<ServerSettings> = {},
): Opened {
  const steps: string[] = []
  const servers = openServers(
    {
      addresses: urls.map(addressOf),
      reader: { dn: reader.dn, password: new Secret(reader.password) },
      ...{ connectTimeout: 500, readTimeout: 500, trust: undefined, startTls: false, referral: 'ignore' },
      ...settings,
    },
    (step, _, what) => steps.push(`${step} ${what}`),
  )
  t.teardown(() => servers[Symbol.asyncDispose]())
  return Object.assign(servers, { steps })
}

export const named = (uid: string): Filter => ({ kind: 'equal', attribute: 'uid', value: uid })

/** Whoever is called so: two at most, as a sign-in asks. */
export const forUid = (uid: string): SearchRequest => ({
  ...{ base: suffix, scope: 'sub', filter: named(uid), attributes: ['uid'], most: 2 },
})

/** All entries of a class, page by page. */
export const forAll = (objectClass: string, attributes: readonly string[] = ['cn']): SearchRequest => ({
  ...{
    base: suffix,
    scope: 'sub',
    filter: { kind: 'equal', attribute: 'objectClass', value: objectClass },
    attributes,
  },
})

export const milliseconds = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await work()
  return performance.now() - started
}
