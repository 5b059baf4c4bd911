/**
 * A queue that anybody may leave from anywhere, for what comes and goes thousands of times a second.
 *
 * Not to forget: as with members.ts, a Set is not for this; and whoever leaves lets go of their neighbours, or an old one that
 * is not collected yet would keep all that came behind it.
 */

export interface Waiting<T> {
  readonly value: T
}

interface Place<T> extends Waiting<T> {
  before: Place<T> | undefined
  behind: Place<T> | undefined
  isIn: boolean
}

export class WaitingLine<T> {
  #first: Place<T> | undefined
  #last: Place<T> | undefined

  /** Who has waited longest. */
  get first(): T | undefined {
    return this.#first?.value
  }

  get isEmpty(): boolean {
    return this.#first === undefined
  }

  add(value: T): Waiting<T> {
    const place: Place<T> = { value, before: this.#last, behind: undefined, isIn: true }
    if (this.#last === undefined) this.#first = place
    else this.#last.behind = place
    this.#last = place
    return place
  }

  /** Takes out who has waited longest. */
  take(): T | undefined {
    const place = this.#first
    if (place === undefined) return undefined
    this.leave(place)
    return place.value
  }

  /** @param waiting  what `add` of this line gave. @returns false: it was out already */
  leave(waiting: Waiting<T>): boolean {
    const place = waiting as Place<T>
    if (!place.isIn) return false
    const { before, behind } = place
    if (before === undefined) this.#first = behind
    else before.behind = behind
    if (behind === undefined) this.#last = before
    else behind.before = before
    place.isIn = false
    place.before = undefined
    place.behind = undefined
    return true
  }
}
