/**
 * Answers as servers write them, and then not quite: lines, framing and single bytes are changed by chance.
 *
 * The same seed gives the same answers. What a changed one is worth is judged by comparing, never here.
 */
import { oddCodings, oddLengths } from '../../attack/differential/mutations.ts'
import type { Random } from '../../attack/differential/random.ts'
import type { Given } from './reading.ts'

interface Draft {
  start: string
  lines: string[]
  body: string
}

export interface Written extends Given {
  readonly text: string
  /** Nothing was changed: whoever reads HTTP must read it. */
  readonly isPlain: boolean
}

const reasons = ['OK', '', 'Not Found', 'No Content', 'Sehr gut \xe4', 'I am\ta teapot']
const statuses = [200, 200, 200, 201, 204, 206, 304, 301, 400, 401, 404, 500, 503, 299, 599, 999]
const fields = [
  'Server: nginx/1.22.1',
  'Date: Sat, 28 Nov 2026 18:00:00 GMT',
  'Content-Type: application/dicom+json',
  'Set-Cookie: a=b; Path=/',
  'ETag: "abc"',
  'X-Empty:',
  'x-blanks:  \t two words \t ',
  'X-Bytes: \xe4\xf6\xfc\xff',
  'Keep-Alive: timeout=5, max=100',
  'Cache-Control: no-cache, private',
  "X_Odd!#$%&'*+-.^`|~: y",
]
const bodies = [
  '',
  'a',
  'hello',
  'x'.repeat(300),
  '\0\xff\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  '0\r\n\r\n',
]
const connections = ['close', 'keep-alive', 'Close', 'x, close', 'keep-alive, x', 'upgrade', 'close, keep-alive']

function chunked(body: string, random: Random): string {
  let text = ''
  for (let at = 0; at < body.length; ) {
    const size = 1 + random.below(random.oneIn(2) ? 4 : 200)
    const part = body.slice(at, at + size)
    const hex = part.length.toString(16)
    const extension = random.oneIn(8) ? random.pick([';a', ';a=b', ';a="b c"', ';a=b;c="\\""', ';a="\xe4"']) : ''
    text += `${random.oneIn(10) ? '00' : ''}${random.oneIn(2) ? hex : hex.toUpperCase()}${extension}\r\n${part}\r\n`
    at += size
  }
  const trailers = random.oneIn(6) ? random.pick(['X-T: a\r\n', 'X-T:\r\nY-T: b\r\n', 'Server-Timing: x\r\n']) : ''
  return `${text}0${random.oneIn(12) ? ';last' : ''}\r\n${trailers}\r\n`
}

function draftOf(random: Random): Draft {
  const isOld = random.oneIn(8)
  const status = random.pick(statuses)
  const lines = Array.from({ length: random.below(5) }, () => random.pick(fields))
  if (random.oneIn(4)) lines.push(`Connection: ${random.pick(connections)}`)
  const text = random.pick(bodies)
  const framing = random.below(isOld ? 2 : 3)
  const isSilent = status === 204 || status === 304
  if (framing === 1) lines.push(`Content-Length: ${text.length}`)
  if (framing === 2) lines.push('Transfer-Encoding: chunked')
  if (random.oneIn(2)) lines.push(random.pick(fields))
  return {
    start: `HTTP/1.${isOld ? 0 : 1} ${status} ${random.pick(reasons)}`,
    lines,
    body: isSilent ? '' : framing === 2 ? chunked(text, random) : text,
  }
}

type Change = (draft: Draft, random: Random) => void

const odd = [
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '"',
  '=',
  '\x0b',
  '\x7f',
  '\xff',
  '\xa0',
  '0',
  'g',
  '-',
  '\\',
  '(',
]
const replace = (list: string[], random: Random, change: (line: string) => string): void => {
  const at = random.below(Math.max(1, list.length))
  list[at] = change(list[at] ?? 'X: y')
}

