/**
 * Requests as clients write them, one behind the other, and then not quite: lines, framing and single bytes are changed by
 * chance. Most say the headers of the one before again, or nearly, since ours remembers them.
 *
 * The same seed gives the same requests. What a changed one is worth is judged by comparing, never here.
 */
import { chunked, draftRequest } from '../../attack/differential/grammar.ts'
import { mutated, oddCodings, oddLengths } from '../../attack/differential/mutations.ts'
import type { Random } from '../../attack/differential/random.ts'
import { type Given, inPieces, paces } from './reading.ts'

export interface Written extends Given {
  readonly text: string
  readonly requests: number
  /** Nothing was changed: whoever reads HTTP must read it. */
  readonly isPlain: boolean
}

const host = 'a.example:8443'

/** What a client says again and again, from behind the request line to the empty line. */
const blocks = [
  `Host: ${host}\r\n\r\n`,
  `Host: ${host}\r\nAccept: */*\r\n\r\n`,
  `host:${host}\r\nuser-agent: viewer/3\r\nx-empty:\r\n\r\n`,
  `Host: ${host}\r\nCookie: a=b; c=d\r\nCookie: e=f\r\nX-Bytes: \xe4\xff\r\nConnection: keep-alive\r\n\r\n`,
  `Accept: application/dicom+json\r\nX-Blanks: \t two words \t \r\nHost: ${host} \r\n\r\n`,
  `Host: ${host}\r\nX_Odd!#$%&'*+-.^\`|~: y\r\n__proto__: z\r\n\r\n`,
]
const targets = [
  ...['/', '/a', '/studies?limit=101&x=%2F..%2f', '/a%20b/%C3%a4;v=1', '//x/../y', '/?', "/a+b,c=d:e@f!$&'()*"],
  ...[`https://${host}/x?y`, `http://${host}`, `HTTPS://A.example:8443/`, `/${'x'.repeat(300)}`],
]
const bodies = [
  '',
  'a',
  'hello',
  'x'.repeat(300),
  '\0\xff\r\n\r\n',
  `GET /in HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  '0\r\n\r\n',
]
const silent = ['GET', 'GET', 'GET', 'HEAD', 'DELETE', 'OPTIONS', 'PROPFIND']
const loud = ['POST', 'PUT', 'PATCH', 'REPORT', 'GET']

/** A request that anybody would send. @param block  what it says again */
function plain(random: Random, block: string, mayExpect: boolean): string {
  const target = random.pick(targets)
  if (!random.oneIn(3)) return `${random.pick(silent)} ${target} HTTP/1.1\r\n${block}`
  const body = random.pick(bodies)
  const isChunked = random.oneIn(2)
  const expects = mayExpect && random.oneIn(10) ? 'Expect: 100-continue\r\n' : ''
  const length = random.oneIn(10) ? `00${body.length}` : body.length
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`
  const head = `${random.pick(loud)} ${target} HTTP/1.1\r\n${expects}${framing}\r\n${block}`
  return head + (isChunked ? chunked(random, body) : body)
}

const odd = [
  ...['\r', '\n', '\0', ' ', '\t', ':', ';', ',', '"', '=', '\x0b', '\x0c', '\x7f', '\x85', '\xff', '\xa0'],
  ...['0', 'g', '-', '\\', '(', '\r\n', '#', '%', '/', '?'],
]
const cut = (text: string, at: number, away: number, put: string): string =>
  text.slice(0, at) + put + text.slice(at + away)
const lineIn = (block: string, random: Random, change: (line: string) => string): string => {
  const lines = block.split('\r\n')
  const at = random.below(Math.max(1, lines.length - 2))
  lines[at] = change(lines[at] ?? '')
  return lines.join('\r\n')
}

type Change = (block: string, random: Random, version: string) => readonly [version: string, block: string]

