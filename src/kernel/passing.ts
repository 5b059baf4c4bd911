/**
 * Memory that bodies, streams and WebSockets have only passed through, given back while they pass.
 *
 * Node copies what it reads into memory of its own for each piece. V8 counts these bytes and looks at its whole heap for each 32 MB
 * or so of them, which took a third of what an upload costs, though a look at the young objects frees them: some hundred KB of
 * those go with 4 MB of body. Where uploads wait for a slow upstream with more than that in their buffers, V8 still has to look.
 */
import { collector } from './collector.ts'

/** Bytes between two looks at the young objects. One takes 0.6 ms; with twice as many bytes V8 comes first again. */
const enough = 4 * 1024 * 1024

// One for the process, as its memory is.
let passed = 0

/** Bytes that only pass through were read into memory that nobody keeps. */
export function passes(bytes: number): void {
  passed += bytes
  if (passed < enough) return
  passed = 0
  collector()({ type: 'minor', execution: 'sync' })
}
