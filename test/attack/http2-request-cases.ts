/**
 * What RFC 9113 8 says of requests, and RFC 7541 of how their headers are compressed, one violation or right for each row.
 */
import {
  block,
  continuation,
  data,
  endHeaders,
  endStream,
  frame,
  type Http2Field,
  headers,
  indexed,
  inserted,
  literal,
  tableSize,
} from './http2-frames.ts'
import type { Http2Line } from './http2-line.ts'
import { answered, connectionError, type Http2Case, streamError } from './http2-verdicts.ts'

const whole = endHeaders | endStream
const bytes = (text: string) => Buffer.from(text, 'hex')
/** A literal whose name is `x-test`, in Huffman code; `test` as its value is 49509f. */
const xTest = bytes('0085f2b24a84ff')

type Change = (fields: Http2Field[]) => readonly Http2Field[]
const without =
  (name: string): Change =>
  fields =>
    fields.filter(([field]) => field !== name)
const twice =
  (name: string): Change =>
  fields => [...fields, ...fields.filter(([field]) => field === name)]
const more =
  (...added: readonly Http2Field[]): Change =>
  fields => [...fields, ...added]
const instead =
  (name: string, value: string): Change =>
  fields =>
    fields.map(field => (field[0] === name ? [name, value] : field))

const said = (line: Http2Line, change: Change, method?: string): Buffer => block(change(line.fields(method)))
const malformed = (name: string, change: Change): Http2Case => ({
  name,
  send: line => line.say(frame(headers, whole, 1, said(line, change))),
  verdict: streamError('protocol'),
})
const upload = (line: Http2Line, length: string): Buffer =>
  frame(headers, endHeaders, 1, said(line, more(['content-length', length]), 'POST'))
const body = (name: string, length: string, ...parts: readonly number[]): Http2Case => ({
  name,
  send: line =>
    line.say(
      upload(line, length),
      ...parts.map((size, at) => frame(data, at === parts.length - 1 ? endStream : 0, 1, Buffer.alloc(size, 'x'))),
    ),
  verdict: streamError('protocol'),
})
const trailers = (name: string, last: Buffer, flags: number): Http2Case => ({
  name,
  send: line =>
    line.say(
      line.request(1, { method: 'POST', flags: endHeaders }),
      frame(data, 0, 1, Buffer.from('x')),
      frame(headers, flags, 1, last),
    ),
  verdict: streamError('protocol'),
})
const good = (name: string, frames: (line: Http2Line) => readonly Buffer[]): Http2Case => ({
  name,
  send: line => line.say(...frames(line)),
  verdict: answered(),
})
/** A block that holds the whole request and something else. */
const packed = (name: string, pieces: (request: Buffer) => readonly Buffer[]): Http2Case => ({
  name,
  send: line => line.say(frame(headers, whole, 1, Buffer.concat(pieces(block(line.fields()))))),
  verdict: connectionError('compression'),
})

export const requestCases: readonly Http2Case[] = [
  good('8.1 GET', line => [line.request()]),
  good('8.1 HEAD', line => [line.request(1, { method: 'HEAD' })]),
  good('8.1 OPTIONS', line => [line.request(1, { method: 'OPTIONS' })]),
  good('8.1 POST', line => [
    line.request(1, { method: 'POST', flags: endHeaders }),
    frame(data, 0, 1, Buffer.from('some')),
    frame(data, endStream, 1, Buffer.from('thing')),
  ]),
  good('8.1 POST with trailers', line => [
    line.request(1, { method: 'POST', flags: endHeaders, more: [['trailer', 'x-test']] }),
    frame(data, 0, 1, Buffer.from('x')),
    frame(headers, whole, 1, block([['x-test', 'ok']])),
  ]),
  good('8.1 a header block in pieces', line => [
    frame(headers, endStream, 1, block(line.fields()).subarray(0, 5)),
    frame(continuation, endHeaders, 1, block(line.fields()).subarray(5)),
  ]),
  trailers('8.1 a second head without an end', block([['x-test', 'ok']]), endHeaders),
  trailers('8.1 a pseudo-header in a trailer', block([[':method', 'GET']]), whole),
  malformed('8.2.1 a capital', more(['X-TEST', 'ok'])),
  malformed('8.2.2 connection', more(['connection', 'keep-alive'])),
  malformed('8.2.2 te: trailers, deflate', more(['te', 'trailers, deflate'])),
  malformed('8.3 a pseudo-header that nobody knows', more([':test', 'ok'])),
  malformed('8.3 a pseudo-header of answers', more([':status', '200'])),
  malformed('8.3 a pseudo-header behind a header', ([method, ...rest]) => [
    ...rest,
    ['x-test', 'ok'],
    method ?? [':method', 'GET'],
  ]),
  malformed('8.3.1 an empty :path', instead(':path', '')),
  malformed('8.3.1 no :method', without(':method')),
  malformed('8.3.1 no :scheme', without(':scheme')),
  malformed('8.3.1 no :path', without(':path')),
  malformed('8.3.1 two :method', twice(':method')),
  malformed('8.3.1 two :scheme', twice(':scheme')),
  malformed('8.3.1 two :path', twice(':path')),
  body('8.1.1 a length that is too short', '1', 4),
  body('8.1.1 a length that is too long', '9', 4),
  body('8.1.1 a length that two parts do not make', '1', 4, 4),

  good('7541 2.3.1 names of the static table', line => [
    frame(
      headers,
      whole,
      1,
      Buffer.concat([indexed(2), indexed(7), indexed(4), literal(':authority', line.fields()[3]?.[1] ?? '')]),
    ),
  ]),
  good('7541 6.2.1 a literal that is indexed, and its index', line => [
    frame(headers, whole, 1, Buffer.concat([block(line.fields()), inserted('x-test', 'ok'), indexed(62)])),
  ]),
  good('7541 6.2.2 a literal that is not indexed', line => [
    frame(
      headers,
      whole,
      1,
      Buffer.concat([block(line.fields()), bytes('0006'), Buffer.from('x-test'), bytes('026f6b')]),
    ),
  ]),
  good('7541 6.3 a smaller table', line => [
    frame(headers, whole, 1, Buffer.concat([tableSize(128), tableSize(4_096), block(line.fields())])),
  ]),
  packed('7541 2.3.3 an index that nothing has', request => [request, indexed(70)]),
  packed('7541 2.3.3 a name of an index that nothing has', request => [request, bytes('7f0701'), Buffer.from('x')]),
  packed('7541 4.2 a table size behind headers', request => [request, tableSize(1)]),
  good('7541 5.2 Huffman', line => [
    frame(headers, whole, 1, Buffer.concat([block(line.fields()), xTest, bytes('8349509f')])),
  ]),
  packed('7541 5.2 padding of more than 7 bits', request => [request, xTest, bytes('8449509fff')]),
  packed('7541 5.2 padding that is not EOS', request => [request, xTest, bytes('83495090')]),
  packed('7541 5.2 EOS in a value', request => [request, xTest, bytes('8749509fffffffff')]),
  packed('7541 6.1 index 0', request => [request, bytes('80')]),
  packed('7541 6.3 a table that is larger than SETTINGS allow', request => [tableSize(4_097), request]),
]
