/**
 * What an ACME keystore needs of the rest of the configuration: a plain listener where the authority looks, and a place
 * of its own.
 *
 * Source: RFC 8555 8.3: an authority asks on port 80, and nowhere else.
 */
import type { AcmeKeystoreSection, KeystoreSection } from './keystore.ts'
import type { Problem } from './problem.ts'
import type { Config } from './schema.ts'

type Path = readonly (string | number)[]

interface Doors extends Pick<Config, 'listeners'> {
  readonly streams?: Readonly<Record<string, { readonly keystores: readonly KeystoreSection[] }>> | undefined
}

function* acmeKeystores({ listeners, streams }: Doors): Generator<{ path: Path; section: AcmeKeystoreSection }> {
  for (const [kind, doors] of Object.entries({ listeners, streams: streams ?? {} })) {
    for (const [name, door] of Object.entries(doors)) {
      const keystores = 'keystores' in door ? door.keystores : []
      for (const [index, section] of keystores.entries()) {
        const path = [kind, name, 'keystore', ...(keystores.length > 1 ? [index] : []), 'acme']
        if (section.kind === 'acme') yield { path, section }
      }
    }
  }
}

export function* acmeProblems(config: Config): Generator<Problem> {
  const plain = Object.values(config.listeners).filter(one => one.kind === 'plain')
  const isReachable = plain.some(({ bind }) => bind.some(({ port }) => port === 80))
  const seen = new Map<string, string>()
  for (const { path, section } of acmeKeystores(config)) {
    if (plain.length === 0) {
      yield { path, message: 'the authority looks on port 80: a plain listener is needed (bind and redirect)' }
    } else if (!isReachable) {
      const message = 'the authority looks on port 80, which no plain listener binds; forward it to one'
      yield { path, severity: 'warning', message }
    }
    // Both are kept under their first name.
    const place = `${section.directory.href} ${section.names[0]}`
    const wishes = JSON.stringify(section)
    const other = seen.get(place)
    if (other === undefined) seen.set(place, wishes)
    else if (other !== wishes) {
      const message = `another keystore has ${section.names[0]} as its first name, and is not the same; let them be equal`
      yield { path: [...path, 'names'], message }
    }
  }
}
