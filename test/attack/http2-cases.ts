/**
 * What RFC 9113 and RFC 7541 say of frames, streams and header compression, one violation or right for each row.
 */
import {
  ack,
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
  literal,
  padded,
  ping,
  preface,
  prioritized,
  priority,
  pushPromise,
  reset,
  settings,
  windowUpdate,
  word,
} from './http2-frames.ts'
import type { Http2Line } from './http2-line.ts'
import {
  acknowledged,
  answered,
  type Code,
  connectionError,
  goesOn,
  type Http2Case,
  streamError,
} from './http2-verdicts.ts'

const pong = frame(ping, 0, 0, Buffer.from('h2-alive'))
const [pushes, window, frameSize, unknown] = [2, 4, 5, 0xff]
const largest = 2 ** 31 - 1
const zeros = Buffer.alloc.bind(undefined)

type Frames = (line: Http2Line) => readonly Buffer[]
const row = (name: string, frames: Frames, verdict: Http2Case['verdict']): Http2Case => ({
  name,
  send: line => line.say(...frames(line)),
  verdict,
})
const breaks = (name: string, code: Code | readonly Code[], frames: Frames): Http2Case =>
  row(name, frames, connectionError(...[code].flat()))
const resets = (name: string, code: Code | readonly Code[], frames: Frames): Http2Case =>
  row(name, frames, streamError(...[code].flat()))
const answers = (name: string, frames: Frames): Http2Case => row(name, frames, answered())
const lives = (name: string, frames: Frames): Http2Case => row(name, line => [...frames(line), pong], goesOn)
/** A stream that was answered to its end, and then these frames. */
const afterEnd = (name: string, code: readonly Code[], frames: Frames): Http2Case => ({
  name,
  async send(line) {
    await line.say(line.request())
    await answered()(line)
    await line.say(...frames(line))
  },
  verdict: connectionError(...code),
})
const open = (line: Http2Line) => line.request(1, { method: 'POST', flags: endHeaders })
const halfBlock = (line: Http2Line) => line.request(1, { flags: endStream })
const closedCodes = ['streamClosed'] as const
const lateCodes = ['streamClosed', 'protocol'] as const

