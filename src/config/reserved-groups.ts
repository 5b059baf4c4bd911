/**
 * Groups with a meaning of their own: OMERO's, and those that run this gateway. The directory confers none of them unless
 * it is allowed to by name: whoever may name a group there could otherwise make administrators.
 *
 * Source: OMERO (`system`, `user` and `guest` are its own groups).
 */
import { foldName } from '../kernel/fold-name.ts'

export interface Reserved {
  /** `administrators` of the configuration. */
  readonly administrators: readonly string[]
  /** `realms.directory.allowReserved`. */
  readonly allowed: readonly string[]
}

const always = ['system', 'user', 'guest']

/** `Guest` must not pass where `guest` does not. */
export function isReserved(group: string, { administrators, allowed }: Reserved): boolean {
  const named = (names: readonly string[]) => names.some(name => foldName(name) === foldName(group))
  return named([...always, ...administrators]) && !named(allowed)
}
