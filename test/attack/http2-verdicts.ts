/**
 * What a server should make of what it was sent: the ways in which RFC 9113 lets it say so.
 *
 * An error of a stream may be taken for one of the connection (5.4), and a connection may be closed without a word.
 */
import { ack, data, endStream, goAway, type Http2Frame, headers, ping, reset, settings } from './http2-frames.ts'
import type { Http2Line } from './http2-line.ts'

export const codes = {
  none: 0x0,
  protocol: 0x1,
  internal: 0x2,
  flowControl: 0x3,
  streamClosed: 0x5,
  frameSize: 0x6,
  refused: 0x7,
  cancel: 0x8,
  compression: 0x9,
  calm: 0xb,
} as const

export type Code = keyof typeof codes

export interface Http2Case {
  /** The section, and what is sent. */
  readonly name: string
  /** The case says its own preface. */
  readonly bare?: boolean
  readonly send: (line: Http2Line) => Promise<unknown>
  readonly verdict: (line: Http2Line) => Promise<boolean>
}

const some = (what: (frame: Http2Frame) => boolean) => (line: Http2Line) => line.sees(frames => frames.some(what))
const named = (allowed: readonly Code[], code: number): boolean => allowed.some(name => codes[name] === code)
const isGoAway = (allowed: readonly Code[], { type, payload }: Http2Frame): boolean =>
  type === goAway && named(allowed, payload.readUInt32BE(4))

/** GOAWAY with one of these codes, or the end. */
export const connectionError =
  (...allowed: readonly Code[]): Http2Case['verdict'] =>
  async line =>
    (await some(frame => isGoAway(allowed, frame))(line)) || line.closed

/** RST_STREAM with one of these codes, or the same for the whole connection. */
export const streamError =
  (...allowed: readonly Code[]): Http2Case['verdict'] =>
  async line =>
    (await some(
      frame => isGoAway(allowed, frame) || (frame.type === reset && named(allowed, frame.payload.readUInt32BE(0))),
    )(line)) || line.closed

/** A head, and the end of the stream without an error. */
export const answered =
  (stream = 1): Http2Case['verdict'] =>
  line =>
    line.sees(
      frames =>
        frames.some(frame => frame.type === headers && frame.stream === stream) &&
        frames.some(
          frame =>
            frame.stream === stream && (frame.type === data || frame.type === headers) && (frame.flags & endStream) > 0,
        ),
    )

/** The connection works: a ping comes back. */
export const goesOn: Http2Case['verdict'] = some(({ type, flags }) => type === ping && flags === ack)
export const acknowledged: Http2Case['verdict'] = line =>
  line.sees(frames => frames.filter(({ type, flags }) => type === settings && flags === ack).length >= 2)
