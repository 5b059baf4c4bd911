/**
 * After how many wrong passwords the directory locks an account, held against how many the gateway lets through.
 *
 * Not to forget: where the gateway is not the stricter of the two, strangers at its login page can lock people out of
 * everything else that the directory opens.
 *
 * Source: MS-ADA1 lockoutThreshold, lockOutObservationWindow (MS-ADTS 2.4.5: negative counts of 100 ns); slapo-ppolicy(5)
 * pwdMaxFailure, pwdFailureCountInterval.
 */

import { valuesOf } from '../ldap/entry.ts'
import type { Servers } from '../ldap/servers.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { RootEntry } from './root-entry.ts'

export interface Lockout {
  /** Wrong passwords in a row. */
  readonly threshold: number
  /** Milliseconds after which they are forgotten; undefined: only by a right password. */
  readonly window: number | undefined
  /** DN. */
  readonly where: string
}

/** The strictest rule that the reader can see; undefined: none. May throw the Faults of Servers. */
export async function readLockout(servers: Pick<Servers, 'search'>, root: RootEntry): Promise<Lockout | undefined> {
  const { isActiveDirectory, domain, contexts } = root
  const all = isActiveDirectory
    ? domain === undefined
      ? []
      : await ofDomain(servers, domain)
    : (await Promise.all(contexts.map(context => ofPolicies(servers, context)))).flat()
  return all.toSorted((one, other) => one.threshold - other.threshold)[0]
}

async function ofDomain(servers: Pick<Servers, 'search'>, domain: string): Promise<Lockout[]> {
  const attributes = ['lockoutThreshold', 'lockOutObservationWindow']
  const filter = { kind: 'present', attribute: 'objectClass' } as const
  const [entry] = await servers.search({ base: domain, scope: 'base', filter, attributes, most: 1 })
  const one = (name: string) => valuesOf(entry ?? { attributes: new Map() }, name)[0]
  const threshold = count(one('lockoutThreshold'))
  const span = /^-(\d{1,19})$/.exec(one('lockOutObservationWindow') ?? '')?.[1]
  const window = span === undefined ? undefined : Number(BigInt(span) / 10_000n)
  return threshold === undefined ? [] : [{ threshold, window, where: domain }]
}

async function ofPolicies(servers: Pick<Servers, 'search'>, base: string): Promise<Lockout[]> {
  const attributes = ['pwdLockout', 'pwdMaxFailure', 'pwdFailureCountInterval']
  const filter = { kind: 'equal', attribute: 'objectClass', value: 'pwdPolicy' } as const
  const policies = await servers.search({ base, scope: 'sub', filter, attributes })
  return policies.flatMap(entry => {
    const threshold = count(valuesOf(entry, 'pwdMaxFailure')[0])
    if (threshold === undefined || !/^true$/i.test(valuesOf(entry, 'pwdLockout')[0] ?? '')) return []
    const seconds = count(valuesOf(entry, 'pwdFailureCountInterval')[0])
    return [{ threshold, window: seconds === undefined ? undefined : seconds * 1000, where: entry.dn }]
  })
}

/** 0 stands for "never" in both of them. */
const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined

/** @param name  `realms.throttle.name`. @returns undefined where the gateway is the stricter one */
export function lockoutAdvice(
  { threshold, window, where }: Lockout,
  name: { readonly failures: number; readonly within: number },
): Diagnosis | undefined {
  const isFewer = name.failures < threshold
  const isLonger = window !== undefined && name.within >= window
  if (isFewer && isLonger) return undefined
  const forgotten = window === undefined ? 'and forgets them at a right password only' : `within ${spanText(window)}`
  return {
    code: 'throttle-not-stricter',
    cause: `the directory locks an account after ${threshold} wrong passwords ${forgotten} (${where}), and the gateway lets ${name.failures} in ${spanText(name.within)} through: strangers at its login page can lock people out of everything else`,
    cure: advised(threshold, window),
  }
}

function advised(threshold: number, window: number | undefined): string {
  if (threshold === 1) return 'have the directory take more than one wrong password: nothing can be stricter than that'
  const within = window === undefined ? 'a span as long as you can bear' : `within: ${spanText(window)} or more`
  return `write realms.throttle.name: failures: ${Math.max(1, Math.min(4, threshold - 1))} or fewer, ${within}`
}

const spanText = (milliseconds: number): string =>
  milliseconds % 60_000 === 0 ? `${milliseconds / 60_000} min` : `${Math.ceil(milliseconds / 1000)} s`
