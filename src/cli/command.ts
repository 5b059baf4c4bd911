/**
 * What a command is to main.ts: types only.
 */
import type { Argv } from 'yargs'
import type { Report } from './report.ts'

/** What a command's file exports. */
export interface Command {
  /** Adds options, positionals and sub-commands; a handler is bound with `run`. */
  build(y: Argv, run: Run): Argv
}

/**
 * Wraps a handler, so that its outcome becomes the exit code.
 *
 * @param repeatable  options of this command that may be given more than once
 */
export type Run = <A>(
  handler: (argv: A, report: Report) => Promise<void> | void,
  repeatable?: readonly string[],
) => (argv: A) => Promise<void>
