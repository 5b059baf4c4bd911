/**
 * Fills `@{attribute}` in a filter from the entry of the person who signs in; `${attribute}` is OMERO's older spelling.
 *
 * The value is escaped, and looked at once: what it holds is never taken for a placeholder or a filter. In doubt the
 * filter is not filled at all, so that nobody is matched by half a value.
 *
 * Source: OMERO `omero.ldap.new_user_group`, `:query:`.
 */
import { escapeFilterValue, type Filter, isAttributeName } from './filter.ts'

/** Letters of a value. A directory hangs up on questions of megabytes, and nobody is told apart by that many. */
const longest = 8192

const pattern = /[@$]\{([^{}]*)\}/g

/** All names that stand in placeholders, in order, each once. */
export function placeholdersIn(filter: Filter): string[] {
  const found = textsOf(filter).flatMap(text => [...text.matchAll(pattern)].map(([, name = '']) => name))
  return [...new Set(found)]
}

/** Placeholders that could never be filled, and what begins like one and is none, as they stand there. */
export const wrongPlaceholders = (filter: Filter): string[] => [
  ...placeholdersIn(filter).flatMap(name => (isAttributeName(name) ? [] : [`@{${name}}`])),
  ...textsOf(filter).flatMap(text => text.replace(pattern, '').match(/[@$]\{.*/s) ?? []),
]

export interface Unfilled {
  readonly kind: 'unfilled'
  readonly why: string
}

/** @param valuesOf  what the entry holds under that name; may come from outside */
export function fillPlaceholders(filter: Filter, valuesOf: (name: string) => readonly string[]): Filter | Unfilled {
  const fill = fillerFor(filter, valuesOf)
  return 'why' in fill ? fill : mapFilter(filter, fill)
}

/** Fills one comparison of the filter after the other. */
export function fillerFor(
  filter: Filter,
  valuesOf: (name: string) => readonly string[],
): ((item: Item) => Filter) | Unfilled {
  const values = new Map<string, string>()
  for (const name of placeholdersIn(filter)) {
    const [value, ...more] = valuesOf(name)
    if (value === undefined || value === '') return { kind: 'unfilled', why: `the entry holds nothing for @{${name}}` }
    if (more.length > 0) return { kind: 'unfilled', why: `the entry holds several values for @{${name}}` }
    if (value.length > longest)
      return { kind: 'unfilled', why: `the entry holds more than ${longest} letters for @{${name}}` }
    values.set(name, escapeFilterValue(value))
  }
  return item => mapText(item, text => text.replace(pattern, (_, name: string) => values.get(name) ?? ''))
}

function textsOf(filter: Filter): readonly string[] {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.flatMap(textsOf)
    case 'not':
      return textsOf(filter.filter)
    case 'present':
      return []
    case 'substring':
      return filter.pieces
    default:
      return [filter.value]
  }
}

/** Every comparison of the filter replaced by what `change` makes of it. */
export function mapFilter(filter: Filter, change: (item: Item) => Filter): Filter {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return { ...filter, filters: filter.filters.map(inner => mapFilter(inner, change)) }
    case 'not':
      return { ...filter, filter: mapFilter(filter.filter, change) }
    default:
      return change(filter)
  }
}

/** One comparison. */
export type Item = Exclude<Filter, { kind: 'and' | 'or' | 'not' }>

function mapText(item: Item, change: (text: string) => string): Filter {
  switch (item.kind) {
    case 'present':
      return item
    case 'substring':
      return { ...item, pieces: item.pieces.map(change) }
    default:
      return { ...item, value: change(item.value) }
  }
}
