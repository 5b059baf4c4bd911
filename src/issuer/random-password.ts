/**
 * Passwords for people to type once, into the import dialogue of a browser or a device.
 *
 * Plain ASCII in lower case, because PKCS#12 readers disagree on everything else; no characters that look alike (0 o,
 * 1 l i); groups of four, because people read in groups.
 */
import { randomInt } from 'node:crypto'

/** 31 characters: 4.95 bits each. */
const alphabet = '23456789abcdefghjkmnpqrstuvwxyz'
const groups = 6
const perGroup = 4

/** 118 bits: out of reach of guessing even where the container's own key derivation is weak. */
export function randomPassword(): string {
  const group = () => Array.from({ length: perGroup }, () => alphabet[randomInt(alphabet.length)]).join('')
  return Array.from({ length: groups }, group).join('-')
}
