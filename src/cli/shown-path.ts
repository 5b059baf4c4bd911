/**
 * A path as a person wants to read it: relative where it lies below the working directory, whole elsewhere.
 *
 * For people only. `--json` gives whole paths, because who reads it may stand in another directory.
 */
import { isAbsolute, relative, resolve } from 'node:path'

export function shownPath(path: string): string {
  const short = relative(process.cwd(), resolve(path))
  if (short === '') return '.'
  return short === '..' || short.startsWith('../') || isAbsolute(short) ? resolve(path) : short
}
