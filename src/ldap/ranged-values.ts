/**
 * All values of an attribute, also where the directory hands them out in pieces (`memberOf;range=0-1499`).
 *
 * Source: MS-ADTS 3.1.1.3.1.3.3 (range retrieval).
 */
import { Fault } from '../kernel/fault.ts'
import { type Entry, valuesOf } from './entry.ts'
import type { Servers } from './servers.ts'

/** At 1,500 a piece, more than anybody has. */
const mostPieces = 200

/** May throw Fault('directory-unavailable') and ('directory-misconfigured'). */
export async function allValues(
  entry: Entry,
  attribute: string,
  servers: Pick<Servers, 'search'>,
): Promise<readonly string[]> {
  const whole = valuesOf(entry, attribute)
  if (whole.length > 0) return whole
  const values: string[] = []
  let piece = pieceIn(entry, attribute, 0)
  for (let pieces = 1; piece !== undefined; pieces++) {
    values.push(...piece.values)
    if (piece.last) {
      // Pieces of two servers, each with an order of its own: what is there twice is missing elsewhere.
      if (new Set(values).size < values.length) throw endless(attribute)
      return values
    }
    if (pieces === mostPieces || piece.values.length === 0) throw endless(attribute)
    const next = `${attribute};range=${values.length}-*`
    const [more] = await servers.search({
      base: entry.dn,
      scope: 'base',
      filter: { kind: 'present', attribute: 'objectClass' },
      attributes: [next],
      most: 1,
    })
    piece = more && pieceIn(more, attribute, values.length)
    // Half of somebody's groups may mean other rights than all of them.
    if (piece === undefined) throw endless(attribute)
  }
  return values
}

const endless = (attribute: string) =>
  new Fault('directory-unavailable', { about: `the directory broke off within the values of ${attribute}` })

interface Piece {
  readonly values: readonly string[]
  readonly last: boolean
}

function pieceIn(entry: Entry, attribute: string, from: number): Piece | undefined {
  const start = `${attribute.toLowerCase()};range=${from}-`
  const name = [...entry.attributes.keys()].find(key => key.startsWith(start))
  return name === undefined ? undefined : { values: valuesOf(entry, name), last: name.endsWith('-*') }
}
