/**
 * What came of one connection that `check --online` made.
 */
import type { Step } from '../doctor/step-rows.ts'

export interface Finding {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
  readonly milliseconds: number
  /** Of a server of the directory. */
  readonly steps?: readonly Step[]
}
