/**
 * What is there at once, or has to be waited for: a store on this machine or one elsewhere. `await` takes both, but a turn of
 * the microtask queue for each step of each request is what everybody would wait for; `after` goes on at once where it can.
 */
export type Eventually<T> = T | Promise<T>

/** Throws or rejects as `next` does. */
export const after = <T, Next>(value: Eventually<T>, next: (value: T) => Eventually<Next>): Eventually<Next> =>
  value instanceof Promise ? value.then(next) : next(value)
