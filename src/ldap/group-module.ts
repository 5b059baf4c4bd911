/**
 * `:bean:FILE#EXPORT`: a function of the site's own that says in which groups a person is.
 *
 *     export async function groupsOf({ name, dn, attributes }, { search }) { return ['radiology'] }
 *
 * `attributes` holds lists of text under names in small letters; `search(filter, attributes)` looks below the base as
 * the reader, and gives entries of the same form. It runs inside the gateway with all its rights: whoever may write the
 * file may do anything here. What it throws, or takes too long for, is a Fault, never a group.
 *
 * Source: OMERO `:bean:` (NewUserGroupBean), whose place it takes.
 */
import { randomUUID } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { Fault } from '../kernel/fault.ts'
import type { DirectoryPlan } from './directory-plan.ts'
import type { Entry } from './entry.ts'
import { parseFilter } from './filter.ts'
import type { PersonEntry } from './person.ts'
import type { Servers } from './servers.ts'

export type AskModule = (entry: PersonEntry) => Promise<readonly string[]>

export interface ModuleParts {
  readonly plan: Pick<DirectoryPlan, 'base' | 'groups' | 'readTimeout'>
  readonly servers: Pick<Servers, 'search'>
}

const wrong = (file: string, why: string, cause?: unknown) =>
  new Fault('directory-misconfigured', { about: `the module ${file}: ${why}`, cause })

/** Loads the function once; rejects with Fault('directory-misconfigured') where there is none. */
async function load(file: string, name: string): Promise<(...given: unknown[]) => unknown> {
  let loaded: Record<string, unknown>
  try {
    // Another address each time, as modules are never read twice: a reload takes what stands there now.
    loaded = await import(`${pathToFileURL(file).href}?loaded=${randomUUID()}`)
  } catch (cause) {
    throw wrong(file, 'cannot be loaded', cause)
  }
  const found = loaded[name]
  if (typeof found !== 'function') throw wrong(file, `does not export a function "${name}"`)
  return (...given) => Reflect.apply(found, undefined, given)
}

/** What the module is told of an entry. */
const plain = ({ dn, attributes }: Entry) => ({ dn, attributes: Object.fromEntries(attributes) })

/** `prepare` loads the module now, and rejects if that fails; without a module it does nothing. */
export function createModule({ plan, servers }: ModuleParts): { ask: AskModule; prepare(): Promise<void> } {
  const { groups: rule, base, readTimeout } = plan
  let loading: Promise<(...given: unknown[]) => unknown> | undefined
  const loaded = () => {
    if (rule.kind !== 'module') throw new TypeError('no module is configured')
    loading ??= load(rule.file, rule.name)
    return loading
  }
  async function search(text: unknown, attributes: unknown = []) {
    const filter = parseFilter(String(text))
    if (filter.kind === 'mistake') throw new Error(`search(): ${filter.message}`)
    const wanted = Array.isArray(attributes) ? attributes.map(String) : []
    return (await servers.search({ base, scope: 'sub', filter, attributes: wanted })).map(plain)
  }
  return {
    async prepare() {
      if (rule.kind === 'module') await loaded()
    },
    async ask(entry) {
      if (rule.kind !== 'module') throw new TypeError('no module is configured')
      const groupsOf = await loaded()
      const told = Promise.try(groupsOf, { name: entry.name, ...plain(entry) }, { search })
      let names: unknown
      try {
        names = await within(told, readTimeout)
      } catch (cause) {
        if (cause instanceof Fault) throw cause
        throw new Fault('directory-unavailable', { about: `the module ${rule.file}`, cause })
      }
      if (!Array.isArray(names) || !names.every(name => typeof name === 'string'))
        throw wrong(rule.file, `"${rule.name}" gives something else than a list of names`)
      return names
    },
  }
}

function within<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`gave no answer within ${milliseconds} ms`)), milliseconds)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}
