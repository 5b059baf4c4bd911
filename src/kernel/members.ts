/**
 * What comes and goes thousands of times a second, in a list: whoever leaves is replaced by the last one.
 *
 * Not to forget: a Map or a Set is not for this. Each time one of them is tidied up, the old table keeps the new one, and with
 * it all that was in there, until the old generation is collected: 12 KB of each request, and a third of all CPU for moving it.
 */

/** Where it stands; -1: nowhere (any more). */
export interface Member {
  at: number
}

export interface Members<T extends Member> {
  readonly size: number
  join(member: T): void
  /** False: it had left before. */
  leave(member: T): boolean
  /** Those who are there now, in no order; whoever joins or leaves meanwhile changes nothing in it. */
  all(): T[]
}

export function createMembers<T extends Member>(): Members<T> {
  const members: T[] = []
  return {
    get size() {
      return members.length
    },
    join(member) {
      member.at = members.push(member) - 1
    },
    leave(member) {
      const { at } = member
      if (at === -1) return false
      member.at = -1
      const last = members.pop()
      if (last !== undefined && last !== member) {
        members[at] = last
        last.at = at
      }
      return true
    },
    all: () => [...members],
  }
}
