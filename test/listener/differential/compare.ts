/**
 * Holds our server side to Node's: whatever Node refuses we refuse, and what both take is the same to the last byte.
 *
 * We may be stricter, and the ways are counted by name. Node may see at once what we see at the end of a line: then we are
 * given an end of the line, and must refuse it.
 */
import { randomOf } from '../../attack/differential/random.ts'
import { readByNode } from './node-reading.ts'
import { readByUs } from './our-reading.ts'
import { type Given, inPieces, type Reading, type Taken } from './reading.ts'
import { writeRequests } from './request-grammar.ts'

export interface Comparison {
  /** What must never be. */
  readonly laxer: string | undefined
  /** Why we do not take what Node takes. */
  readonly stricter: string | undefined
  readonly both: 'take it' | 'refuse it' | 'differ'
}

/** The ways in which we are stricter on purpose. */
export const knownStricter = new RegExp(
  `^(${[
    // Of a head.
    'a bare CR',
    'an empty line of LF alone',
    'an odd target',
    'no version that is spoken here',
    'an odd header name',
    'a transfer coding but chunked',
    'a transfer coding in HTTP/1.0',
    'a length that is none',
    'a head that is too large',
    // Of a body.
    'a chunk without a size',
    'a line that is too long',
    'an odd trailer',
    // Marked as malformed.
    'exactly one well-formed Host is needed',
    'only HTTP/1.1 and HTTP/2 are spoken here',
    'more than 200 headers',
    'a body in chunks and an upgrade exclude each other',
    'a WebSocket handshake has no body',
    'the request target must begin with a slash',
    'the request target names another host than Host does',
    // Declined: CONNECT, and an Expect that nobody meets.
    '405',
    '417',
    // Not read on.
    'the last one: (a body that may not come|an upgrade to something else)',
  ].join('|')})$`,
)

const show = ({ taken, refused, isOver }: Reading): string =>
  JSON.stringify({ taken: taken.map(one => ({ ...one, body: one.body.toString('latin1') })), refused, isOver })

const sameHead = (one: Taken, other: Taken): boolean =>
  one.method === other.method &&
  one.target === other.target &&
  one.isUpgrade === other.isUpgrade &&
  JSON.stringify(one.headers) === JSON.stringify(other.headers)

/** What is wrong with what we took, seen from what Node took. */
function wrongIn(ours: Reading, nodes: Reading): string | undefined {
  if (ours.afterwards > 0) return 'a request is taken behind one that was refused'
  if (ours.taken.length > nodes.taken.length) return 'a request that is none to Node'
  for (const [at, one] of ours.taken.entries()) {
    const other = nodes.taken[at]
    if (other === undefined || !sameHead(one, other)) return `request ${at} has another head`
    if (one.isWhole === undefined) continue
    if (one.isWhole && !other.isWhole) return `request ${at} has an end, and none to Node`
    if (one.isWhole && !one.body.equals(other.body)) return `request ${at} has another body`
    if (one.isWhole || ours.refused !== undefined) continue
    if (other.isWhole) return `request ${at} has an end to Node only`
    if (nodes.refused === undefined && !one.body.equals(other.body))
      return `request ${at} has another beginning of a body`
  }
  const isWaiting = !ours.isOver && ours.refused === undefined
  if (isWaiting && nodes.refused === undefined && ours.taken.length < nodes.taken.length)
    return 'a request that is one to Node only'
  return undefined
}

/** Enough to end whatever line has begun. */
const end = Buffer.from('\r\n\r\n')

export async function compare(given: Given): Promise<Comparison> {
  const [ours, nodes] = await Promise.all([readByUs(given), readByNode(given)])
  const laxer = wrongIn(ours, nodes) ?? (await laterIn(given, ours, nodes))
  if (laxer !== undefined)
    return { laxer: `${laxer}\nours ${show(ours)}\nnode ${show(nodes)}`, stricter: undefined, both: 'differ' }
  const isShort =
    ours.taken.length < nodes.taken.length ||
    nodes.taken.some(({ isWhole }, at) => isWhole && ours.taken[at]?.isWhole === false)
  if (isShort) return { laxer: undefined, stricter: await reasonOf(given, ours), both: 'differ' }
  if (nodes.refused !== undefined) return { laxer: undefined, stricter: undefined, both: 'refuse it' }
  const stricter = ours.refused === undefined ? undefined : await reasonOf(given, ours)
  return { laxer: undefined, stricter, both: stricter === undefined ? 'take it' : 'differ' }
}

