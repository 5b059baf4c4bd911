/**
 * Search filters: escaping a value, reading a filter that an operator wrote, and writing one for people to see.
 *
 * It sends nothing (filter-encoding.ts makes the packet). The one fact not to forget: a value stays in its escaped form
 * inside a Filter, so a name from outside can become part of a value and never of the structure around it.
 *
 * Source: RFC 4515 3 (grammar and escapes), RFC 4512 2.5 (attribute descriptions).
 */

export type Comparison = 'equal' | 'greater' | 'less' | 'approximate'

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter }
  | { readonly kind: 'present'; readonly attribute: string }
  /** `value` is escaped. */
  | { readonly kind: Comparison; readonly attribute: string; readonly value: string }
  /** `pieces` are what stands between the stars, escaped; the first and the last may be empty. */
  | { readonly kind: 'substring'; readonly attribute: string; readonly pieces: readonly string[] }
  | {
      readonly kind: 'extensible'
      readonly attribute: string
      readonly dn: boolean
      readonly rule: string
      readonly value: string
    }

/** Why a text is no filter, for the person who wrote it. */
export interface FilterMistake {
  readonly kind: 'mistake'
  readonly message: string
}

const escapes: Readonly<Record<string, string>> = { '*': '\\2a', '(': '\\28', ')': '\\29', '\\': '\\5c', '\0': '\\00' }

/** Makes any text a value that matches itself and nothing else. */
export const escapeFilterValue = (text: string): string => text.replace(/[*()\\\0]/g, char => escapes[char] ?? '')

/** `(attribute=text)`, whatever is in `text`. */
export const equal = (attribute: string, text: string): Filter => ({
  kind: 'equal',
  attribute,
  value: escapeFilterValue(text),
})

/** `(attribute=bytes)`, for what is no text. */
export const bytesEqual = (attribute: string, bytes: Buffer): Filter => ({
  kind: 'equal',
  attribute,
  value: bytes.toString('hex').replace(/../g, '\\$&'),
})

/** Any of them; `filters` is not empty. */
export const any = (...filters: readonly Filter[]): Filter => {
  const [only] = filters
  return filters.length === 1 && only !== undefined ? only : { kind: 'or', filters }
}

export const both = (...filters: readonly Filter[]): Filter => ({ kind: 'and', filters })

/** Nobody needs more, and the stack is not to be had by a text. */
const deepest = 50

const mistake = (message: string): FilterMistake => ({ kind: 'mistake', message })

/** Reads one whole filter. Blanks around and between filters are let through, as JNDI and OpenLDAP do. */
export function parseFilter(text: string): Filter | FilterMistake {
  const start = skipBlanks(text, 0)
  if (start === text.length) return mistake('the filter is empty; (objectClass=*) accepts every entry')
  if (text[start] !== '(') return mistake('a filter stands in parentheses: (attribute=value)')
  const read = readFilter(text, start, 0)
  if ('kind' in read) return read
  const rest = skipBlanks(text, read.end)
  if (rest === text.length) return read.filter
  if (text[rest] === '(') return mistake('two filters stand side by side; join them: (&(…)(…))')
  return mistake(`nothing may follow the filter, but "${text.slice(rest, rest + 20)}" does`)
}

type Read = { readonly filter: Filter; readonly end: number }

function readFilter(text: string, open: number, depth: number): Read | FilterMistake {
  if (depth > deepest) return mistake(`filters stand in each other more than ${deepest} deep`)
  const at = skipBlanks(text, open + 1)
  const sign = text[at]
  if (sign !== '&' && sign !== '|' && sign !== '!') return readItem(text, open)

  const filters: Filter[] = []
  let next = skipBlanks(text, at + 1)
  while (text[next] === '(') {
    const read = readFilter(text, next, depth + 1)
    if ('kind' in read) return read
    filters.push(read.filter)
    next = skipBlanks(text, read.end)
  }
  if (next === text.length) return mistake(`a ) is missing: the ( at position ${open + 1} is never closed`)
  if (text[next] !== ')') return mistake(`a ( or ) was expected at "${text.slice(next, next + 20)}"`)
  const [only] = filters
  if (only === undefined) return mistake(`(${sign}) holds no filter`)
  if (sign !== '!') return { filter: { kind: sign === '&' ? 'and' : 'or', filters }, end: next + 1 }
  if (filters.length > 1) return mistake('(!…) takes exactly one filter')
  return { filter: { kind: 'not', filter: only }, end: next + 1 }
}

function readItem(text: string, open: number): Read | FilterMistake {
  const length = text.slice(open + 1).search(/[()]/)
  if (length < 0) return mistake(`a ) is missing: the ( at position ${open + 1} is never closed`)
  const end = open + 1 + length
  if (text[end] === '(') return mistake(`a ( inside a value is written \\28: "${text.slice(open, end + 1)}"`)
  const filter = itemOf(text.slice(open + 1, end))
  return filter.kind === 'mistake' ? filter : { filter, end: end + 1 }
}

