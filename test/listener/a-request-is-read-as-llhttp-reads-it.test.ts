/**
 * Our server reads requests itself. Here it is held to Node's: by requests that were holes somewhere, by headers that are
 * those of the request before or nearly so, and by those that chance makes, in one piece and in many.
 *
 * FUZZ_CONNECTIONS=100000 makes more of them, FUZZ_SEED=7 others.
 */
import t from 'tap'
import { randomOf } from '../attack/differential/random.ts'
import { compare, fuzzRequests, knownStricter } from './differential/compare.ts'
import { headsAgain, type KnownRequest, knownRequests } from './differential/known-requests.ts'
import { readByUs } from './differential/our-reading.ts'
import { inPieces, type Pace, paces } from './differential/reading.ts'
import { writeRequests } from './differential/request-grammar.ts'

t.setTimeout(1_800_000)

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_128)
const connections = Number(process.env['FUZZ_CONNECTIONS'] ?? 8_000)

/** What is wrong with our reading of it, in words. */
async function wrongIn({ gives, refused, isLast }: KnownRequest, pieces: readonly Buffer[], pace: Pace) {
  const reading = await readByUs({ pieces, pace, early: false })
  const given = reading.taken.map(({ method, target, body }) => `${method} ${target} ${body.toString('latin1')}`)
  const wrong: string[] = []
  const at = `in ${pieces.length} pieces ${pace}`
  if (given.join('\n') !== gives.join('\n')) wrong.push(`${at} taken: ${JSON.stringify(given)}`)
  if (refused === undefined ? reading.refused !== undefined : reading.refused?.includes(refused) !== true)
    wrong.push(`${at} refused: ${reading.refused}`)
  if ((refused !== undefined || isLast) && !reading.isOver) wrong.push(`${at} more is read`)
  if (reading.afterwards > 0) wrong.push(`${at} a request is taken behind one that was refused`)
  return wrong
}

/** Where Node is stricter, or we are and nobody has said why. */
async function wrongToNode(pieces: readonly Buffer[], pace: Pace): Promise<string[]> {
  const wrong: string[] = []
  for (const early of [false, true]) {
    const { laxer, stricter } = await compare({ pieces, pace, early })
    if (laxer !== undefined) wrong.push(laxer)
    if (stricter !== undefined && !knownStricter.test(stricter)) wrong.push(`stricter: ${stricter}`)
  }
  return wrong
}

const together = async (wrong: readonly Promise<string[]>[]): Promise<string[]> => (await Promise.all(wrong)).flat()

t.test('each known request is taken or refused as it should be, and never more laxly than by Node', async t => {
  for (const [title, known] of Object.entries({ ...knownRequests, ...headsAgain })) {
    const bytes = Buffer.from(known.text, 'latin1')
    const isLong = bytes.length > 5_000
    const sizes = [bytes.length, 7, ...(isLong ? [] : [1])]
    const ways = sizes.map(size => inPieces(bytes, size))
    t.same(await together(ways.flatMap(pieces => paces.map(pace => wrongIn(known, pieces, pace)))), [], title)
    t.same(await together(ways.map(pieces => wrongToNode(pieces, 'at once'))), [], `${title}, to Node`)
  }
})

t.test('headers that are those of the request before, or nearly, are the same wherever they are cut', async t => {
  for (const [title, known] of Object.entries(headsAgain)) {
    const bytes = Buffer.from(known.text, 'latin1')
    const cuts = Array.from({ length: bytes.length - 1 }, (_, at) => [
      bytes.subarray(0, at + 1),
      bytes.subarray(at + 1),
    ])
    t.same(await together(cuts.flatMap(pieces => paces.map(pace => wrongIn(known, pieces, pace)))), [], title)
    // The headers come behind the first answer, as they are remembered then.
    const second = bytes.indexOf('\r\n\r\n') + 4
    const behind = [bytes.subarray(0, second), bytes.subarray(second)]
    t.same(await wrongToNode(behind, 'in turns'), [], `${title}, to Node`)
  }
})

t.test('what comes behind a handshake is left to whoever takes the connection, whenever it comes', async t => {
  const [known, end] = [headsAgain['a WebSocket'], Buffer.from('\r\n\r\n')]
  if (known === undefined) throw new Error('it is in the list')
  const bytes = Buffer.from(known.text, 'latin1')
  const second = bytes.indexOf(end) + end.length
  const third = bytes.indexOf(end, second) + end.length
  for (let cut = second + 1; cut < third; cut++) {
    const pieces = [bytes.subarray(0, cut), bytes.subarray(cut, third), bytes.subarray(third)]
    const ways = [pieces, [...pieces.slice(0, 2), ...inPieces(bytes.subarray(third), 1)]]
    t.same(await together(ways.flatMap(way => paces.map(pace => wrongIn(known, way, pace)))), [], `cut at ${cut}`)
  }
})

