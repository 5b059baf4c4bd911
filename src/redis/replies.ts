/**
 * What Redis answers, read into what is needed of it. A field that is missing is empty: it is said by our own scripts.
 */
import type { Reply } from './connection.ts'

export interface Change {
  readonly id: string
  readonly hash: string
  readonly field: string
  readonly value: string
}

const isList = (reply: Reply | undefined): reply is readonly Reply[] => Array.isArray(reply)

/** XREAD answers with [[stream, entries]], or null when there were none. */
export function streamIn(reply: Reply): Reply | undefined {
  const [stream] = isList(reply) ? reply : []
  return isList(stream) ? stream[1] : undefined
}

export function entriesIn(reply: Reply | undefined): readonly Change[] {
  return (isList(reply) ? reply : []).flatMap(entry => {
    const [id, fields] = isList(entry) ? entry : []
    const pairs = pairsIn(fields)
    return [{ id: String(id), hash: pairs.get('h') ?? '', field: pairs.get('f') ?? '', value: pairs.get('v') ?? '' }]
  })
}

export function pairsIn(reply: Reply | undefined): Map<string, string> {
  const flat = isList(reply) ? reply : []
  const pairs = new Map<string, string>()
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.set(String(flat[at]), String(flat[at + 1]))
  return pairs
}

/** Ids of a stream are milliseconds and a number within them. */
export function isBefore(one: string, other: string): boolean {
  const [ours, theirs] = [one, other].map(id => id.split('-').map(Number))
  const [a = 0, b = 0] = ours ?? []
  const [c = 0, d = 0] = theirs ?? []
  return a < c || (a === c && b < d)
}
