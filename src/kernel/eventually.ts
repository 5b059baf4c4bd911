/**
 * What a store on this machine has at once, and one elsewhere has to wait for. `await` takes both.
 */
export type Eventually<T> = T | Promise<T>
