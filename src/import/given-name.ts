/**
 * Names of our configuration for what has another name elsewhere: letters, digits, and . _ - inside, each only once.
 */
import { Name } from '../config/scalars.ts'

/** @param taken  gets the new name too */
export function givenName(written: string, taken: Set<string>): string {
  const plain = written
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+|[._-]+$/g, '')
    .slice(0, 56)
  const stem = Name.safeParse(plain).success ? plain : 'peer'
  let name = stem
  for (let count = 2; taken.has(name); count++) name = `${stem}-${count}`
  taken.add(name)
  return name
}
