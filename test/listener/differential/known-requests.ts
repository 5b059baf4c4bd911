/**
 * Requests that were a hole somewhere, those that are well formed and look odd, and those that say the headers of the one
 * before again, or nearly: what we make of them is that they are taken as they are, or refused with these words.
 *
 * Source: RFC 9112 2.2, 3, 5, 6, 7, 9.6; CVE-2022-32213 to 32215, CVE-2022-35256, CVE-2023-30589, CVE-2024-27982 (Node).
 */
export interface KnownRequest {
  readonly text: string
  /** Method, target and body of those that are taken, in their order. */
  readonly gives: readonly string[]
  /** Why what stands behind them is refused. */
  readonly refused?: string
  /** Nothing is read any more behind them, though nothing is wrong. */
  readonly isLast?: true
}

const host = 'Host: a\r\n'
const get = `GET / HTTP/1.1\r\n${host}`
const post = `POST /p HTTP/1.1\r\n${host}`
const next = `GET /next HTTP/1.1\r\n${host}\r\n`
const hello = `${post}Content-Length: 5\r\n\r\nhello`
const chunked = (body: string) => `${post}Transfer-Encoding: chunked\r\n\r\n${body}`
const webSocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

const taken = (text: string, ...gives: readonly string[]): KnownRequest => ({ text, gives })
/** With another one behind it, which is taken too. */
const goesOn = (text: string, ...gives: readonly string[]): KnownRequest => taken(text + next, ...gives, 'GET /next ')
const last = (text: string, ...gives: readonly string[]): KnownRequest => ({ text: text + next, gives, isLast: true })
/** With another one behind it, which must not be taken. */
const refused = (text: string, why: string, ...gives: readonly string[]): KnownRequest => ({
  ...{ text: text + next, gives },
  refused: why,
})

