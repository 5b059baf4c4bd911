/**
 * Reads JSON as jsoncpp reads it for Orthanc: comments of both kinds, a comma too many at the end, a byte order mark, control
 * characters inside strings. Every value knows the line where it stands.
 *
 * As there, of two members with one name the last counts, and what follows the closing brace is ignored; both are told.
 * Not to forget: members are a Map, because a name may be `__proto__`. And what a variable holds may be a secret: a member
 * whose name has one in it is left out and told, so that names can be shown.
 *
 * Source: RFC 8259; jsoncpp 1.9 CharReaderBuilder (defaults); tried out on Orthanc 1.10.1.
 */
import type { Decision } from './decision.ts'
import { quoted, shownName } from './decision.ts'
import type { Mistake } from './imported.ts'
import { type Environment, originsOf, type Substitution, substituteVariables } from './variables.ts'

export type Members = ReadonlyMap<string, JsonNode>
export type JsonValue = string | number | boolean | null | readonly JsonNode[] | Members

export interface JsonNode {
  readonly value: JsonValue
  readonly file: string
  readonly line: number
  /** The variable that the whole text or number came from. */
  readonly variable?: Substitution
  /** A variable that is set and has a part in it; its value is not to be shown, nor put into a draft. Not of lists and members. */
  readonly touched?: string
  /** Variables inside it that are not set and have no default. */
  readonly missing?: readonly string[]
}

export type JsonRead =
  | { readonly ok: true; readonly node: JsonNode; readonly remarks: readonly Decision[] }
  | { readonly ok: false; readonly mistake: Mistake }

const deepest = 1000 // as jsoncpp: its stackLimit
const words = new Map<string, boolean | null>([
  ['true', true],
  ['false', false],
  ['null', null],
])
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class Misread extends Error {
  readonly position: number
  constructor(position: number, message: string) {
    super(message)
    this.position = position
  }
}

/** @param env  for `${NAME}` in the text */
export function readJsonc(file: string, written: string, env: Environment): JsonRead {
  const substituted = { written, ...substituteVariables(written, env) }
  const { text, substitutions } = substituted
  const { placeOf, between } = originsOf(substituted)
  const lineOf = (position: number) => placeOf(position).line
  const setIn = (start: number) => between(start, at).find(({ isSet, start, end }) => isSet && end > start)?.name
  const remarks: Decision[] = []
  let at = text.startsWith('\ufeff') ? 1 : 0

  const wrong: (message: string, position?: number) => never = (message, position = at) => {
    throw new Misread(position, message)
  }
  const skip = (): void => {
    for (;;) {
      while (/[ \t\r\n]/.test(text[at] ?? '')) at++
      if (text.startsWith('//', at)) {
        const end = text.indexOf('\n', at)
        at = end === -1 ? text.length : end
      } else if (text.startsWith('/*', at)) {
        const end = text.indexOf('*/', at + 2)
        if (end === -1) wrong('a comment that begins here has no end')
        at = end + 2
      } else return
    }
  }
  const takes = (mark: string): boolean => {
    skip()
    if (text[at] !== mark) return false
    at++
    return true
  }

  const readText = (): string => {
    const start = at++
    let read = ''
    for (; text[at] !== '"'; at++) {
      if (at >= text.length) wrong('a text that begins here has no closing quote', start)
      if (text[at] !== '\\') {
        read += text[at]
        continue
      }
      const mark = text[++at] ?? ''
      const code = mark === 'u' ? /^[0-9A-Fa-f]{4}/.exec(text.slice(at + 1))?.[0] : undefined
      const meant = code === undefined ? escapes[mark] : String.fromCharCode(Number.parseInt(code, 16))
      if (meant === undefined) wrong('this is no escape in JSON; a backslash itself is written \\\\', at - 1)
      read += meant
      at += code === undefined ? 0 : 4
    }
    at++
    return read
  }

  const readScalar = (): JsonValue => {
    if (text[at] === '"') return readText()
    const [word = ''] = /^-?[0-9A-Za-z][0-9A-Za-z.+-]*/.exec(text.slice(at, at + 400)) ?? []
    const known = words.get(word)
    if (known !== undefined) {
      at += word.length
      return known
    }
    if (!/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(word)) wrong('a value is missing here')
    at += word.length
    return Number(word)
  }

  const readList = (depth: number): JsonNode[] => {
    const items: JsonNode[] = []
    for (at++; !takes(']'); ) {
      items.push(readNode(depth))
      if (takes(',')) continue
      if (takes(']')) break
      wrong('a comma or ] is missing here')
    }
    return items
  }

  const readMembers = (depth: number): Members => {
    const members = new Map<string, JsonNode>()
    for (at++; !takes('}'); ) {
      const start = at
      if (text[at] !== '"') wrong('the name of an option, in double quotes, is missing here')
      const name = readText()
      const secret = setIn(start)
      if (!takes(':')) wrong(`a colon is missing after ${secret === undefined ? quoted(name) : 'this name'}`)
      if (secret !== undefined) {
        const message = `a name here has the environment variable ${shownName(secret)} in it, which is not repeated; it is left out with all that it holds`
        remarks.push({ kind: 'decide', option: '', message, file, line: lineOf(start) })
        readNode(depth)
        if (takes(',')) continue
        if (takes('}')) break
        wrong('a comma or } is missing here')
      }
      if (members.has(name)) {
        const message = 'is written twice in one place; the last one counts, for Orthanc too'
        remarks.push({ kind: 'note', option: shownName(name), message, file, line: lineOf(start) })
      }
      members.set(name, readNode(depth))
      if (takes(',')) continue
      if (takes('}')) break
      wrong('a comma or } is missing here')
    }
    return members
  }

  const readNode = (depth: number): JsonNode => {
    skip()
    if (depth > deepest) wrong('this is nested too deeply')
    const start = at
    const line = lineOf(start)
    if (text[at] === '{') return { value: readMembers(depth + 1), file, line }
    if (text[at] === '[') return { value: readList(depth + 1), file, line }
    const value = readScalar()
    const inside = between(start, at)
    const touched = setIn(start)
    const edge = typeof value === 'string' ? 1 : 0
    const variable = inside.find(one => one.start === start + edge && one.end === at - edge)
    const missing = inside.filter(one => !one.isSet && !one.hasDefault).map(({ name }) => name)
    return {
      ...{ value, file, line },
      ...(variable === undefined ? {} : { variable }),
      ...(touched === undefined ? {} : { touched }),
      ...(missing.length === 0 ? {} : { missing }),
    }
  }

  try {
    skip()
    if (text[at] !== '{') wrong('a configuration of Orthanc begins with {')
    const node = readNode(0)
    skip()
    if (at < text.length) {
      const message = 'what follows the closing brace is ignored, by Orthanc too'
      remarks.push({ kind: 'note', option: '', message, file, line: lineOf(at) })
    }
    return { ok: true, node, remarks }
  } catch (cause) {
    if (!(cause instanceof Misread)) throw cause
    const near = substitutions.find(one => !one.isSet && !one.hasDefault && Math.abs(one.start - cause.position) < 2)
    const hint = near === undefined ? '' : `; the environment variable ${shownName(near.name)} is not set here`
    const place = placeOf(cause.position)
    return { ok: false, mistake: { file, ...place, message: `${cause.message}${hint}` } }
  }
}
