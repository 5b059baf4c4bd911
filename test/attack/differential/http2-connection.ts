/**
 * One HTTP/2 connection of the fuzzer: a few streams, whose heads and bodies say what HTTP/1.1 cannot.
 *
 * The frames themselves are well formed: what is inside them is not. Source: RFC 9113 8.1.1, 8.2, 8.3.
 */
import {
  block,
  data,
  endHeaders,
  endStream,
  frame,
  goAway,
  type Http2Field,
  headers,
  preface,
  reset,
  settings,
} from '../raw-http2.ts'
import { methods, smuggled } from './grammar.ts'
import { type Door, markerOf, openLine } from './http1-connection.ts'
import { readStream, type Said } from './http2-reading.ts'
import type { Sent } from './oracle.ts'
import { type Random, randomOf } from './random.ts'

const breaks = (host: string, marker: string) => [
  ...['\r\n', '\n', '\r', '\0', ' ', '\t', ':', `\r\nX-Injected: y`, `\r\n\r\n${smuggled(marker, { host })}`],
  ` HTTP/1.1\r\nHost: ${host}\r\n\r\nGET /smuggled/${marker}`,
]

function oddField(random: Random, host: string, marker: string): Http2Field {
  const odd = random.pick(breaks(host, marker))
  return random.pick<Http2Field>([
    ['x-a', `b${odd}c`],
    [`x${odd}a`, 'b'],
    ['x-a', `${odd}b`],
    ['X-Capital', 'b'],
    ['', 'b'],
    ['connection', random.pick(['close', 'keep-alive', 'upgrade', 'x-b'])],
    ['transfer-encoding', random.pick(['chunked', 'identity', ''])],
    [random.pick(['transfer-encoding ', 'transfer_encoding', 'transfer-encoding\0', 'transfer-encoding:']), 'chunked'],
    ['upgrade', random.pick(['h2c', 'websocket'])],
    ['te', random.pick(['trailers', 'gzip', 'trailers, gzip'])],
    ['host', random.pick([host, 'evil.example', `${host},x`, ''])],
    ['content-length', random.pick(['0', '5', '+5', '5, 5', '', ' 5', '5 ', '999', '18446744073709551617'])],
    [random.pick(['content_length', 'content-length\0', 'content-length ']), '0'],
    ['expect', random.pick(['100-continue', 'x'])],
    ['keep-alive', 'timeout=5'],
    ['cookie', random.pick(['a=b', 'c=d; e=f', 'x\r\ny'])],
    [
      random.pick([':path', ':method', ':authority', ':scheme', ':status', ':protocol', ':x']),
      random.pick(['/x', 'GET', host, '200', 'websocket']),
    ],
  ])
}

