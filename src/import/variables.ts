/**
 * Puts environment variables into a text as Orthanc does: before it is read as JSON, wherever they stand.
 *
 * `${NAME}`, `${NAME:-default}`, the default also in either kind of quotes. A variable that is set to nothing is set;
 * one that is not set and has no default becomes nothing. What came from where is kept, so that lines can be counted in
 * the file as it was written, and a password from a variable can stay one.
 *
 * Source: Orthanc Book, "Configuration of Orthanc: environment variables"; tried out on Orthanc 1.10.1.
 */

const reference = /\$\{([^:}]*)\}|\$\{([^:}]*):-(?:"([^"]*)"|'([^']*)'|([^'"}]*))\}/g

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

export function substituteVariables(written: string, env: Environment): Substituted {
  const substitutions: Substitution[] = []
  let text = ''
  let read = 0
  for (const match of written.matchAll(reference)) {
    const [whole, bare, named = '', double, single, plain] = match
    const name = bare ?? named
    const found = Object.hasOwn(env, name) ? env[name] : undefined
    text += written.slice(read, match.index)
    const start = text.length
    text += found ?? double ?? single ?? plain ?? ''
    substitutions.push({
      name,
      isSet: found !== undefined,
      hasDefault: bare === undefined,
      start,
      end: text.length,
      written: whole.length,
    })
    read = match.index + whole.length
  }
  return { text: text + written.slice(read), substitutions }
}

/** Line and column (1-based), in the file as it was written, of a position in the new text. */
export function placeOf({ written, substitutions }: Substituted & { readonly written: string }, position: number) {
  let original = position
  for (const { start, end, written: length } of substitutions) {
    if (position < start) break
    original = position < end ? original - (position - start) : original + length - (end - start)
    if (position < end) break
  }
  const before = written.slice(0, original)
  return { line: before.split('\n').length, column: original - before.lastIndexOf('\n') }
}