t.test('every byte there is, wherever in a head it stands, is judged as Node judges it, or refused', async t => {
  const places: Readonly<Record<string, (byte: string) => string>> = {
    'in the method': byte => `G${byte}T / HTTP/1.1\r\nHost: a\r\n\r\n`,
    'behind the method': byte => `GET${byte}/ HTTP/1.1\r\nHost: a\r\n\r\n`,
    'at the start of the target': byte => `GET ${byte} HTTP/1.1\r\nHost: a\r\n\r\n`,
    'in the path': byte => `GET /${byte}x HTTP/1.1\r\nHost: a\r\n\r\n`,
    'in the query': byte => `GET /?${byte} HTTP/1.1\r\nHost: a\r\n\r\n`,
    'in the fragment': byte => `GET /?#${byte} HTTP/1.1\r\nHost: a\r\n\r\n`,
    'behind the host': byte => `GET http://a${byte}x HTTP/1.1\r\nHost: a\r\n\r\n`,
    'behind the version': byte => `GET / HTTP/1.1${byte}\nHost: a\r\n\r\n`,
    'in a name': byte => `GET / HTTP/1.1\r\nHost: a\r\nX${byte}: y\r\n\r\n`,
    'before a value': byte => `GET / HTTP/1.1\r\nHost: a\r\nX:${byte}y\r\n\r\n`,
    'in a value': byte => `GET / HTTP/1.1\r\nHost: a\r\nX: y${byte}z\r\n\r\n`,
    'behind a value': byte => `GET / HTTP/1.1\r\nHost: a\r\nX: y${byte}\r\n\r\n`,
    'for the CR behind a value': byte => `GET / HTTP/1.1\r\nHost: a\r\nX: y${byte}\n\r\n`,
    'for the last CR': byte => `GET / HTTP/1.1\r\nHost: a\r\n${byte}\n`,
    'for the last LF': byte => `GET / HTTP/1.1\r\nHost: a\r\n\r${byte}`,
    'before a length': byte => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length:${byte}2\r\n\r\nhi`,
    'behind a length': byte => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2${byte}\r\n\r\nhi`,
    'before a coding': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:${byte}chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    'behind a coding': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked${byte}\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    'before close': byte => `GET / HTTP/1.1\r\nHost: a\r\nConnection: ${byte}close\r\n\r\n`,
    'behind close': byte => `GET / HTTP/1.1\r\nHost: a\r\nConnection: x,close${byte}\r\n\r\n`,
    'before upgrade': byte => `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: ${byte}upgrade\r\n\r\n`,
    'behind upgrade': byte => `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade${byte}\r\n\r\n`,
    'behind websocket': byte => `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket${byte}\r\nConnection: upgrade\r\n\r\n`,
    'before a size': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${byte}2\r\nhi\r\n0\r\n\r\n`,
    'behind a size': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2${byte}\r\nhi\r\n0\r\n\r\n`,
    'in an extension': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=${byte}\r\nhi\r\n0\r\n\r\n`,
    'in a quoted extension': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a="\\${byte}"\r\nhi\r\n0\r\n\r\n`,
    'behind a chunk': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi${byte}\n0\r\n\r\n`,
    'in the name of a trailer': byte =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX${byte}: y\r\n\r\n`,
    'in a trailer': byte => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ${byte}\r\n\r\n`,
  }
  const next = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'
  for (const [title, write] of Object.entries(places)) {
    const each = Array.from({ length: 256 }, async (_, code) => {
      const bytes = Buffer.from(write(String.fromCharCode(code)) + next, 'latin1')
      const wrong = await wrongToNode([bytes], 'at once')
      return wrong.length > 0 ? [`0x${code.toString(16)}`, ...wrong] : []
    })
    t.same((await Promise.all(each)).flat(), [], title)
  }
})

t.test(
  'thousands that chance makes: what Node refuses is refused, and the rest is the same to the last byte',
  async t => {
    const tally = await fuzzRequests(seed, 0, connections)
    t.same(tally.laxer, [])
    t.same(tally.unread, [], 'what is well said is taken')
    t.same(tally.unknown, [], 'stricter only in ways that are known')
    const { requests, taken, refused } = tally
    const [enough, counts] = [
      connections / 5,
      `${taken} taken by both, ${refused} refused by both, ${requests} requests`,
    ]
    t.ok(taken > enough && refused > enough, counts)
    t.comment(counts)
    for (const [why, count] of tally.stricter) t.comment(`${count} stricter: ${why}`)
  },
)

t.test('the same seed gives the same requests', async t =>
  t.same(writeRequests(randomOf(1, 2)), writeRequests(randomOf(1, 2))),
)