/** Headers that are nearly those of the request before. */
const nearly: readonly Change[] = [
  // One byte, often one of the last.
  (block, random, version) => {
    const at = random.oneIn(2) ? block.length - 1 - random.below(Math.min(8, block.length)) : random.below(block.length)
    return [version, cut(block, at, 1, random.pick([...odd, 'x', 'y', '1']))]
  },
  (block, random, version) => [version, cut(block, random.below(block.length + 1), 0, random.pick([...odd, 'x', '1']))],
  (block, random, version) => [version, cut(block, random.below(block.length), 1 + random.below(2), '')],
  // The whole of it, and more or less.
  (block, random, version) => [
    version,
    block.slice(0, -2) + random.pick(['X: y', 'X:', '', ' folded', 'Content-Length: 0']),
  ],
  (block, random, version) => [
    version,
    `${block.slice(0, -2)}${random.pick(['X: y', 'Host: b', 'X:', `Host: ${host}`, 'Connection: close'])}\r\n\r\n`,
  ],
  (block, _random, version) => [version, block.replace(/^[^\n]*\n/, '')],
  (block, random, version) => [version, random.pick(['\r\n', '\n', ' ', 'X: y\r\n', '\r']) + block],
  (block, random, version) => [version, block + random.pick(['\r\n', '\n', '\r', ' ', 'X: y\r\n\r\n', block])],
  // Other letters that mean the same, or the like.
  (block, random, version) => [
    version,
    lineIn(block, random, line => (random.oneIn(2) ? line.toUpperCase() : line.toLowerCase())),
  ],
  (block, random, version) => [
    version,
    lineIn(block, random, line => line.replace(':', random.pick([' :', '::', ': ', ':\t', '']))),
  ],
  (block, random, version) => [
    version,
    block.split('\r\n').toSorted().join('\r\n').trimStart() + (random.oneIn(2) ? '\r\n\r\n' : ''),
  ],
  // The same behind another line.
  (block, random) => [
    random.pick([
      'HTTP/1.0',
      'HTTP/1.2',
      'HTTP/1.1 ',
      'HTTP/1.1\t',
      'http/1.1',
      '',
      'HTTP/2.0',
      'HTTP/1.1\r',
      'HTTP/0.9',
      'ICE/1.1',
    ]),
    block,
  ],
  (block, random, version) => [`${version}${random.pick(['\n', '\r\n\r\n', '\r\n ', '\r\nX'])}`, block],
]

/** What a head says of its body and of its connection, wherever it stands. */
const lines = [
  ...[
    'Connection: close',
    'connection: x, CLOSE',
    'Connection: close\xa0',
    'Connection: \xa0close',
    'Connection: close;x',
  ],
  ...[
    'Connection: clos',
    'Connection: keep-alive',
    'Connection: close, keep-alive',
    'Connection: ,close',
    'Proxy-Connection: close',
  ],
  ...[
    'Connection: Upgrade',
    'Connection: upgrade\xa0',
    'Connection: keep-alive, Upgrade',
    'Connection: upgrade x',
    'Connection: x upgrade',
  ],
  ...[
    'Proxy-Connection: upgrade',
    'Connection: close\t',
    'Connection: \tclose',
    'Connection: close x',
    'Connection: upgrade\x0b',
  ],
  ...[
    'Upgrade: websocket',
    'Upgrade: h2c',
    'Upgrade:',
    'Upgrade: WebSocket',
    'Upgrade: websocket, h2c',
    'UPGRADE: websocket ',
  ],
  ...[
    'Expect: 100-continue',
    'Expect: 100-Continue',
    'Expect: x',
    'Expect:',
    'Expect: 100-continue ',
    'Expect: 100-continuex',
  ],
  ...['Content-Length: 0', 'Content-Length: 5', 'content-length:5', 'Content-Length: 05', 'Transfer-Encoding: chunked'],
  ...[
    'Transfer-Encoding: Chunked',
    'transfer-encoding:chunked',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding: chunked ',
  ],
  ...['Host: b', 'Keep-Alive: timeout=1', 'Trailer: X', 'TE: trailers', 'X: y'],
]
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

function odder(random: Random, block: string): string {
  const body = random.pick(bodies)
  const isChunked = random.oneIn(2)
  let head = ''
  for (let count = random.below(4); count > 0; count--) head += `${random.pick(lines)}\r\n`
  if (random.oneIn(6)) head += upgrade
  const some = random.below(5)
  if (some === 0) head += `Content-Length: ${random.pick(oddLengths(String(body.length)))}\r\n`
  if (some === 1) head += `Transfer-Encoding: ${random.pick(oddCodings)}\r\n`
  if (some > 2) head += isChunked ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${body.length}\r\n`
  const method = random.pick([...loud, ...silent, 'CONNECT', 'SOURCE', 'QUERY', 'get', 'PRI', 'M-SEARCH', 'GETX', 'GE'])
  const target = random.pick([
    ...targets,
    '*',
    host,
    'b:1',
    `http://b/`,
    'x',
    '',
    '/a#b#c',
    '/a\tb',
    '/\xe4',
    '/a b',
    '/"<>\\^`{|}',
    '/\x7f',
    `https://${host}?q`,
    `https://${host}#f`,
    '?a',
    '#',
    '1:2',
    `http://${host}:1/`,
  ])
  return `${method} ${target} HTTP/1.1\r\n${head}${block}${isChunked && some > 2 ? chunked(random, body) : some > 2 || random.oneIn(4) ? body : ''}`
}

