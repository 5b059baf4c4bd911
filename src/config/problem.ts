/**
 * Something wrong with what the operator wrote: where it stands, what is wrong, and the cure.
 */
export interface Problem {
  /** Keys from the top of the file: ['routes', 0, 'upstream']. Empty: the file as a whole. */
  readonly path: readonly (string | number)[]
  readonly message: string
  /** Warnings are shown and change nothing; absent: an error. */
  readonly severity?: 'warning'
  /** 1-based, where the key stands in the file; filled in by `load`. */
  readonly line?: number
  readonly column?: number
}

/** `routes[0].upstream`: the way an operator finds it. */
export const pathText = (path: readonly (string | number)[]): string =>
  path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${key}`)).join('')

/** For a name that nothing has. @param names  those that would have been right */
export const known = (names: Iterable<string>) => {
  const all = [...names]
  return all.length === 0 ? 'none is configured' : `known: ${all.join(', ')}`
}
