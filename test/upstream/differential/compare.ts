/**
 * Holds our client to Node's: whatever Node refuses we refuse, and what both take is the same to the last byte.
 *
 * We may be stricter, and the ways are counted by name. Where bytes come behind an answer Node may blame the answer for
 * them; it is then asked again with the answer alone.
 */
import { randomOf } from '../../attack/differential/random.ts'
import { readByNode } from './node-reading.ts'
import { readByUs } from './our-reading.ts'
import type { Given, Reading } from './reading.ts'
import { writeResponse } from './response-grammar.ts'

export interface Comparison {
  /** What must never be. */
  readonly laxer: string | undefined
  /** Why we do not take what Node takes. */
  readonly stricter: string | undefined
  readonly both: 'take it' | 'refuse it' | 'differ'
}

/** The ways in which we are stricter on purpose, see the decisions of src/upstream/README.md. */
export const knownStricter = new RegExp(
  [
    'no status line',
    'a status below 100',
    'an odd status line',
    'another protocol, which nobody asked for',
    'a transfer coding but chunked',
    'a transfer coding in HTTP/1.0',
    'a length that is none',
    'a chunk without a size',
    'a line that is too long',
    'an odd trailer',
    'trailers without end',
    'interim answers without end',
    'an interim answer with a body',
    'an interim answer that is the last one',
    'not kept: (HEAD|close beside keep-alive|a body announced where there is none|bytes behind the answer)',
  ]
    .map(way => `${way}$`)
    .join('|'),
)

const show = ({ refused, status, headers, body, kept }: Reading): string =>
  JSON.stringify({ refused, status, headers, body: body.toString('latin1'), kept })

const sameAnswer = (one: Reading, other: Reading): boolean =>
  one.status === other.status &&
  JSON.stringify(one.headers) === JSON.stringify(other.headers) &&
  one.body.equals(other.body)

/** The same bytes as far as our answer goes; undefined where nothing comes behind it. */
async function shorter(given: Given, ours: Reading): Promise<Given | undefined> {
  const bytes = Buffer.concat(given.pieces)
  if (!ours.endedFirst) return undefined
  // The shortest beginning that is the whole answer for us.
  let [low, high] = [0, bytes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const { endedFirst } = await readByUs({ ...given, pieces: [bytes.subarray(0, middle)] })
    if (endedFirst) high = middle
    else low = middle + 1
  }
  return high === bytes.length ? undefined : { ...given, pieces: [bytes.subarray(0, high)] }
}

export async function compare(given: Given): Promise<Comparison> {
  const [ours, nodes] = await Promise.all([readByUs(given), readByNode(given)])
  if (ours.refused !== undefined)
    return {
      laxer: undefined,
      stricter: nodes.refused === undefined ? ours.refused : undefined,
      both: nodes.refused === undefined ? 'differ' : 'refuse it',
    }
  const differs = (other: Reading) => `ours ${show(ours)}\nnode ${show(other)}`
  if (nodes.refused === undefined && sameAnswer(ours, nodes) && (!ours.kept || nodes.kept))
    return {
      laxer: undefined,
      stricter: nodes.kept && !ours.kept ? `not kept: ${await reasonNotKept(given, ours)}` : undefined,
      both: 'take it',
    }
  const alone = ours.kept ? undefined : await shorter(given, ours)
  const again = alone && (await readByNode(alone))
  if (again !== undefined && again.refused === undefined && sameAnswer(ours, again))
    return { laxer: undefined, stricter: undefined, both: 'take it' }
  return { laxer: differs(again ?? nodes), stricter: undefined, both: 'differ' }
}

async function reasonNotKept(given: Given, ours: Reading): Promise<string> {
  const { method } = given
  const { status, headers } = ours
  if (method === 'HEAD') return 'HEAD'
  if (headers.some(([name, value]) => /^(proxy-)?connection$/.test(name) && /close/i.test(value)))
    return 'close beside keep-alive'
  const announced = headers.some(([name, value]) => name === 'content-length' && Number(value) > 0)
  const isChunked = headers.some(([name]) => name === 'transfer-encoding')
  if ((status === 204 || status === 304) && (announced || isChunked)) return 'a body announced where there is none'
  return (await shorter(given, ours)) === undefined ? 'no reason' : 'bytes behind the answer'
}

export interface Tally {
  answers: number
  taken: number
  refused: number
  readonly stricter: Map<string, number>
  /** At most twenty, with the bytes. */
  readonly laxer: string[]
  /** Plain answers that we did not take. */
  readonly unread: string[]
}

/** Of answers `from` to `from + count - 1` of a seed. */
export async function fuzzAnswers(seed: number, from: number, count: number): Promise<Tally> {
  const tally: Tally = { answers: 0, taken: 0, refused: 0, stricter: new Map(), laxer: [], unread: [] }
  for (let at = from; at < from + count; at++) {
    const written = writeResponse(randomOf(seed, at))
    const { laxer, stricter, both } = await compare(written)
    tally.answers++
    if (both === 'take it') tally.taken++
    if (both === 'refuse it') tally.refused++
    if (stricter !== undefined) tally.stricter.set(stricter, (tally.stricter.get(stricter) ?? 0) + 1)
    const title = `seed ${seed}, answer ${at}, ${written.method}: ${JSON.stringify(written.text)}`
    if (laxer !== undefined && tally.laxer.length < 20) tally.laxer.push(`${title}\n${laxer}`)
    if (written.isPlain && both !== 'take it' && tally.unread.length < 20) tally.unread.push(`${title} ${stricter}`)
  }
  return tally
}
