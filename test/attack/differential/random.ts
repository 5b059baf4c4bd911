/**
 * Chance that can be had again: the same seed gives the same choices, on every machine.
 *
 * It is the generator called mulberry32: small, and even enough to choose among cases. No secret may come of it.
 */
export interface Random {
  /** 0 to `below` - 1. */
  below(below: number): number
  /** True once in `times`. */
  oneIn(times: number): boolean
  pick<T>(from: readonly T[]): T
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    oneIn: times => below(times) === 0,
    // The cast is safe for a list that is not empty, and every list here is written out.
    pick: <T>(from: readonly T[]): T => from[below(from.length)] as T,
  }
}

/** One generator for each connection, so that a single one can be made again without those before it. */
export const randomOf = (seed: number, connection: number): Random =>
  createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(connection + 1, 0x85ebca6b))
