/**
 * One span of time for several steps: what is left of it, in milliseconds. By the clock that nobody sets.
 */
import { performance } from 'node:perf_hooks'

/** 0 or less when it is over. */
export function countdown(span: number): () => number {
  const end = performance.now() + span
  return () => end - performance.now()
}
