/**
 * What makes a valid request doubtful: to its lines, to its framing, to its target, to single bytes.
 *
 * A mutation need not make it invalid. What a request is worth afterwards is judged by reading.ts, from the bytes.
 */
import type { Aim, Draft } from './grammar.ts'
import { smuggled, writeDraft } from './grammar.ts'
import { add, at, type Change, edit, headChanges, without } from './head-mutations.ts'
import type { Random } from './random.ts'

const lengthOf = ({ body }: Draft): string => String(body.length)

export const oddLengths = (length: string): string[] => [
  ...[`+${length}`, `-${length}`, `${length} `, ` ${length}`, `${length}, ${length}`, `${length},0`, `0${length}`],
  ...[`0x${length}`, `${length};`, `${length}\t`, `${length}.0`, `${length}e0`, '', ' ', '0', 'five', `${length}_0`],
  ...[`${length}\0`, `${length} 0`, '9007199254740993', '18446744073709551617', `${Number(length) + 1}`, `"${length}"`],
  ...[`${Math.max(Number(length) - 1, 0)}`, `\x0b${length}`, `${length}\xa0`],
]

export const oddCodings = [
  ...['chunked, identity', 'identity, chunked', 'identity', 'xchunked', 'chunkedx', 'chunked\x0b', '\x0bchunked'],
  ...['chunked, chunked', 'gzip, chunked', 'chunked;q=1', '"chunked"', 'chunked,', ',chunked', '', 'chunk', 'cow'],
  ...['chunked\0', 'chunked\xa0', 'chunked \t', '\tchunked', 'trailers', 'chunked\r\n ', '\r\n chunked'],
]

const names = ['Transfer-Encoding', 'Content-Length']
const spellings = (name: string): string[] => [
  ...[name.toLowerCase(), name.toUpperCase(), name.replace('-', '_'), `${name} `, ` ${name}`, `\t${name}`],
  ...[`${name}\t`, `${name}\0`, `${name}\x0b`, `X\r${name}`, `X\n${name}`, name.replace('-', ''), `${name}\r\n `],
]

const sizes = [
  '+5',
  '-5',
  '0x5',
  '5 ',
  ' 5',
  '5\t',
  '5;',
  '5;\n',
  '5\n',
  '5\r',
  '05',
  '5_',
  '',
  'g',
  '10000000000000005',
]

/** Lines: their number, their order, their ends, their names. */
const lineChanges: readonly Change[] = [
  (draft, random) => add(draft, random, draft.lines[at(random, draft)] ?? ''),
  (draft, random) => void draft.lines.splice(at(random, draft), 1),
  (draft, random) => void draft.lines.push(...draft.lines.splice(at(random, draft), 1)),
  (draft, random) =>
    edit(draft, random, line => line.replace(': ', `:${random.pick(['\r\n ', '\r\n\t', ' \r\n\r\n'])}`)),
  (draft, random) => edit(draft, random, line => line.replace(':', random.pick([' :', '\t:', '', '::', '\0:', ';']))),
  (draft, random) =>
    edit(draft, random, line => `${random.pick([' ', '\t', '\0', ':', '\x0b', '\xef\xbb\xbf'])}${line}`),
  (draft, random) =>
    edit(draft, random, line => `${line}${random.pick([' ', '\0', '\r', '\n', '\x7f', '\x01', '\x0c'])}`),
  (draft, random) => edit(draft, random, line => line.replace('-', '_')),
  (draft, random) => edit(draft, random, line => (random.oneIn(2) ? line.toUpperCase() : line.toLowerCase())),
  (draft, random) =>
    add(draft, random, random.pick(['no colon', ': no name', 'a b: c', '', ' folded', '(a): b', 'é: b'])),
  (draft, random) =>
    add(draft, random, random.pick(['__proto__: x', 'X-Many: y\r\n'.repeat(260), `X-Long: ${'l'.repeat(70_000)}`])),
  (draft, random) => {
    const [first, second] = [draft.lines[at(random, draft)] ?? '', draft.lines[at(random, draft)] ?? '']
    add(draft, random, `${first}${random.pick(['\n', '\r', '\n\r', '\x0b', '\x85', '\0\r\n', '\r\r\n'])}${second}`)
  },
]

/** Where the body ends. */
const framingChanges: readonly Change[] = [
  (draft, random) => add(draft, random, `Content-Length: ${random.pick(oddLengths(lengthOf(draft)))}`),
  (draft, random) => {
    without(draft, /^content-length/i)
    add(draft, random, `Content-Length: ${random.pick(oddLengths(lengthOf(draft)))}`)
  },
  (draft, random) => add(draft, random, `Transfer-Encoding: ${random.pick(['chunked', ...oddCodings])}`),
  (draft, random) => {
    without(draft, /^transfer-encoding/i)
    add(draft, random, `Transfer-Encoding: ${random.pick(oddCodings)}`)
  },
  (draft, random) => {
    const name = random.pick(names)
    const value = name === 'Content-Length' ? lengthOf(draft) : 'chunked'
    add(draft, random, `${random.pick(spellings(name))}: ${value}`)
  },
  (draft, random) => {
    draft.body = draft.body.replace(/[0-9a-f]+(?=[\r;])/i, random.pick(sizes))
  },
  (draft, random) => {
    const ends = [...draft.body.matchAll(/\r\n/g)].map(({ index }) => index)
    if (ends.length === 0) return
    const end = random.pick(ends)
    const other = random.pick(['\n', '\r', '\n\n', '\r\r\n', '', 'XX', '\n\r', ' \r\n', '\0\r\n'])
    draft.body = `${draft.body.slice(0, end)}${other}${draft.body.slice(end + 2)}`
  },
  (draft, _random, aim, marker) => {
    draft.body += smuggled(marker, aim)
  },
  (draft, random) => {
    draft.body = draft.body.slice(0, random.below(draft.body.length + 1))
  },
]

/** Single bytes, in the whole of what is sent. */
function changeBytes(text: string, random: Random): string {
  // Mostly where framing is decided: around line ends.
  const ends = [...text.matchAll(/[\r\n:]/g)].map(({ index }) => index)
  const place = ends.length > 0 && !random.oneIn(3) ? random.pick(ends) : random.below(text.length)
  const char = random.pick(['\0', '\r', '\n', '\r\n', ' ', '\t', ':', '\x0b', '\xff', '0', ';', ',', '\x85', '_', '%'])
  switch (random.below(5)) {
    case 0:
      return text.slice(0, place) + char + text.slice(place)
    case 1:
      return text.slice(0, place) + text.slice(place + 1)
    case 2:
      return text.slice(0, place) + char + text.slice(place + 1)
    case 3: {
      const span = text.slice(place, place + 1 + random.below(40))
      return text.slice(0, place) + span + text.slice(place)
    }
    default:
      return (
        text.slice(0, place) +
        String.fromCharCode(text.charCodeAt(place) ^ (1 << random.below(8))) +
        text.slice(place + 1)
      )
  }
}

/** The bytes of a request after no, one or several changes. */
export function mutated(draft: Draft, random: Random, aim: Aim, marker: string): string {
  if (random.oneIn(2)) return writeDraft(draft)
  for (let changes = 1 + (random.oneIn(3) ? random.below(3) : 0); changes > 0; changes--)
    random.pick(random.pick([lineChanges, framingChanges, framingChanges, headChanges]))(draft, random, aim, marker)
  let text = writeDraft(draft)
  if (random.oneIn(4)) for (let changes = 1 + random.below(2); changes > 0; changes--) text = changeBytes(text, random)
  return text
}
