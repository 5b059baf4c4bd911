/**
 * Puts environment variables into a text as Orthanc does: before it is read as JSON, wherever they stand.
 *
 * `${NAME}`, `${NAME:-default}`, the default also in either kind of quotes. A variable that is set to nothing is set;
 * one that is not set and has no default becomes nothing. What came from where is kept, so that lines can be counted in
 * the file as it was written, and a password from a variable can stay one.
 *
 * Source: Orthanc Book, "Configuration of Orthanc: environment variables"; tried out on Orthanc 1.10.1.
 */

export interface Substitution {
  readonly name: string
  /** False: its default stands there, or nothing. */
  readonly isSet: boolean
  readonly hasDefault: boolean
  /** Where its value stands in the new text. */
  readonly start: number
  readonly end: number
  /** How long the reference was. */
  readonly written: number
}

export interface Substituted {
  readonly text: string
  readonly substitutions: readonly Substitution[]
}

export type Environment = Readonly<Record<string, string | undefined>>

interface Reference {
  readonly name: string
  readonly byDefault: string | undefined
  readonly start: number
  readonly end: number
}

/** Where the next of these characters is; to be asked for positions that only grow. */
function nextOf(text: string, characters: RegExp): (from: number) => number {
  let found = -1
  return from => {
    if (found >= from) return found
    characters.lastIndex = from
    found = characters.exec(text)?.index ?? Number.POSITIVE_INFINITY
    return found
  }
}

/** By hand and not by one expression, which would look to the end of the text again at each `${` that nothing closes. */
function* referencesIn(text: string): Generator<Reference> {
  const nameEnd = nextOf(text, /[:}]/g)
  const plainEnd = nextOf(text, /['"}]/g)
  const quoteEnd = { '"': nextOf(text, /"/g), "'": nextOf(text, /'/g) }
  for (let start = text.indexOf('${'); start !== -1; ) {
    const stop = nameEnd(start + 2)
    if (stop === Number.POSITIVE_INFINITY) return
    let end = text[stop] === '}' ? stop : Number.POSITIVE_INFINITY
    let byDefault: string | undefined
    if (text.startsWith(':-', stop)) {
      const first = stop + 2
      const mark = text[first]
      const inQuotes = mark === '"' || mark === "'"
      const last = inQuotes ? quoteEnd[mark](first + 1) : plainEnd(first)
      end = inQuotes ? last + 1 : last
      byDefault = text.slice(inQuotes ? first + 1 : first, last)
    }
    const isOne = text[end] === '}'
    if (isOne) yield { name: text.slice(start + 2, stop), byDefault, start, end: end + 1 }
    start = text.indexOf('${', isOne ? end + 1 : start + 1)
  }
}

export function substituteVariables(written: string, env: Environment): Substituted {
  const substitutions: Substitution[] = []
  const parts: string[] = []
  let read = 0
  let length = 0
  const add = (part: string) => {
    parts.push(part)
    length += part.length
  }
  for (const { name, byDefault, start: from, end: to } of referencesIn(written)) {
    const found = Object.hasOwn(env, name) ? env[name] : undefined
    add(written.slice(read, from))
    const start = length
    add(found ?? byDefault ?? '')
    const hasDefault = byDefault !== undefined
    substitutions.push({ name, isSet: found !== undefined, hasDefault, start, end: length, written: to - from })
    read = to
  }
  add(written.slice(read))
  return { text: parts.join(''), substitutions }
}

/** How many of them come first for which it is true. */
function countWhile<T>(sorted: readonly T[], isBefore: (one: T, index: number) => boolean): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    // The index lies inside, as low < high: there is an element.
    if (isBefore(sorted[middle] as T, middle)) low = middle + 1
    else high = middle
  }
  return low
}

export interface Origins {
  /** Line and column (1-based), in the file as it was written, of a position in the new text. */
  placeOf(position: number): { readonly line: number; readonly column: number }
  /** What was put in between two positions of the new text, or reaches in there. */
  between(start: number, end: number): readonly Substitution[]
}

/** Made once for a text, as every value of it is asked for. */
export function originsOf({ written, substitutions }: Substituted & { readonly written: string }): Origins {
  const lineStarts = [0]
  for (let at = written.indexOf('\n'); at !== -1; at = written.indexOf('\n', at + 1)) lineStarts.push(at + 1)
  let shift = 0
  const shifts = substitutions.map(({ start, end, written: length }) => {
    shift += length - (end - start)
    return shift
  })
  const originalOf = (position: number): number => {
    const index = countWhile(substitutions, ({ start }) => start <= position) - 1
    const last = substitutions[index]
    if (last === undefined) return position
    return position < last.end ? last.start + (shifts[index - 1] ?? 0) : position + (shifts[index] ?? 0)
  }
  return {
    placeOf: position => {
      const original = originalOf(position)
      const line = countWhile(lineStarts, start => start <= original)
      return { line, column: original - (lineStarts[line - 1] ?? 0) + 1 }
    },
    between: (start, end) => {
      const found: Substitution[] = []
      let index = countWhile(substitutions, one => one.end < start)
      for (; ; index++) {
        const one = substitutions[index]
        if (one === undefined || one.start > end) return found
        // One that is empty counts where it stands; one that only touches the edge does not.
        if (one.start === one.end || (one.start < end && one.end > start)) found.push(one)
      }
    },
  }
}