export const knownRequests: Readonly<Record<string, KnownRequest>> = {
  'one and another': goesOn(`${get}\r\n`, 'GET / '),
  'a length': goesOn(hello, 'POST /p hello'),
  'a length of nothing': goesOn(`${post}Content-Length: 0\r\n\r\n`, 'POST /p '),
  'a length with zeros before it': goesOn(`${post}Content-Length: 005\r\n\r\nhello`, 'POST /p hello'),
  'a body that is a request': goesOn(`${post}Content-Length: ${next.length}\r\n\r\n${next}`, `POST /p ${next}`),
  'GET with a body': goesOn(`${get}Content-Length: 5\r\n\r\nhello`, 'GET / hello'),
  'HEAD with chunks': goesOn(
    `HEAD / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    'HEAD / hello',
  ),
  chunks: goesOn(chunked('2\r\nhe\r\n03\r\nllo\r\n0\r\n\r\n'), 'POST /p hello'),
  'chunks in capitals': goesOn(
    `${post}TRANSFER-ENCODING: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n`,
    'POST /p 0123456789',
  ),
  'chunks with extensions': goesOn(chunked('2;a;b=c;d="e\\"f"\r\nhe\r\n0;x\r\n\r\n'), 'POST /p he'),
  'a trailer': goesOn(chunked('2\r\nhe\r\n0\r\nX-Sum: 5\r\nHost: b\r\n\r\n'), 'POST /p he'),
  'no chunk at all': goesOn(chunked('0\r\n\r\n'), 'POST /p '),
  'a body that may be sent': goesOn(`${post}Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello`, 'POST /p hello'),
  'blanks around values': goesOn(`GET / HTTP/1.1\r\nHost:\t a \t\r\nX:\r\nY: \t \r\n\r\n`, 'GET / '),
  'bytes of no charset': goesOn(`${get}X: \xe4\xff\x80\r\n\r\n`, 'GET / '),
  'all that a name may hold': goesOn(`${get}!#$%&'*+-.^_\`|~09azAZ: x\r\n\r\n`, 'GET / '),
  'all that a target may hold': goesOn(
    `GET /!"$%&'()*+,-./:;<=>@[\\]^_\`{|}~?a#b HTTP/1.1\r\n${host}\r\n`,
    `GET /!"$%&'()*+,-./:;<=>@[\\]^_\`{|}~?a#b `,
  ),
  'the whole of an address': goesOn(`GET http://a/x?y HTTP/1.1\r\n${host}\r\n`, 'GET /x?y '),
  'an address without a path': goesOn(`GET https://A HTTP/1.1\r\n${host}\r\n`, 'GET / '),
  'an address with a query only': goesOn(`GET https://a?b HTTP/1.1\r\n${host}\r\n`, 'GET /?b '),
  'methods of others': goesOn(
    `PROPFIND /a HTTP/1.1\r\n${host}\r\nM-SEARCH /b HTTP/1.1\r\n${host}\r\nQUERY /c HTTP/1.1\r\n${host}\r\n`,
    ...['PROPFIND /a ', 'M-SEARCH /b ', 'QUERY /c '],
  ),
  'an empty line before it': { ...goesOn(`\r\n${hello}\r\n`, 'POST /p hello') },
  'a WebSocket, and what comes behind it': taken(`${get}${webSocket}\r\n\x81\0${next}`, `GET / \x81\0${next}`),
  'a WebSocket in capitals': taken(`${get}connection: x, UPGRADE\r\nupgrade: WebSocket\r\n\r\n`, 'GET / '),
  'an upgrade that nobody asks for': goesOn(`${get}Upgrade: websocket\r\n\r\n`, 'GET / '),
  'a connection that is kept': goesOn(`${get}Connection: keep-alive\r\n\r\n`, 'GET / '),

  'close, and one behind it': last(`${get}Connection: close\r\n\r\n`, 'GET / '),
  'close among others': last(`${get}Connection: x ,\tCLOSE\r\n\r\n`, 'GET / '),
  'close by another name': last(`${get}Proxy-Connection: close\r\n\r\n`, 'GET / '),
  'close beside keep-alive': last(`${get}Connection: keep-alive\r\nConnection: close\r\n\r\n`, 'GET / '),
  'close, and a body': last(`${post}Connection: close\r\nContent-Length: 5\r\n\r\nhello`, 'POST /p hello'),
  'an upgrade to something else': last(`${get}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`, 'GET / '),
  'POST that would be a WebSocket': last(`${post}${webSocket}Content-Length: 5\r\n\r\nhello`, 'POST /p hello'),
  // To llhttp the blank of Latin-1 is none.
  'nearly close': goesOn(`${get}Connection: close\xa0\r\n\r\n`, 'GET / '),
  'nearly an upgrade': goesOn(`${get}Connection: upgrade\xa0\r\nUpgrade: websocket\r\n\r\n`, 'GET / '),

  'HTTP/1.0': refused(`GET / HTTP/1.0\r\n${host}\r\n`, 'only HTTP/1.1'),
  'HTTP/1.0 that stays': refused(`GET / HTTP/1.0\r\n${host}Connection: keep-alive\r\n\r\n`, 'only HTTP/1.1'),
  'HTTP/1.0 with chunks': refused(
    `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a transfer coding in HTTP/1.0',
  ),
  'HTTP/0.9': refused(`GET /\r\n${host}\r\n`, 'an odd target'),
  'HTTP/1.2': refused(`GET / HTTP/1.2\r\n${host}\r\n`, 'no version'),
  'HTTP/2': refused('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'no method'),
  'a version in small letters': refused(`GET / http/1.1\r\n${host}\r\n`, 'no version'),
  'a blank behind the version': refused(`GET / HTTP/1.1 \r\n${host}\r\n`, 'no version'),
  'two blanks': refused(`GET  / HTTP/1.1\r\n${host}\r\n`, 'an odd target'),
  'two blanks behind the target': refused(`GET /  HTTP/1.1\r\n${host}\r\n`, 'no version'),
  'a blank before it': refused(` ${get}\r\n`, 'no method'),
  'a method in small letters': refused(`get / HTTP/1.1\r\n${host}\r\n`, 'no method'),
  'a method that nobody knows': refused(`GETS / HTTP/1.1\r\n${host}\r\n`, 'no method'),
  'no target': refused(`GET  HTTP/1.1\r\n${host}\r\n`, 'an odd target'),
  'a target with a tab': refused(`GET /\ta HTTP/1.1\r\n${host}\r\n`, 'an odd target'),
  'a target with a NUL': refused(`GET /\0 HTTP/1.1\r\n${host}\r\n`, 'an odd target'),
  'a target with a byte of no charset': refused(`GET /\xe4 HTTP/1.1\r\n${host}\r\n`, 'an odd target'),
  'a query with a byte of no charset': refused(`GET /?\x80 HTTP/1.1\r\n${host}\r\n`, 'an odd target'),
  'a fragment where the path would be': refused(`GET http://a#b HTTP/1.1\r\n${host}\r\n`, 'target'),
  'a target with a bare CR': refused(`GET /\rX HTTP/1.1\r\n${host}\r\n`, 'an odd target'),
  'no path': refused(`OPTIONS * HTTP/1.1\r\n${host}\r\n`, 'must begin with a slash'),
  'another host': refused(`GET http://b/ HTTP/1.1\r\n${host}\r\n`, 'another host'),
  'somebody before the host': refused(`GET http://me@a/ HTTP/1.1\r\n${host}\r\n`, 'another host'),
  CONNECT: refused(`CONNECT a:1 HTTP/1.1\r\n${host}\r\n`, '405'),
  'bare LF behind the first line': refused(`GET / HTTP/1.1\n${host}\r\n`, 'no version'),
  'several empty lines': goesOn(`\r\n\r\n\r\n${get}\r\n`, 'GET / '),
  'an empty line of LF': refused(`\n${get}\r\n`, 'no method'),

  'no host': refused('GET / HTTP/1.1\r\n\r\n', 'exactly one'),
  'two hosts': refused(`${get}${host}\r\n`, 'exactly one'),
  'no host, and a body': refused('POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello', 'exactly one'),
  'a folded line': refused(`${get}X: a\r\n b\r\n\r\n`, 'an odd header name'),
  'a folded line at the start': refused(`GET / HTTP/1.1\r\n X: a\r\n${host}\r\n`, 'an odd header name'),
  'a blank before the colon': refused(`${get}Content-Length : 5\r\n\r\nhello`, 'an odd header name'),
  'no name': refused(`${get}: a\r\n\r\n`, 'an odd header name'),
  'no colon': refused(`${get}nonsense\r\n\r\n`, 'an odd header name'),
  'a name of other bytes': refused(`${get}X\xe4: a\r\n\r\n`, 'an odd header name'),
  'bare LF behind a header': refused(`${get}X: a\n\r\n`, 'an odd header value'),
  'bare LF at the end of the head': refused(`${get}\n`, 'an odd header name'),
  'bare LF instead of all ends': refused(`${get}\r\n`.replaceAll('\r\n', '\n'), 'no version'),
  'bare CR in a value': refused(`${get}X: a\rContent-Length: 5\r\n\r\n`, 'an odd header value'),
  'bare CR for an empty line': refused(`${get}\rX\r\n\r\n`, 'a bare CR'),
  'a NUL in a value': refused(`${get}X: a\0\r\n\r\n`, 'an odd header value'),
  'a DEL in a value': refused(`${get}X: a\x7f\r\n\r\n`, 'an odd header value'),
  'a head that is too large': refused(`${get}X: ${'y'.repeat(70_000)}\r\n\r\n`, 'a head that is too large'),
  'too many headers': refused(`${get}${'X: y\r\n'.repeat(200)}\r\n`, 'more than 200 headers'),

  'two lengths': refused(`${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 'two lengths'),
  'the same length twice': refused(`${post}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 'two lengths'),
  'a list of lengths': refused(`${post}Content-Length: 5, 5\r\n\r\nhello`, 'a length that is none'),
  'a length with a sign': refused(`${post}Content-Length: +5\r\n\r\nhello`, 'a length that is none'),
  'a negative length': refused(`${post}Content-Length: -5\r\n\r\nhello`, 'a length that is none'),
  'a length in hex': refused(`${post}Content-Length: 0x5\r\n\r\nhello`, 'a length that is none'),
  'an empty length': refused(`${post}Content-Length: \r\n\r\nhello`, 'a length that is none'),
  'a length beyond all': refused(`${post}Content-Length: 18446744073709551621\r\n\r\nhello`, 'a length that is none'),
  'length and chunks': refused(
    `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a length and a transfer coding',
  ),
  'chunks and length': refused(
    `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    'a length and a transfer coding',
  ),
  'another coding': refused(`${post}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n`, 'a transfer coding but chunked'),
  'another coding before chunked': refused(
    `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    'a transfer coding but chunked',
  ),
  'another coding behind chunked': refused(
    `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    'a transfer coding but chunked',
  ),
  'chunked twice': refused(
    `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a transfer coding but chunked',
  ),
  'chunked with a tab behind it': refused(
    `${post}Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`,
    'a transfer coding but chunked',
  ),
  'a vertical tab before chunked': refused(
    `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
    'an odd header value',
  ),
  'chunks and an upgrade': refused(
    `${get}${webSocket}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'chunks and an upgrade',
  ),
  'a WebSocket with a body': refused(`${get}${webSocket}Content-Length: 5\r\n\r\nhello`, 'no body'),
  'an Expect that nobody meets': refused(`${post}Expect: gold\r\nContent-Length: 5\r\n\r\nhello`, '417'),
  'an Expect that is empty': refused(`${get}Expect:\r\n\r\n`, '417'),
  '100-continue twice': refused(`${get}Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n`, '417'),

  'a chunk without a size': refused(chunked('\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size', 'POST /p '),
  'a size with a sign': refused(chunked('+2\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size', 'POST /p '),
  'a size in 0x': refused(chunked('0x2\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size', 'POST /p '),
  'a size with a blank': refused(chunked('2 \r\nhi\r\n0\r\n\r\n'), 'a chunk without a size', 'POST /p '),
  'a size beyond all': refused(chunked('ffffffffffffffff2\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size', 'POST /p '),
  'bare LF behind a size': refused(chunked('2\nhi\r\n0\r\n\r\n'), 'half its end', 'POST /p '),
  'bare LF in an extension': refused(chunked('2;a\n2\r\nhi\r\n0\r\n\r\n'), 'half its end', 'POST /p '),
  'a bare CR in an extension': refused(chunked('2;a\rb\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size', 'POST /p '),
  'a chunk that is longer than it says': refused(chunked('2\r\nhix\r\n0\r\n\r\n'), 'longer than it says', 'POST /p hi'),
  'bare LF behind a chunk': refused(chunked('2\r\nhi\n0\r\n\r\n'), 'half its end', 'POST /p hi'),
  'bare LF behind the last chunk': refused(chunked('2\r\nhi\r\n0\n\r\n'), 'half its end', 'POST /p hi'),
  'bare LF behind all chunks': refused(chunked('2\r\nhi\r\n0\r\n\n'), 'half its end', 'POST /p hi'),
  'a length in a trailer': refused(chunked('0\r\nContent-Length: 5\r\n\r\nhello'), 'an odd trailer', 'POST /p '),
  'a coding in a trailer': refused(chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'), 'an odd trailer', 'POST /p '),
  // llhttp closes behind it.
  'close in a trailer': refused(chunked('0\r\nConnection: close\r\n\r\n'), 'an odd trailer', 'POST /p '),
  'a NUL in a trailer': refused(chunked('0\r\nX: \0\r\n\r\n'), 'an odd trailer', 'POST /p '),
  'a folded trailer': refused(chunked('0\r\nX: a\r\n b\r\n\r\n'), 'an odd trailer', 'POST /p '),
  'trailers without end': refused(chunked(`0\r\n${'X: y\r\n'.repeat(3_000)}`), 'trailers without end', 'POST /p '),
}

const block = 'Host: a\r\nAccept: x/y\r\n\r\n'
const again = (title: string, line: string, second: string, ...gives: readonly string[]) =>
  [title, taken(`GET / HTTP/1.1\r\n${block}${line}\r\n${second}${next}`, 'GET / ', ...gives, 'GET /next ')] as const
const notAgain = (title: string, line: string, second: string, why: string, ...gives: readonly string[]) =>
  [title, refused(`GET / HTTP/1.1\r\n${block}${line}\r\n${second}`, why, 'GET / ', ...gives)] as const
const line = 'HEAD /b?c HTTP/1.1'

/** The headers of the first are remembered when the second comes. */
export const headsAgain: Readonly<Record<string, KnownRequest>> = Object.fromEntries([
  again('the same headers', line, block, 'HEAD /b?c '),
  again('the same headers twice', line, `${block}${line}\r\n${block}`, 'HEAD /b?c ', 'HEAD /b?c '),
  again('the same names in capitals', line, block.replace('Accept', 'ACCEPT'), 'HEAD /b?c '),
  again('the same name in small letters', line, block.replace('Accept', 'accept'), 'HEAD /b?c '),
  again('a value in capitals', line, block.replace('x/y', 'X/Y'), 'HEAD /b?c '),
  again('one byte is another', line, block.replace('x/y', 'x/z'), 'HEAD /b?c '),
  again('one byte less', line, block.replace('x/y', 'x/'), 'HEAD /b?c '),
  again('one byte more', line, block.replace('x/y', 'x/yy'), 'HEAD /b?c '),
  again('a blank more', line, block.replace(': x', ':  x'), 'HEAD /b?c '),
  again('another order', line, 'Accept: x/y\r\nHost: a\r\n\r\n', 'HEAD /b?c '),
  again('fewer headers', line, 'Host: a\r\n\r\n', 'HEAD /b?c '),
  again('the same, and one more', line, `${block.slice(0, -2)}X: y\r\n\r\n`, 'HEAD /b?c '),
  again('one more, and the same', line, `X: y\r\n${block}`, 'HEAD /b?c '),
  again('the same, and a body', line, `${block.slice(0, -2)}Content-Length: 5\r\n\r\nhello`, 'HEAD /b?c hello'),
  again('a body, and the same', line, `Content-Length: 5\r\n${block}hello`, 'HEAD /b?c hello'),
  again(
    'a body that is the same headers',
    line,
    `Content-Length: ${block.length}\r\n${block}${block}`,
    `HEAD /b?c ${block}`,
  ),
  again(
    'a body that is the whole again',
    line,
    `Content-Length: ${19 + block.length}\r\n${block}HEAD /in HTTP/1.1\r\n${block.slice(0, -1)}\n`,
    `HEAD /b?c HEAD /in HTTP/1.1\r\n${block}`,
  ),
  [
    'a WebSocket',
    taken(
      `GET / HTTP/1.1\r\n${block}GET /b HTTP/1.1\r\n${webSocket}${block}\x81\0${next}`,
      'GET / ',
      `GET /b \x81\0${next}`,
    ),
  ],
  notAgain('the same, behind HTTP/1.0', 'GET / HTTP/1.0', block, 'only HTTP/1.1'),
  notAgain('the same, behind HTTP/1.2', 'GET / HTTP/1.2', block, 'no version'),
  notAgain('the same, behind no version', 'GET /', block, 'an odd target'),
  notAgain('the same, behind a line that ends with LF', 'GET / HTTP/1.1\nX: y', block, 'no version'),
  notAgain('the same, behind a blank line', 'GET / HTTP/1.1\r\n', block, 'exactly one'),
  notAgain('the same, behind a folded line', 'GET / HTTP/1.1\r\n x', block, 'an odd header name'),
  notAgain('the same, behind a method that nobody knows', 'GOT / HTTP/1.1', block, 'no method'),
  notAgain('the same, behind a byte of no charset', 'GET /\xff HTTP/1.1', block, 'an odd target'),
  notAgain('the same, behind CONNECT', 'CONNECT a:1 HTTP/1.1', block, '405'),
  notAgain('the same, and their last byte is another', line, `${block.slice(0, -1)}X`, 'a bare CR'),
  notAgain('the same, and their last but one is another', line, `${block.slice(0, -2)}\n\n`, 'an odd header name'),
  notAgain('the same, and they go on', line, `${block.slice(0, -2)} x\r\n\r\n`, 'an odd header name'),
  notAgain('the same without their end', line, block.slice(0, -2), 'an odd header name'),
  notAgain('the same, and a bare LF for the end of one', line, block.replace('y\r\n', 'yy\n'), 'an odd header value'),
  notAgain('the same, and Host again', line, `${block.slice(0, -2)}Host: a\r\n\r\n`, 'exactly one'),
  notAgain('the same with another Host', 'GET http://a/ HTTP/1.1', block.replace('Host: a', 'Host: b'), 'another host'),
  notAgain('the same, behind the address of another host', 'GET http://b/ HTTP/1.1', block, 'another host'),
  notAgain(
    'the same again, and rubbish',
    line,
    `${block}${line}\r\n${block}\r\r`,
    'a bare CR',
    'HEAD /b?c ',
    'HEAD /b?c ',
  ),
])
