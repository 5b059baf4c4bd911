/**
 * HTTP/2 frames written and read byte by byte, right or wrong as a test wants them.
 *
 * It keeps no state and knows no rules: what may be sent when is for the tests to break. Names and values are written as
 * they stand. Source: RFC 9113 4.1, 6; RFC 7541 5.1, 6.
 */

export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

export const [data, headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation] = [
  0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9,
]
export const [endStream, ack, endHeaders, padded, prioritized] = [0x1, 0x1, 0x4, 0x8, 0x20]

const nothing = Buffer.alloc(0)

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = nothing): Buffer {
  const lead = Buffer.alloc(9)
  lead.writeUIntBE(payload.length, 0, 3)
  lead.writeUInt8(type, 3)
  lead.writeUInt8(flags, 4)
  lead.writeUInt32BE(stream, 5)
  return Buffer.concat([lead, payload])
}

/** Four bytes, as error codes, increments and stream numbers are written. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Entries of SETTINGS. */
export const entries = (...pairs: readonly (readonly [id: number, value: number])[]): Buffer =>
  Buffer.concat(pairs.flatMap(([id, value]) => [Buffer.of(id >> 8, id & 0xff), word(value)]))

/** What PRIORITY holds, and HEADERS with its flag. */
export const dependsOn = (stream: number, weight = 15): Buffer => Buffer.concat([word(stream), Buffer.of(weight)])

export type Http2Field = readonly [name: string, value: string]

/** @param prefix  bits that are left of the first byte, whose others are in `mark` */
function integer(value: number, prefix: number, mark: number): Buffer {
  const most = 2 ** prefix - 1
  if (value < most) return Buffer.of(mark | value)
  const bytes = [mark | most]
  let rest = value - most
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.of(...bytes, rest)
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  return Buffer.concat([integer(bytes.length, 7, 0), bytes])
}

/** A literal that is never indexed. */
export const literal = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(0x10), text(name), text(value)])
/** A literal that goes into the dynamic table. */
export const inserted = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(0x40), text(name), text(value)])
/** 62 is the newest entry of the dynamic table. */
export const indexed = (index: number): Buffer => integer(index, 7, 0x80)
/** Dynamic Table Size Update. */
export const tableSize = (bytes: number): Buffer => integer(bytes, 5, 0x20)

export const block = (fields: readonly Http2Field[]): Buffer =>
  Buffer.concat(fields.map(([name, value]) => literal(name, value)))

export interface Http2Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** The whole frames at the front of these bytes, and what is left behind them. */
export function readFrames(bytes: Buffer): { readonly frames: readonly Http2Frame[]; readonly rest: Buffer } {
  const frames: Http2Frame[] = []
  let at = 0
  while (at + 9 <= bytes.length && at + 9 + bytes.readUIntBE(at, 3) <= bytes.length) {
    const end = at + 9 + bytes.readUIntBE(at, 3)
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
      payload: bytes.subarray(at + 9, end),
    })
    at = end
  }
  return { frames, rest: bytes.subarray(at) }
}
