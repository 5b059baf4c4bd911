/**
 * Names that nobody can have any more once `realms.ignoreCase` writes all of them in small letters; for `check`.
 *
 * Names in certificates that are not looked up in the directory keep their letters, so rules for those are left alone.
 *
 * Source: OMERO `omero.security.ignore_case`, under which users stored with capitals can no longer log in.
 */
import type { RouteSection } from '../config/route.ts'
import { foldName } from '../kernel/fold-name.ts'

type Report = (key: string, message: string, severity: 'warning') => void

export interface NamesInUse {
  readonly accounts: readonly { readonly name: string }[]
  readonly routes: readonly Pick<RouteSection, 'access'>[]
}

/** @param at  a report for what stands at this place of the configuration */
export function inspectNames(
  { accounts, routes }: NamesInUse,
  at: (...path: readonly (string | number)[]) => Report,
): void {
  for (const { name } of accounts) {
    if (foldName(name) === name) continue
    const message = `nobody can sign in as the local account "${name}": with ignoreCase names are in small letters; add "${foldName(name)}" and remove it (sallyport users)`
    at('realms')('ignoreCase', message, 'warning')
  }
  for (const [index, { access }] of routes.entries()) {
    if (!Array.isArray(access)) continue
    for (const [number, { people = [], realms, proof }] of access.entries()) {
      const byPassword = proof === undefined || proof.some(one => one !== 'certificate')
      const fromHere = realms === undefined || realms.some(realm => realm === 'directory' || realm === 'local')
      if (!byPassword || !fromHere) continue
      for (const name of people.filter(name => foldName(name) !== name)) {
        const message = `nobody signs in as "${name}": with ignoreCase names are in small letters; write "${foldName(name)}"`
        at('routes', index, 'access', number)('people', message, 'warning')
      }
    }
  }
}