const sizes = [
  '+5',
  '-5',
  '0x5',
  '5 ',
  ' 5',
  '5\t',
  '5;',
  '5;\n',
  '',
  'g',
  '1'.repeat(20),
  'f'.repeat(16),
  '5;a=',
  '5;=b',
  '5;a b',
  '5;a="b',
  '5;"a"',
]
const trailers = [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'X',
  'X : y',
  'X: \0',
  'X: a\rb',
  ' X: y',
  'X: y\n',
  'Host: b',
  'Connection: close',
  'Upgrade: websocket',
]

/** Single bytes, wherever they stand, mostly around the ends of lines. */
function scratch(text: string, random: Random): string {
  const ends = [...text.matchAll(/[\r\n:]/g)].map(({ index }) => index)
  const at = ends.length > 0 && random.oneIn(2) ? random.pick(ends) : random.below(text.length + 1)
  switch (random.below(6)) {
    case 0:
      return cut(text, at, 0, random.pick(odd))
    case 1:
      return cut(text, at, 1 + random.below(2), '')
    case 2:
      return cut(text, at, 1, random.pick(odd))
    case 3:
      return text.replace(/\r\n[0-9a-fA-F]+(?=\r\n)/, `\r\n${random.pick(sizes)}`)
    case 4:
      return text.replace(/\r\n0\r\n\r\n/, `\r\n0\r\n${random.pick(trailers)}\r\n\r\n`)
    default:
      return text.replace(
        /\r\n(?=\r\n)/,
        random.pick(['\n', '\r', '\r\r\n', '\n\r', '\r\n ', '\r\n\t', '\r\n\r\n', '\r\n\0']),
      )
  }
}

function split(bytes: Buffer, random: Random): Buffer[] {
  if (random.oneIn(3)) return [bytes]
  if (random.oneIn(12))
    return inPieces(bytes.subarray(0, 600), 1).concat(bytes.length > 600 ? [bytes.subarray(600)] : [])
  const most = random.pick([20, 100, 400])
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    // A head of 70 KB in a thousand pieces says nothing new.
    const size = 1 + random.below(pieces.length > 60 ? bytes.length : most)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

export function writeRequests(random: Random): Written {
  const isPlain = random.oneIn(5)
  const isScratched = !isPlain && random.oneIn(3)
  const early = random.oneIn(4)
  // Whoever is answered before it may send its body is the last one.
  const mayExpect = !isPlain || !early
  let block = random.pick(blocks)
  const texts = [random.oneIn(8) && !isPlain ? odder(random, block) : plain(random, block, mayExpect)]
  for (let count = random.below(4); count > 0; count--) {
    const kind = isPlain ? 0 : random.below(8)
    if (kind < 2) texts.push(plain(random, block, mayExpect))
    else if (kind < 5) {
      const [version, other] = random.pick(nearly)(block, random, 'HTTP/1.1')
      texts.push(`${random.pick(silent)} ${random.pick(targets)} ${version}\r\n${other}`)
      // The next one is compared with these, where they are well formed.
      if (random.oneIn(2)) block = other
    } else if (kind < 7) texts.push(odder(random, block))
    else texts.push(mutated(draftRequest(random, 'zz', { host }), random, { host }, 'zz'))
    if (random.oneIn(8)) block = random.pick(blocks)
  }
  let text = texts.join('')
  if (isScratched) for (let count = 1 + random.below(2); count > 0; count--) text = scratch(text, random)
  // Whether the place is found where the next one begins.
  text += `GET /last HTTP/1.1\r\n${block}`
  const pieces = split(Buffer.from(text, 'latin1'), random)
  return { text, requests: texts.length + 1, isPlain, pieces, pace: random.pick(paces), early }
}
