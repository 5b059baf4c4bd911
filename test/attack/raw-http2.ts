/**
 * HTTP/2 frames written byte by byte, for what no well-behaved client sends: names with blanks, capitals, line ends.
 *
 * It writes plain literals and reads frame types only. Source: RFC 9113 4.1, 6.2; RFC 7541 5.1 (numbers), 6.2.3 (never
 * indexed).
 */
import type { TestGateway } from '../fixture/gateway.ts'
import { openRaw } from './raw-request.ts'

export type Http2Field = readonly [name: string, value: string]

export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
export const [data, headers, reset, settings, goAway] = [0x0, 0x1, 0x3, 0x4, 0x7]
export const [endStream, endHeaders] = [0x1, 0x4]

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const lead = Buffer.alloc(9)
  lead.writeUIntBE(payload.length, 0, 3)
  lead.writeUInt8(type, 3)
  lead.writeUInt8(flags, 4)
  lead.writeUInt32BE(stream, 5)
  return Buffer.concat([lead, payload])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.of(...length, rest), bytes])
}

export const block = (fields: readonly Http2Field[]): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0x10), text(name), text(value)]))

export interface Http2Outcome {
  /** How the gateway took it: an answer, a reset of the stream, the end of the connection, or silence. */
  readonly came: 'answer' | 'reset' | 'goaway' | 'end' | 'nothing'
}

/** One request on a connection of its own. The pseudo-headers are the caller's too. */
export async function talkHttp2(
  gateway: TestGateway,
  fields: readonly Http2Field[],
  { body, trailers }: { body?: string; trailers?: readonly Http2Field[] } = {},
): Promise<Http2Outcome> {
  using line = await openRaw(gateway, { alpn: ['h2'] })
  const last = body === undefined && trailers === undefined
  await line.write(
    Buffer.concat([
      Buffer.from(preface, 'latin1'),
      frame(settings, 0, 0, Buffer.alloc(0)),
      frame(headers, endHeaders | (last ? endStream : 0), 1, block(fields)),
      ...(body === undefined ? [] : [frame(data, trailers === undefined ? endStream : 0, 1, Buffer.from(body))]),
      ...(trailers === undefined ? [] : [frame(headers, endHeaders | endStream, 1, block(trailers))]),
    ]),
  )
  let seen: Buffer = Buffer.alloc(0)
  for (const deadline = Date.now() + 3_000; Date.now() < deadline; ) {
    const { bytes, ended } = await line.read({ timeout: 200, until: /[\s\S]/ })
    seen = Buffer.concat([seen, bytes])
    const came = outcomeOf(seen)
    if (came !== undefined) return { came }
    if (ended === 'end' || ended === 'error') return { came: 'end' }
  }
  return { came: 'nothing' }
}

function outcomeOf(bytes: Buffer): Http2Outcome['came'] | undefined {
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const type = bytes.readUInt8(at + 3)
    if (type === headers) return 'answer'
    if (type === reset) return 'reset'
    if (type === goAway) return 'goaway'
  }
  return undefined
}

/** The four pseudo-headers of a plain request. */
export const pseudo = (gateway: TestGateway, method: string, path: string): Http2Field[] => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', `localhost:${gateway.port}`],
  [':path', path],
]