const changes: readonly Change[] = [
  (draft, random) => {
    const version = random.pick([
      'HTTP/1.2',
      'HTTP/2.0',
      'HTTP/0.9',
      'HTTP/1.',
      'HTTP/11',
      'http/1.1',
      'ICY',
      'HTTP/1.1 ',
    ])
    draft.start = draft.start.replace(/^\S+/, version)
  },
  (draft, random) => {
    const status = random.pick([
      '20',
      '2000',
      '2x0',
      '099',
      '100',
      '101',
      '102',
      '199',
      '000',
      '-20',
      ' 200',
      '200',
      '',
    ])
    draft.start = draft.start.replace(/ \d+/, ` ${status}`)
  },
  (draft, random) => {
    draft.start = draft.start.replace(
      / [^ ]*$/,
      random.pick(['', ' ', '\t', ' \0', ' a\rb', ' a\nb', '\r\n X: y', ' \x7f']),
    )
  },
  (draft, random) => void draft.lines.push(`Content-Length: ${random.pick(oddLengths(String(draft.body.length)))}`),
  (draft, random) => void draft.lines.push(`Content-Length: ${draft.body.length + random.below(3) - 1}`),
  (draft, random) => void draft.lines.push(`Transfer-Encoding: ${random.pick(oddCodings)}`),
  (draft, random) => void draft.lines.push(`${random.pick(['Proxy-Connection', 'Upgrade', 'Connection'])}: close`),
  (draft, random) =>
    void draft.lines.unshift(random.pick([' X: y', '\tX: y', ': y', 'X', 'X Y: z', '', 'X: y\r\n folded'])),
  (draft, random) =>
    replace(draft.lines, random, line => line.replace(':', random.pick([' :', '\t:', '', '::', '\0:']))),
  (draft, random) =>
    replace(draft.lines, random, line => `${line}${random.pick([' ', '\t', '\r', '\0', '\n', '\x1b'])}`),
  (draft, random) => replace(draft.lines, random, line => line.toUpperCase()),
  (draft, random) => void draft.lines.push(...draft.lines.slice(random.below(draft.lines.length + 1))),
  draft => void draft.lines.reverse(),
  (draft, random) => {
    draft.body += random.pick([
      'x',
      '\r\n',
      'HTTP/1.1 200 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      '\0',
    ])
  },
  (draft, random) => {
    draft.body = draft.body.slice(0, random.below(draft.body.length + 1))
  },
  (draft, random) => {
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
    ]
    draft.body = draft.body.replace(/^[0-9a-fA-F]+(?=\r\n)/, random.pick(sizes))
  },
  (draft, random) => {
    const trailers = [
      'Content-Length: 5',
      'Transfer-Encoding: chunked',
      'X',
      'X : y',
      'X: \0',
      'X: a\rb',
      ' X: y',
      'X: y\n',
    ]
    draft.body = draft.body.replace(/0\r\n\r\n$/, `0\r\n${random.pick(trailers)}\r\n\r\n`)
  },
]

/** Single bytes, wherever they stand. */
function scratch(text: string, random: Random): string {
  const at = random.below(text.length + 1)
  const how = random.below(4)
  if (how === 0) return text.slice(0, at) + random.pick(odd) + text.slice(at)
  if (how === 1) return text.slice(0, at) + text.slice(at + 1 + random.below(2))
  if (how === 2) return text.slice(0, at) + random.pick(odd) + text.slice(at + 1)
  const ends = [...text.matchAll(/\r\n/g)].map(({ index }) => index)
  const end = ends.length === 0 ? 0 : random.pick(ends)
  return (
    text.slice(0, end) +
    random.pick(['\n', '\r', '\r\r\n', '\n\r', '\r\n ', '\r\n\t', '\r\n\r\n']) +
    text.slice(end + 2)
  )
}

function split(bytes: Buffer, random: Random): Buffer[] {
  if (random.oneIn(3)) return [bytes]
  const most = random.pick([1, 3, 20, 200])
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(most)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

export function writeResponse(random: Random): Written {
  const interim = random.oneIn(10)
    ? random.pick([
        'HTTP/1.1 100 Continue\r\n\r\n',
        'HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n',
        'HTTP/1.1 102 \r\n\r\n',
      ])
    : ''
  const draft = draftOf(random)
  const isPlain = random.oneIn(4)
  for (let count = isPlain ? 0 : random.below(3); count > 0; count--) random.pick(changes)(draft, random)
  let text = `${interim}${[draft.start, ...draft.lines].join('\r\n')}\r\n\r\n${draft.body}`
  if (!isPlain) for (let count = random.below(3); count > 0; count--) text = scratch(text, random)
  const method = random.oneIn(8) ? 'HEAD' : 'GET'
  return { text, isPlain, method, pieces: split(Buffer.from(text, 'latin1'), random) }
}
