/**
 * Answers that were a hole somewhere, and what we make of them: taken as they are, or refused with these words.
 *
 * Source: RFC 9112 2.2, 4, 5, 6, 7; CVE-2022-32213 to 32215, CVE-2023-30589, CVE-2024-27982 (Node), CVE-2019-16789 (waitress),
 * CVE-2025-22870, CVE-2026-48931 (an answer for the next request).
 */
export interface KnownResponse {
  readonly text: string
  readonly method?: 'HEAD'
  /** Status and body, or why it is refused. */
  readonly gives: readonly [status: number, body: string] | string
  /** The connection carries the next request. */
  readonly kept?: boolean
}

const ok = 'HTTP/1.1 200 OK\r\n'
const end = 'Content-Length: 2\r\n\r\nhi'
const chunks = 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n'
const chunked = (body: string) => `${ok}Transfer-Encoding: chunked\r\n\r\n${body}`
const taken = (text: string, kept: boolean, body = 'hi', status = 200): KnownResponse => ({
  text,
  gives: [status, body],
  kept,
})
const refused = (text: string, gives: string): KnownResponse => ({ text, gives })

export const knownResponses: Readonly<Record<string, KnownResponse>> = {
  'a length': taken(`${ok}${end}`, true),
  'a length of nothing': taken(`${ok}Content-Length: 0\r\n\r\n`, true, ''),
  'no headers at all': taken('HTTP/1.1 200 OK\r\n\r\nhi', false),
  'no reason': taken(`HTTP/1.1 200 \r\n${end}`, true),
  'neither reason nor blank': taken(`HTTP/1.1 200\r\n${end}`, true),
  'bytes of no charset': taken(`HTTP/1.1 200 \xff\xfe\r\nX: \xe4\r\n${end}`, true),
  'blanks around a value': taken(`${ok}X: \t y \t \r\n${end}`, true),
  chunks: taken(`${ok}${chunks}`, true),
  'chunks with extensions': taken(chunked('2;a;b=c;d="e\\"f"\r\nhi\r\n0;x\r\n\r\n'), true),
  'a trailer': taken(chunked('2\r\nhi\r\n0\r\nX-Sum: 5\r\n\r\n'), true),
  'until the end': taken(`${ok}Connection: close\r\n\r\nhi`, false),
  'HTTP/1.0': taken(`HTTP/1.0 200 OK\r\n${end}`, false),
  'HTTP/1.0 that stays': taken(`HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n${end}`, true),
  'close among others': taken(`${ok}Connection: x, CLOSE\r\n${end}`, false),
  'close by another name': taken(`${ok}Proxy-Connection: close\r\n${end}`, false),
  'an interim answer before it': taken(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok}${end}`, true),
  '100 that nobody asked for': taken(`HTTP/1.1 100 Continue\r\n\r\n${ok}${end}`, true),
  '204': taken('HTTP/1.1 204 No Content\r\n\r\n', true, '', 204),
  '304 with the length of another answer': taken(
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
    false,
    '',
    304,
  ),
  'HEAD with a length': { text: `${ok}Content-Length: 2\r\n\r\n`, method: 'HEAD', gives: [200, ''], kept: false },
  'more than its length': taken(`${ok}${end}more`, false),
  'a second answer': taken(`${ok}${end}${ok}${end}`, false),
  'a second answer behind 204': taken(`HTTP/1.1 204 No Content\r\n\r\n${ok}${end}`, false, '', 204),
  'an empty line behind it': taken(`${ok}${end}\r\n`, false),

  'an empty line before it': refused(`\r\n${ok}${end}`, 'no status line'),
  'HTTP/0.9': refused('hi', 'no status line'),
  'HTTP/2': refused(`HTTP/2.0 200 OK\r\n${end}`, 'no status line'),
  'HTTP/1.2': refused(`HTTP/1.2 200 OK\r\n${end}`, 'no status line'),
  'small letters': refused(`http/1.1 200 OK\r\n${end}`, 'no status line'),
  'two blanks before the status': refused(`HTTP/1.1  200 OK\r\n${end}`, 'no status'),
  'a status of two digits': refused(`HTTP/1.1 20 OK\r\n${end}`, 'no status'),
  'a status of four digits': refused(`HTTP/1.1 2000 OK\r\n${end}`, 'an odd status line'),
  'a status below all': refused(`HTTP/1.1 099 OK\r\n${end}`, 'a status below 100'),
  'a NUL in the reason': refused(`HTTP/1.1 200 O\0K\r\n${end}`, 'an odd status line'),
  'another protocol': refused(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    'another protocol',
  ),
  'an interim answer that closes': refused(
    `HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n${ok}${end}`,
    'an interim answer that is the last one',
  ),
  'an interim answer of HTTP/1.0': refused(
    `HTTP/1.0 103 Early Hints\r\n\r\n${ok}${end}`,
    'an interim answer that is the last one',
  ),
  'an interim answer whose body is an answer': refused(
    `HTTP/1.1 103 \r\nContent-Length: 38\r\n\r\n${ok}Content-Length: 0\r\n\r\n`,
    'an interim answer with a body',
  ),
  'interim answers without end': refused('HTTP/1.1 103 \r\n\r\n'.repeat(101) + ok + end, 'interim answers without end'),

  'a folded line': refused(`${ok}X: a\r\n b\r\n${end}`, 'an odd header name'),
  'a folded line at the start': refused(`${ok} X: a\r\n${end}`, 'an odd header name'),
  'a blank before the colon': refused(`${ok}Content-Length : 2\r\n\r\nhi`, 'an odd header name'),
  'no name': refused(`${ok}: a\r\n${end}`, 'an odd header name'),
  'no colon': refused(`${ok}nonsense\r\n${end}`, 'an odd header name'),
  'a name of other bytes': refused(`${ok}X\xe4: a\r\n${end}`, 'an odd header name'),
  'bare LF behind the status': refused(`HTTP/1.1 200 OK\n${end}`, 'an odd status line'),
  'bare LF behind a header': refused(`${ok}X: a\n${end}`, 'an odd header value'),
  'bare LF at the end of the head': refused(`${ok}Content-Length: 2\r\n\nhi\r\n\r\n`, 'an odd header name'),
  'bare CR in a value': refused(`${ok}X: a\rContent-Length: 0\r\n${end}`, 'an odd header value'),
  'bare CR for an empty line': refused(`${ok}${end.slice(0, 17)}\r\n\rX\r\n\r\n`, 'a bare CR'),
  'a NUL in a value': refused(`${ok}X: a\0\r\n${end}`, 'an odd header value'),
  'a DEL in a value': refused(`${ok}X: a\x7f\r\n${end}`, 'an odd header value'),
  'a head that is too large': refused(`${ok}X: ${'y'.repeat(70_000)}\r\n${end}`, 'a head that is too large'),

  'two lengths': refused(`${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi`, 'two lengths'),
  'the same length twice': refused(`${ok}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`, 'two lengths'),
  'a list of lengths': refused(`${ok}Content-Length: 2, 2\r\n\r\nhi`, 'a length that is none'),
  'a length with a sign': refused(`${ok}Content-Length: +2\r\n\r\nhi`, 'a length that is none'),
  'a negative length': refused(`${ok}Content-Length: -2\r\n\r\nhi`, 'a length that is none'),
  'a length in hex': refused(`${ok}Content-Length: 0x2\r\n\r\nhi`, 'a length that is none'),
  'an empty length': refused(`${ok}Content-Length: \r\n\r\nhi`, 'a length that is none'),
  'a length beyond all': refused(`${ok}Content-Length: 18446744073709551618\r\n\r\nhi`, 'a length that is none'),
  'length and chunks': refused(`${ok}Content-Length: 2\r\n${chunks}`, 'a length and a transfer coding'),
  'chunks and length': refused(
    `${ok}${chunks.replace('\r\n', '\r\nContent-Length: 2\r\n')}`,
    'a length and a transfer coding',
  ),
  'another coding': refused(`${ok}Transfer-Encoding: gzip\r\n\r\nhi`, 'a transfer coding but chunked'),
  'another coding before chunked': refused(
    `${ok}${chunks.replace('chunked', 'gzip, chunked')}`,
    'a transfer coding but chunked',
  ),
  identity: refused(`${ok}Transfer-Encoding: identity\r\n${end}`, 'a transfer coding but chunked'),
  'chunked twice': refused(`${ok}Transfer-Encoding: chunked\r\n${chunks}`, 'a transfer coding but chunked'),
  'a tab behind chunked': refused(`${ok}${chunks.replace('chunked', 'chunked\t')}`, 'a transfer coding but chunked'),
  'chunks in HTTP/1.0': refused(`HTTP/1.0 200 OK\r\n${chunks}`, 'a transfer coding in HTTP/1.0'),
  'less than its length': refused(`${ok}Content-Length: 3\r\n\r\nhi`, 'closed'),
  'no end of the head': refused(`${ok}Content-Length: 2\r\n`, 'closed'),

  'a size with a sign': refused(chunked('+2\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size'),
  'a size with 0x': refused(chunked('0x2\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size'),
  'a blank behind a size': refused(chunked('2 \r\nhi\r\n0\r\n\r\n'), 'a chunk without a size'),
  'an empty size': refused(chunked('\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size'),
  'a size that wraps around': refused(chunked('10000000000000002\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size'),
  'bare LF behind a size': refused(chunked('2\nhi\r\n0\r\n\r\n'), 'half its end'),
  'bare LF behind a chunk': refused(chunked('2\r\nhi\n0\r\n\r\n'), 'half its end'),
  'bare LF in an extension': refused(chunked('2;a="\n"\r\nhi\r\n0\r\n\r\n'), 'half its end'),
  'bare CR in an extension': refused(chunked('2;a=\rb\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size'),
  'a blank in an extension': refused(chunked('2; a=b\r\nhi\r\n0\r\n\r\n'), 'a chunk without a size'),
  'an extension without end': refused(chunked(`2;${'a'.repeat(5_000)}`), 'a line that is too long'),
  'a chunk that is longer than it says': refused(chunked('1\r\nhi\r\n0\r\n\r\n'), 'a chunk that is longer'),
  'a chunk that is shorter than it says': refused(chunked('3\r\nhi\r\n0\r\n\r\n'), 'half its end'),
  'no last chunk': refused(chunked('2\r\nhi\r\n'), 'closed'),
  'no end behind the last chunk': refused(chunked('2\r\nhi\r\n0\r\n'), 'closed'),
  'a length in a trailer': refused(chunked('2\r\nhi\r\n0\r\nContent-Length: 2\r\n\r\n'), 'an odd trailer'),
  'a coding in a trailer': refused(chunked('2\r\nhi\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'), 'an odd trailer'),
  'a NUL in a trailer': refused(chunked('2\r\nhi\r\n0\r\nX: \0\r\n\r\n'), 'an odd trailer'),
  'trailers without end': refused(chunked(`2\r\nhi\r\n0\r\n${'X: y\r\n'.repeat(3_000)}`), 'trailers without end'),
}
