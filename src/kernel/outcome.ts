/**
 * How something ended, told to whoever asks, before it has or after: the part of a Promise that each request needs several
 * times, without a turn of the microtask queue for each.
 */

export interface Outcome<T> {
  /** Calls at once where it is known already. In the order in which they asked; who throws leaves all behind untold. */
  tell(listener: (value: T) => void): void
}

export class Settleable<T> implements Outcome<T> {
  #isSettled = false
  #value: T | undefined
  readonly #listeners: ((value: T) => void)[] = []

  /** Once more changes nothing. */
  settle(value: T): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#value = value
    for (const listener of this.#listeners.splice(0)) listener(value)
  }

  tell(listener: (value: T) => void): void {
    if (this.#isSettled) listener(this.#value as T)
    else this.#listeners.push(listener)
  }
}
