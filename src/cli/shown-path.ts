/**
 * A path as a person wants to read it: relative where it lies below the working directory, whole elsewhere.
 *
 * For people only. `--json` gives whole paths, because who reads it may stand in another directory.
 */
import { isAbsolute, relative, resolve } from 'node:path'

export function shownPath(path: string): string {
  // What looks like another line in a terminal, or ends a comment in a shell, is no part of a path that is shown.
  const whole = resolve(path).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
  const short = relative(process.cwd(), whole)
  if (short === '') return '.'
  return short === '..' || short.startsWith('../') || isAbsolute(short) ? whole : short
}
