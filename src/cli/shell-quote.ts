/**
 * One word of a command that a person may copy into a POSIX shell: as it is where that is safe, else in single quotes.
 *
 * Source: POSIX Shell Command Language 2.2.2.
 */
export const quoted = (text: string): string =>
  /^[A-Za-z0-9_./,:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