export const frameCases: readonly Http2Case[] = [
  {
    name: '3.4 SETTINGS comes first',
    bare: true,
    send: line => line.say(Buffer.from(preface), frame(settings, 0, 0)),
    verdict: line => line.sees(([first]) => first?.type === settings && first.flags === 0),
  },
  {
    name: '3.4 no preface',
    bare: true,
    send: line => line.say(Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n')),
    verdict: connectionError('protocol'),
  },
  lives('4.1 a frame of no known type', () => [frame(0x16, 0, 0, zeros(8))]),
  row('4.1 PING with flags that nobody knows', () => [frame(ping, 0x16, 0, zeros(8))], goesOn),
  row('4.1 PING with the reserved bit', () => [frame(ping, 0, 0x80000000, zeros(8))], goesOn),
  answers('4.2 DATA of 2^14 bytes', line => [open(line), frame(data, endStream, 1, zeros(16_384))]),
  resets('4.2 DATA that is too large', 'frameSize', line => [open(line), frame(data, endStream, 1, zeros(16_385))]),
  breaks('4.2 HEADERS that are too large', 'frameSize', line => [
    frame(headers, endHeaders | endStream, 1, Buffer.concat([block(line.fields()), literal('x', 'y'.repeat(16_384))])),
  ]),
  breaks('4.3 a header block that cannot be read', 'compression', () => [
    frame(headers, endHeaders | endStream, 1, Buffer.of(0x40)),
  ]),
  breaks('4.3 PRIORITY within a header block', 'protocol', line => [
    halfBlock(line),
    frame(priority, 0, 1, dependsOn(0)),
    frame(continuation, endHeaders, 1),
  ]),
  breaks('4.3 HEADERS of another stream within a header block', 'protocol', line => [halfBlock(line), line.request(3)]),
  breaks('5.1 idle: DATA', 'protocol', () => [frame(data, endStream, 1, zeros(4))]),
  breaks('5.1 idle: RST_STREAM', 'protocol', () => [frame(reset, 0, 1, word(8))]),
  breaks('5.1 idle: WINDOW_UPDATE', 'protocol', () => [frame(windowUpdate, 0, 1, word(100))]),
  breaks('5.1 idle: CONTINUATION', 'protocol', line => [frame(continuation, endHeaders, 1, block(line.fields()))]),
  resets('5.1 half closed: DATA', closedCodes, line => [line.request(), frame(data, endStream, 1, zeros(4))]),
  resets('5.1 half closed: HEADERS', closedCodes, line => [line.request(), line.request()]),
  breaks('5.1 half closed: CONTINUATION', lateCodes, line => [
    line.request(),
    frame(continuation, endHeaders, 1, block(line.fields())),
  ]),
  resets('5.1 reset: DATA', closedCodes, line => [open(line), frame(reset, 0, 1, word(8)), frame(data, endStream, 1)]),
  resets('5.1 reset: HEADERS', closedCodes, line => [open(line), frame(reset, 0, 1, word(8)), line.request()]),
  breaks('5.1 reset: CONTINUATION', lateCodes, line => [
    open(line),
    frame(reset, 0, 1, word(8)),
    frame(continuation, endHeaders, 1, block(line.fields())),
  ]),
  afterEnd('5.1 closed: DATA', closedCodes, () => [frame(data, endStream, 1, zeros(4))]),
  afterEnd('5.1 closed: HEADERS', closedCodes, line => [line.request()]),
  afterEnd('5.1 closed: CONTINUATION', lateCodes, line => [frame(continuation, endHeaders, 1, block(line.fields()))]),
  breaks('5.1.1 a stream of an even number', 'protocol', line => [line.request(2)]),
  breaks('5.1.1 a stream of a smaller number', 'protocol', line => [line.request(5), line.request(3)]),
  {
    name: '5.1.2 more streams than SETTINGS allow',
    async send(line) {
      const said = line.frames.find(({ type }) => type === settings)?.payload ?? zeros(0)
      let most = 1_000
      for (let at = 0; at + 6 <= said.length; at += 6)
        if (said.readUInt16BE(at) === 3) most = Math.min(most, said.readUInt32BE(at + 2))
      await line.say(...Array.from({ length: most + 1 }, (_, at) => line.request(2 * at + 1, { flags: endHeaders })))
    },
    verdict: streamError('protocol', 'refused'),
  },
  resets('5.3.1 HEADERS that depend on their own stream', 'protocol', line => [
    frame(headers, endHeaders | endStream | prioritized, 1, Buffer.concat([dependsOn(1), block(line.fields())])),
  ]),
  resets('5.3.1 PRIORITY that depends on its own stream', 'protocol', () => [frame(priority, 0, 2, dependsOn(2))]),
  breaks('5.4.1 behind an error the connection ends', 'protocol', () => [frame(ping, 0, 1, zeros(8))]),
  lives('5.5 an extension on a stream', line => [line.request(), frame(0x99, 0, 1, zeros(8))]),
  breaks('5.5 an extension within a header block', 'protocol', line => [
    halfBlock(line),
    frame(0x99, 0, 1, zeros(8)),
    frame(continuation, endHeaders, 1),
  ]),
  breaks('6.1 DATA of stream 0', 'protocol', () => [frame(data, endStream, 0, zeros(4))]),
  breaks('6.1 DATA with more padding than it has', 'protocol', line => [
    open(line),
    frame(data, endStream | padded, 1, Buffer.of(6, 1)),
  ]),
  answers('6.1 DATA with padding', line => [open(line), frame(data, endStream | padded, 1, Buffer.of(2, 1, 0, 0))]),
  breaks('6.2 HEADERS of stream 0', 'protocol', line => [line.request(0)]),
  breaks('6.2 HEADERS with more padding than they have', 'protocol', line => [
    frame(headers, endHeaders | endStream | padded, 1, Buffer.concat([Buffer.of(255), block(line.fields())])),
  ]),
  answers('6.2 HEADERS with padding', line => [
    frame(headers, endHeaders | endStream | padded, 1, Buffer.concat([Buffer.of(4), block(line.fields()), zeros(4)])),
  ]),
  answers('6.2 HEADERS with a priority', line => [
    frame(headers, endHeaders | endStream | prioritized, 1, Buffer.concat([dependsOn(0, 255), block(line.fields())])),
  ]),
  breaks('6.3 PRIORITY of stream 0', 'protocol', () => [frame(priority, 0, 0, dependsOn(1))]),
  resets('6.3 PRIORITY of a wrong size', 'frameSize', line => [open(line), frame(priority, 0, 1, zeros(4))]),
  lives('6.3 PRIORITY of an idle stream', () => [frame(priority, 0, 1, dependsOn(0))]),
  answers('6.3 PRIORITY, and then the request', line => [frame(priority, 0, 1, dependsOn(0, 255)), line.request()]),
  breaks('6.4 RST_STREAM of stream 0', 'protocol', () => [frame(reset, 0, 0, word(8))]),
  breaks('6.4 RST_STREAM of a wrong size', 'frameSize', line => [open(line), frame(reset, 0, 1, zeros(3))]),
  lives('6.4 RST_STREAM', line => [open(line), frame(reset, 0, 1, word(8))]),
  breaks('6.5 an acknowledgement with a body', 'frameSize', () => [frame(settings, ack, 0, zeros(6))]),
  breaks('6.5 SETTINGS of a stream', 'protocol', () => [frame(settings, 0, 1, entries([3, 10]))]),
  breaks('6.5 SETTINGS of a wrong size', 'frameSize', () => [frame(settings, 0, 0, zeros(3))]),
  breaks('6.5.2 ENABLE_PUSH of 2', 'protocol', () => [frame(settings, 0, 0, entries([pushes, 2]))]),
  breaks('6.5.2 INITIAL_WINDOW_SIZE of 2^31', 'flowControl', () => [frame(settings, 0, 0, entries([window, 2 ** 31]))]),
  breaks('6.5.2 MAX_FRAME_SIZE under 2^14', 'protocol', () => [frame(settings, 0, 0, entries([frameSize, 16_383]))]),
  breaks('6.5.2 MAX_FRAME_SIZE of 2^24', 'protocol', () => [frame(settings, 0, 0, entries([frameSize, 2 ** 24]))]),
  lives('6.5.2 a setting that nobody knows', () => [frame(settings, 0, 0, entries([unknown, 1]))]),
  row('6.5.3 SETTINGS are acknowledged', () => [frame(settings, 0, 0, entries([window, 100]))], acknowledged),
  row('6.7 PING', () => [pong], goesOn),
  lives('6.7 an acknowledgement that nobody asked for', () => [frame(ping, ack, 0, zeros(8))]),
  breaks('6.7 PING of a stream', 'protocol', () => [frame(ping, 0, 1, zeros(8))]),
  breaks('6.7 PING of a wrong size', 'frameSize', () => [frame(ping, 0, 0, zeros(6))]),
  breaks('6.8 GOAWAY of a stream', 'protocol', () => [frame(goAway, 0, 1, zeros(8))]),
  breaks('6.9 WINDOW_UPDATE of 0', 'protocol', () => [frame(windowUpdate, 0, 0, word(0))]),
  resets('6.9 WINDOW_UPDATE of 0 on a stream', 'protocol', line => [open(line), frame(windowUpdate, 0, 1, word(0))]),
  breaks('6.9 WINDOW_UPDATE of a wrong size', 'frameSize', () => [frame(windowUpdate, 0, 0, zeros(3))]),
  breaks('6.9.1 a window over 2^31-1', 'flowControl', () => [
    frame(windowUpdate, 0, 0, word(largest)),
    frame(windowUpdate, 0, 0, word(largest)),
  ]),
  resets('6.9.1 a window over 2^31-1 on a stream', 'flowControl', line => [
    open(line),
    frame(windowUpdate, 0, 1, word(largest)),
    frame(windowUpdate, 0, 1, word(largest)),
  ]),
  row(
    '6.9.1 a window of one byte is heeded',
    line => [frame(settings, 0, 0, entries([window, 1])), line.request()],
    line => line.sees(frames => frames.some(({ type, payload }) => type === data && payload.length === 1)),
  ),
  {
    name: '6.9.2 a window that is opened later',
    async send(line) {
      await line.say(frame(settings, 0, 0, entries([window, 0])), line.request())
      await line.sees(frames => frames.some(({ type }) => type === headers))
      await line.say(frame(settings, 0, 0, entries([window, 1])))
    },
    verdict: line => line.sees(frames => frames.some(({ type, payload }) => type === data && payload.length === 1)),
  },
  {
    name: '6.9.2 a window below zero',
    async send(line) {
      await line.say(frame(settings, 0, 0, entries([window, 3])), line.request())
      await line.sees(frames => frames.some(({ type, payload }) => type === data && payload.length === 3))
      await line.say(frame(settings, 0, 0, entries([window, 2])), frame(windowUpdate, 0, 1, word(2)))
    },
    verdict: line => line.sees(frames => frames.some(({ type, payload }) => type === data && payload.length === 1)),
  },
  answers('6.10 CONTINUATION twice', line => [
    halfBlock(line),
    frame(continuation, 0, 1, block([['x-a', 'b']])),
    frame(continuation, endHeaders, 1, block([['x-c', 'd']])),
  ]),
  breaks('6.10 DATA within a header block', 'protocol', line => [halfBlock(line), frame(data, endStream, 1, zeros(4))]),
  breaks('6.10 CONTINUATION of stream 0', 'protocol', line => [halfBlock(line), frame(continuation, endHeaders, 0)]),
  breaks('6.10 CONTINUATION behind whole HEADERS', 'protocol', line => [
    open(line),
    frame(continuation, endHeaders, 1),
  ]),
  breaks('6.10 CONTINUATION behind the last one', 'protocol', line => [
    line.request(1, { method: 'POST', flags: 0 }),
    frame(continuation, endHeaders, 1),
    frame(continuation, endHeaders, 1),
  ]),
  breaks('6.10 CONTINUATION behind DATA', 'protocol', line => [
    open(line),
    frame(data, 0, 1, zeros(4)),
    frame(continuation, endHeaders, 1),
  ]),
  lives('7 RST_STREAM of no known code', line => [open(line), frame(reset, 0, 1, word(0xff))]),
  breaks('8.4 PUSH_PROMISE of a client', 'protocol', line => [
    frame(pushPromise, endHeaders, 1, Buffer.concat([word(2), block(line.fields())])),
  ]),
]