const attributePattern = /^(?:[A-Za-z][\w-]*|\d+(?:\.\d+)+)(?:;[A-Za-z0-9-]+)*$/

/** A name that LDAP can ask for: a word or an OID, with its options. */
export const isAttributeName = (text: string): boolean => attributePattern.test(text)

const comparisons: Readonly<Record<string, Comparison>> = {
  '=': 'equal',
  '>=': 'greater',
  '<=': 'less',
  '~=': 'approximate',
}

function itemOf(item: string): Filter | FilterMistake {
  const [, type, steps, matched] = /^([^:=<>~]*)((?::[^:=]*)*):=(.*)$/s.exec(item) ?? []
  if (type !== undefined && steps !== undefined && matched !== undefined) return extensible(item, type, steps, matched)

  const [, attribute = '', sign = '', value = ''] = /^([^=<>~]*)([<>~]?=)(.*)$/s.exec(item) ?? []
  const comparison = comparisons[sign]
  if (comparison === undefined) return mistake(`"(${item})" is no comparison; write (attribute=value)`)
  if (!isAttributeName(attribute)) return mistake(`"${attribute}" is no name of an attribute, in "(${item})"`)
  if (comparison === 'equal' && value === '*') return { kind: 'present', attribute }
  // Some directories find everything by it, some nothing, some refuse it.
  if (comparison === 'equal' && /^\*{2,}$/.test(value)) return mistake(`one * is enough, in "(${item})"`)
  if (comparison === 'equal' && value.includes('*')) {
    const pieces = value.split('*')
    return (
      pieces.map(piece => valueMistake(item, piece, false)).find(Boolean) ?? { kind: 'substring', attribute, pieces }
    )
  }
  return valueMistake(item, value, comparison === 'equal') ?? { kind: comparison, attribute, value }
}

function extensible(item: string, attribute: string, steps: string, value: string): Filter | FilterMistake {
  const parts = steps.split(':').slice(1)
  const dn = parts[0]?.toLowerCase() === 'dn'
  const [rule = '', ...more] = dn ? parts.slice(1) : parts
  const named = attribute === '' ? rule !== '' : isAttributeName(attribute)
  if (!named || more.length > 0 || (rule !== '' && !isAttributeName(rule))) {
    return mistake(`"(${item})" is no matching rule; write (attribute:rule:=value)`)
  }
  return valueMistake(item, value, false) ?? { kind: 'extensible', attribute, dn, rule, value }
}

/** @param bytesAllowed  only an equality can carry what is not UTF-8, such as an objectGUID */
function valueMistake(item: string, value: string, bytesAllowed: boolean): FilterMistake | undefined {
  if (/\\(?![0-9A-Fa-f]{2})/.test(value)) return mistake(`a \\ is written \\5c, in "(${item})"`)
  if (value.includes('*')) return mistake(`a * is written \\2a here, in "(${item})"`)
  if (value.includes('\0')) return mistake('a NUL is written \\00')
  if (!bytesAllowed && valueText(value) === undefined)
    return mistake(`bytes that are no UTF-8 can only be compared with =, in "(${item})"`)
  return undefined
}

/** The bytes that an escaped value stands for. */
export function valueBytes(escaped: string): Buffer {
  const parts = escaped.split(/\\([0-9A-Fa-f]{2})/)
  // split() puts what the group caught at the odd places.
  return Buffer.concat(parts.map((part, index) => Buffer.from(part, index % 2 === 1 ? 'hex' : 'utf8')))
}

/** The text that an escaped value stands for; undefined when it is no UTF-8. */
export function valueText(escaped: string): string | undefined {
  const bytes = valueBytes(escaped)
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined
}

const signs: Readonly<Record<Comparison, string>> = { equal: '=', greater: '>=', less: '<=', approximate: '~=' }

/** The filter as text: what `ldap find` shows, and what `ldapsearch` would take. */
export function formatFilter(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.kind === 'and' ? '&' : '|'}${filter.filters.map(formatFilter).join('')})`
    case 'not':
      return `(!${formatFilter(filter.filter)})`
    case 'present':
      return `(${filter.attribute}=*)`
    case 'substring':
      return `(${filter.attribute}=${filter.pieces.join('*')})`
    case 'extensible':
      return `(${filter.attribute}${filter.dn ? ':dn' : ''}${filter.rule === '' ? '' : `:${filter.rule}`}:=${filter.value})`
    default:
      return `(${filter.attribute}${signs[filter.kind]}${filter.value})`
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && /\s/.test(text[at] ?? '')) at++
  return at
}