function sayRequest(random: Random, marker: string, host: string): Said {
  const path = `/fuzz/${marker}${random.pick(['', '', '/', '?a=b', '/a%20b', '/%7eu'])}`
  let fields: Http2Field[] = [
    [':method', random.pick(random.oneIn(2) ? ['GET', 'POST', 'DELETE'] : methods)],
    [':scheme', 'https'],
    [':authority', host],
    [':path', path],
  ]
  for (let more = random.below(3); more > 0; more--)
    fields.push(
      random.pick<Http2Field>([
        ['accept', '*/*'],
        ['x-named', 'v'],
        ['cookie', 'a=b'],
        ['te', 'trailers'],
        ['x-e', ''],
      ]),
    )
  const rider = smuggled(marker, { host })
  const body = random.pick([
    undefined,
    undefined,
    '',
    'hello',
    rider,
    rider,
    `0\r\n\r\n${rider}`,
    'x'.repeat(random.below(400)),
  ])
  if (body !== undefined && random.oneIn(2)) fields.push(['content-length', String(body.length)])

  for (let changes = random.oneIn(3) ? 0 : 1 + random.below(2); changes > 0; changes--) {
    const at = random.below(fields.length)
    const [name, value] = fields[at] ?? ['', '']
    const odd = random.pick(breaks(host, marker))
    const other = [
      '',
      '*',
      'x',
      '//x',
      '/../x',
      `http://evil.example${path}`,
      `https://${host}${path}`,
      host,
      'get',
      'CONNECT',
      '/%2e',
      'GET /x',
    ]
    const change = random.below(7)
    if (change === 0) fields[at] = [name, value + odd]
    else if (change === 1) fields[at] = [name, random.pick(other)]
    else if (change === 2) fields = fields.toSpliced(at, 1)
    else if (change === 3) fields.push([name, value])
    else if (change === 4) fields.splice(random.below(fields.length), 0, ...fields.splice(at, 1))
    else fields.push(oddField(random, host, marker))
  }
  const cut = body === undefined ? 0 : random.below(body.length + 1)
  const parts = body === undefined ? undefined : random.oneIn(2) ? [body] : [body.slice(0, cut), '', body.slice(cut)]
  const trailers =
    parts !== undefined && random.oneIn(6)
      ? [
          random.pick<Http2Field>([
            ['x-t', 'u'],
            ['content-length', '0'],
            ['x', 'a\r\nb'],
            [':path', '/x'],
          ]),
        ]
      : undefined
  return { fields, parts, trailers }
}

const numberOf = (at: number): number => 2 * at + 1

function framesOf({ fields, parts, trailers }: Said, stream: number): Buffer[] {
  const [first, ...more] = [block(fields)]
  const bare = parts === undefined && trailers === undefined
  const frames = [frame(headers, endHeaders | (bare ? endStream : 0), stream, first ?? Buffer.alloc(0)), ...more]
  for (const [at, part] of (parts ?? []).entries()) {
    const last = trailers === undefined && at === (parts?.length ?? 0) - 1
    frames.push(frame(data, last ? endStream : 0, stream, Buffer.from(part, 'latin1')))
  }
  if (trailers !== undefined) frames.push(frame(headers, endHeaders | endStream, stream, block(trailers)))
  return frames
}

export function saidOn(seed: number, connection: number, host: string): Said[] {
  const random = randomOf(seed, connection)
  return Array.from({ length: 1 + random.below(6) }, (_, at) =>
    sayRequest(random, markerOf(seed, connection, at), host),
  )
}

/** Streams that are over, and whether the connection is. */
function overIn(bytes: Buffer): { readonly streams: number; readonly all: boolean } {
  const over = new Set<number>()
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const type = bytes.readUInt8(at + 3)
    if (type === goAway) return { streams: over.size, all: true }
    const ends = type === reset || ((type === headers || type === data) && (bytes.readUInt8(at + 4) & endStream) !== 0)
    if (ends) over.add(bytes.readUInt32BE(at + 5))
  }
  return { streams: over.size, all: false }
}

/** Sends all streams at once; undefined when the gate did not even shake hands. */
export async function playHttp2(seed: number, connection: number, door: Door): Promise<Sent | undefined> {
  const line = await openLine(door, 'h2')
  if (line === undefined) return undefined
  const said = saidOn(seed, connection, door.host)
  const frames = said.flatMap((one, at) => framesOf(one, numberOf(at)))
  const bytes = Buffer.concat([Buffer.from(preface, 'latin1'), frame(settings, 0, 0, Buffer.alloc(0)), ...frames])
  line.socket.write(bytes)
  for (let over = overIn(Buffer.alloc(0)); !line.over && !over.all && over.streams < said.length; ) {
    if (!(await line.news(150))) break
    over = overIn(Buffer.from(line.text, 'latin1'))
  }
  line.socket.destroy()
  return {
    connection,
    requests: said.length,
    bytes: bytes.toString('latin1'),
    shown: said.map(one => JSON.stringify(one)).join('\n       '),
    permitted: said.flatMap(one => readStream(one) ?? []),
    until: Number.POSITIVE_INFINITY,
  }
}