/** What Node has refused and we have not yet. */
async function laterIn(given: Given, ours: Reading, nodes: Reading): Promise<string | undefined> {
  if (nodes.refused === undefined || ours.isOver || ours.refused !== undefined) return undefined
  const later = await readByUs({ ...given, pieces: [...given.pieces, end] })
  if (!later.isOver || later.refused === undefined) return 'not refused, even at the end of the line'
  return wrongIn(later, nodes)
}

async function reasonOf(given: Given, ours: Reading): Promise<string> {
  const { refused } = ours
  if (refused === 'no method') return (await isEmptyLine(given)) ? 'an empty line of LF alone' : refused
  if (refused !== undefined) return refused
  const last = ours.taken.at(-1)
  const has = (name: string, value: RegExp) =>
    last?.headers.some(([is, said]) => is === name && value.test(said)) === true
  const asksFor = ['connection', 'proxy-connection'].some(name => has(name, /upgrade/i))
  if (has('upgrade', /^/) && asksFor) return 'the last one: an upgrade to something else'
  if (given.early && has('expect', /^100-continue$/i)) return 'the last one: a body that may not come'
  return 'the last one: no reason'
}

/** Node skips whatever ends a line before a request; we do so where it is CR and LF. */
async function isEmptyLine(given: Given): Promise<boolean> {
  const bytes = Buffer.concat(given.pieces)
  const { refused, refusedAt } = await readByUs({ ...given, pieces: inPieces(bytes, 1), pace: 'in turns' })
  return refused === 'no method' && /[\r\n]/.test(String.fromCharCode(bytes[refusedAt - 1] ?? 0))
}

export interface Tally {
  connections: number
  requests: number
  taken: number
  refused: number
  readonly stricter: Map<string, number>
  /** At most twenty, with the bytes. */
  readonly laxer: string[]
  /** Plain requests that we did not take. */
  readonly unread: string[]
  /** Where we are stricter, and nobody has said why. */
  readonly unknown: string[]
}

/** So many are under way at one time, and share the turns for which each has to wait. */
const together = 50

/** Of connections `from` to `from + count - 1` of a seed. */
export async function fuzzRequests(seed: number, from: number, count: number): Promise<Tally> {
  const tally: Tally = {
    ...{ connections: 0, requests: 0, taken: 0, refused: 0 },
    ...{ stricter: new Map(), laxer: [], unread: [], unknown: [] },
  }
  const numbers = Array.from({ length: count }, (_, at) => from + at).values()
  const walk = async () => {
    for (const at of numbers) await fuzzOne(tally, seed, at)
  }
  await Promise.all(Array.from({ length: together }, walk))
  return tally
}

async function fuzzOne(tally: Tally, seed: number, at: number): Promise<void> {
  const written = writeRequests(randomOf(seed, at))
  const { laxer, stricter, both } = await compare(written)
  tally.connections++
  tally.requests += written.requests
  if (both === 'take it') tally.taken++
  if (both === 'refuse it') tally.refused++
  if (stricter !== undefined) tally.stricter.set(stricter, (tally.stricter.get(stricter) ?? 0) + 1)
  const { pieces, pace, early, text } = written
  const how = `${pieces.length} pieces ${pace}${early ? ', answered early' : ''}`
  const title = `seed ${seed}, connection ${at}, ${how}: ${JSON.stringify(text)}`
  const note = (list: string[], what: string) => list.length < 20 && list.push(`${title}\n${what}`)
  if (laxer !== undefined) note(tally.laxer, laxer)
  if (written.isPlain && both !== 'take it') note(tally.unread, String(stricter))
  if (stricter !== undefined && !knownStricter.test(stricter)) note(tally.unknown, stricter)
}
