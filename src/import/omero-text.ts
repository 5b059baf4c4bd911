/**
 * Values of omero.ldap.* that are more than words: placeholders in either spelling, filters, mappings, spans of time.
 *
 * What is no such thing makes the option unclear, where a default in its place would let other people in.
 *
 * Source: OMERO LdapConfig, AttributeSet (mappings); omero-py config upgrade (`${…}` became `@{…}`); Java's Integer.
 */
import { parseFilter } from '../ldap/filter.ts'
import { placeholdersIn } from '../ldap/placeholder.ts'
import { legible, quoted, type Tell } from './decision.ts'
import type { OmeroSettings } from './omero-property.ts'

/** With `@{name}` for the older `${name}`. One with a dot in it is another property, which Spring puts there. */
export function spelled(settings: OmeroSettings, key: string, tell: Tell): string | undefined {
  const written = settings.text(key)
  if (written === undefined) return undefined
  if (/\$\{[^{}]*\.[^{}]*\}/.test(written)) {
    settings.makeUnclear(key)
    tell('decide', settings.place(key), 'names another property in its braces, which is not put in; write what it says')
    return undefined
  }
  return written.replace(/\$\{([^{}]*)\}/g, '@{$1}')
}

/** What the parser says of a filter, some of which is the filter itself. */
export const filterMistake = (message: string): string =>
  `is no filter that a directory can be asked with: ${legible(message.length > 200 ? `${message.slice(0, 200)}…` : message)}`

/** A whole filter; undefined when it is the default, absent or unclear. */
export function filterIn(settings: OmeroSettings, key: string, absent: string, tell: Tell): string | undefined {
  const text = spelled(settings, key, tell)
  if (text === undefined || text === absent) return undefined
  if (text === '') {
    tell('note', settings.place(key), 'is empty: every entry will do, and the draft says (objectClass=*)')
    return '(objectClass=*)'
  }
  const filter = parseFilter(text)
  if (filter.kind === 'mistake') {
    settings.makeUnclear(key)
    tell('problem', settings.place(key), filterMistake(filter.message))
    return undefined
  }
  if (placeholdersIn(filter).length > 0)
    tell(
      'decide',
      settings.place(key),
      'holds a placeholder, and those are filled in omero.ldap.new_user_group only; here @{…} stands for itself',
    )
  return text
}

interface MappingRule {
  readonly key: string
  readonly absent: string
  /** Without which nothing can be found. */
  readonly needed: string
  readonly known: readonly string[]
}

export function mappingIn(settings: OmeroSettings, rule: MappingRule, tell: Tell): string | undefined {
  const { key, absent, needed, known } = rule
  const text = spelled(settings, key, tell)
  if (text === undefined || text === absent) return undefined
  const place = settings.place(key)
  const pairs = new Map<string, string>()
  const strange = new Set<string>()
  for (const part of text.split(/[\s;:,]+/)) {
    if (part === '') continue
    const at = part.indexOf('=')
    const [name, attribute] = at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
    if (!known.includes(name)) strange.add(name)
    else pairs.set(name, attribute)
  }
  for (const [name, attribute] of pairs) {
    if (/^(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)$/.test(attribute)) continue
    pairs.delete(name)
    tell('problem', place, `${name} has no name of an attribute behind its =`)
  }
  if (strange.size > 0)
    tell('note', place, `OMERO does not know ${[...strange].map(quoted).join(', ')}; the draft leaves it out`)
  if (!pairs.has(needed)) {
    settings.makeUnclear(key)
    tell('problem', place, `maps nothing to ${needed}, and nobody is found without it`)
    return undefined
  }
  const mapped = [...pairs].map(([name, attribute]) => `${name}=${attribute}`).join(',')
  return mapped === absent ? undefined : mapped
}

/** Milliseconds as a span of ours; undefined where the default stays. Nothing here waits for ever. */
export function spanIn(settings: OmeroSettings, key: string, absent: number, tell: Tell): string | undefined {
  const text = settings.text(key)
  if (text === undefined) return undefined
  const value = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(value) || Math.abs(value) > 0x7fff_ffff) {
    tell('problem', settings.place(key), `must be a whole number of milliseconds; the draft waits ${absent / 1000} s`)
    return undefined
  }
  if (value <= 0) {
    tell(
      'decide',
      settings.place(key),
      `lets OMERO wait for ever; the gateway never does: the draft waits ${absent / 1000} s, write another span where that is too short`,
    )
    return undefined
  }
  if (value === absent) return undefined
  if (value % 1000 === 0) return `${value / 1000} s`
  return value < 1_000_000 ? `${value} ms` : `${Math.floor(value / 1000)} s`
}
