/**
 * Lines of a Java `.properties` file: which of them belong together, and what name and value they hold.
 *
 * Not to forget: a backslash that stands before nothing it knows disappears in such a file, without a word. Where that
 * has happened it is said, since filters of LDAP are full of them.
 *
 * Source: java.util.Properties, load(Reader).
 */

export interface LogicalLine {
  readonly text: string
  /** Index of the line behind it. */
  readonly next: number
}

/** Whether the next line belongs to it: an odd number of backslashes at its end. */
export function goesOn(line: string): boolean {
  let at = line.length
  while (at > 0 && line[at - 1] === '\\') at--
  return (line.length - at) % 2 === 1
}

/** @param index  of a line that is neither blank nor a comment */
export function logicalLine(lines: readonly string[], index: number): LogicalLine {
  const parts: string[] = []
  let at = index
  let line = (lines[at] ?? '').replace(/^[ \t\f]+/, '')
  while (goesOn(line) && at + 1 < lines.length) {
    parts.push(line.slice(0, -1))
    at++
    line = (lines[at] ?? '').replace(/^[ \t\f]+/, '')
  }
  // One at the very end joins nothing.
  parts.push(goesOn(line) ? line.slice(0, -1) : line)
  return { text: parts.join(''), next: at + 1 }
}

export interface JavaProperty {
  readonly key: string
  readonly value: string
  /** What parts them: one of the two signs, a blank, or nothing where there is no value. */
  readonly separator: '=' | ':' | ' ' | ''
  /** The value would be another one if backslashes stood for themselves. */
  readonly hasBackslash: boolean
  /** One stood before what Java does not know, and is gone. */
  readonly hasLostOne: boolean
}

const known: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

/** By hand: one expression for a name of any length would need a stack of that size. */
function keyEnd(logical: string): number {
  const stop = /[\\=: \t\f]/g
  for (let found = stop.exec(logical); found !== null; found = stop.exec(logical)) {
    if (found[0] !== '\\') return found.index
    stop.lastIndex = found.index + 2
  }
  return logical.length
}

const withoutPairs = (text: string): string => text.replaceAll('\\\\', '')

/** @returns undefined when a \u is no character, with which Java stops */
export function javaProperty(logical: string): JavaProperty | undefined {
  if (/\\u(?![0-9A-Fa-f]{4})/.test(withoutPairs(logical))) return undefined
  const end = keyEnd(logical)
  const [, parting = '', rest = ''] = /^([ \t\f]*[=:]?[ \t\f]*)(.*)$/s.exec(logical.slice(end)) ?? []
  const sign = parting.trim()
  const separator = sign === '=' || sign === ':' ? sign : parting === '' ? '' : ' '
  return {
    key: plain(logical.slice(0, end)),
    value: plain(rest),
    separator,
    hasBackslash: /\\[^u=:#! ]/.test(rest),
    hasLostOne: /\\[^utnrf=:#! ]/.test(withoutPairs(rest)),
  }
}

const plain = (text: string): string =>
  text.replace(/\\(?:u([0-9A-Fa-f]{4})|(.?))/gs, (_, hex: string | undefined, character: string) =>
    hex === undefined
      ? Object.hasOwn(known, character)
        ? (known[character] ?? '')
        : character
      : String.fromCharCode(Number.parseInt(hex, 16)),
  )
