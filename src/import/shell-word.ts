/**
 * One word of a command that people copy from a decision into a shell.
 */
import { legible } from './decision.ts'

/** @param instead  what stands there for text that would not look like what it is */
export const shellWord = (text: string, instead: string): string =>
  /^\w[\w.@-]*$|^\/[\w./@-]*$/.test(text)
    ? text
    : legible(text) === text
      ? `'${text.replaceAll("'", "'\\''")}'`
      : instead
