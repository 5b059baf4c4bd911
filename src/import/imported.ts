/**
 * What goes into an import and what comes out of it, whatever the other program: types only.
 */
import type { Decision } from './decision.ts'

export interface SourceFile {
  /** Absolute. */
  readonly file: string
  readonly text: string
}

/** Why a file is not what the other program writes or reads. Shown to people, so it holds no value of the file. */
export interface Mistake {
  readonly file: string
  /** 1-based, as is the column. */
  readonly line: number
  readonly column: number
  readonly message: string
}

export type Imported =
  | { readonly ok: true; readonly draft: string; readonly decisions: readonly Decision[] }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] }
