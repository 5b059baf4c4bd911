// H01, H02, H03: a body whose length two servers could read differently reaches nobody. Source: RFC 9112 6.1, 6.3.
import t from 'tap'
import { startApp } from '../behaviour/app.ts'
import { head, statuses, talk } from './raw-request.ts'
import { arrived, refusedWhole } from './refused-whole.ts'

const app = await startApp(t)
const { gateway, upstream } = app
const post = (lines: readonly string[], body: string) => head(gateway, 'POST /thing HTTP/1.1', lines) + body

const chunks = '5\r\nhello\r\n0\r\n\r\n'
const coding = 'Transfer-Encoding: chunked'

t.test('H01: a length and chunks at once are no request', async t => {
  await refusedWhole(t, app, {
    'the length first': post(['Content-Length: 5', coding], chunks),
    'the chunks first': post([coding, 'Content-Length: 5'], chunks),
    'a length that covers the chunks': post([`Content-Length: ${chunks.length}`, coding], chunks),
    'no length to speak of': post(['Content-Length: 0', coding], chunks),
    'other capitals': post(['CONTENT-LENGTH: 5', 'tRANSFER-eNCODING: CHUNKED'], chunks),
  })
})

t.test('H02: any coding but chunked alone is no request (CVE-2022-32213, CVE-2022-32215, CVE-2022-35256)', async t => {
  await refusedWhole(t, app, {
    'chunked, identity': post(['Transfer-Encoding: chunked, identity'], chunks),
    'identity, chunked': post(['Transfer-Encoding: identity, chunked'], chunks),
    'gzip, chunked': post(['Transfer-Encoding: gzip, chunked'], chunks),
    'chunked, chunked': post(['Transfer-Encoding: chunked, chunked'], chunks),
    'a comma before it': post(['Transfer-Encoding: ,chunked'], chunks),
    'a comma behind it': post(['Transfer-Encoding: chunked,'], chunks),
    'a parameter': post(['Transfer-Encoding: chunked;q=1'], chunks),
    quotes: post(['Transfer-Encoding: "chunked"'], chunks),
    xchunked: post(['Transfer-Encoding: xchunked'], chunks),
    chunkedx: post(['Transfer-Encoding: chunkedx'], chunks),
    identity: post(['Transfer-Encoding: identity', 'Content-Length: 5'], 'hello'),
    'identity alone': post(['Transfer-Encoding: identity'], ''),
    'nothing at all': post(['Transfer-Encoding:'], chunks),
    'a vertical tab': post(['Transfer-Encoding: chunked\x0b'], chunks),
    'a vertical tab before it': post(['Transfer-Encoding: \x0bchunked'], chunks),
    'a form feed': post(['Transfer-Encoding: chunked\x0c'], chunks),
    'a NUL': post(['Transfer-Encoding: chunked\0'], chunks),
    'a hard blank': post(['Transfer-Encoding: chunked\xa0'], chunks),
    'a bare CR': post(['Transfer-Encoding: chunked\r'], chunks),
    'two headers': post([coding, coding], chunks),
    'two headers, one strange': post([coding, 'Transfer-Encoding: identity'], chunks),
    'two headers, the strange first': post(['Transfer-Encoding: x', coding], chunks),
  })
})

t.test('H02: a coding that stands in a folded line, or behind a blank, is no request (CVE-2022-32214)', async t => {
  await refusedWhole(t, app, {
    'a folded value': post(['Transfer-Encoding:\r\n chunked'], chunks),
    'a folded value behind a tab': post(['Transfer-Encoding:\r\n\tchunked'], chunks),
    'a fold behind chunked': post(['Transfer-Encoding: chunked\r\n , identity'], chunks),
    'a fold behind chunked, and a length': post(['Transfer-Encoding: chunked\r\n x', 'Content-Length: 5'], 'hello'),
    'a blank before the colon': post(['Transfer-Encoding : chunked'], chunks),
    'a tab before the colon': post(['Transfer-Encoding\t: chunked'], chunks),
    'a vertical tab before the colon': post(['Transfer-Encoding\x0b: chunked'], chunks),
    'no colon': post(['Transfer-Encoding chunked'], chunks),
    'the first line, indented': `POST /thing HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: localhost:${gateway.port}\r\n\r\n${chunks}`,
  })
})

t.test('H03: two lengths, or one that is no plain number, are no request (CVE-2024-27982, CVE-2026-1525)', async t => {
  const values = [
    '+5',
    '-5',
    '0x5',
    '5,5',
    '5, 5',
    '5;x',
    '5.0',
    '5e0',
    '"5"',
    '5 5',
    '5\x0b',
    '\x0b5',
    '5\0',
    '\xb2',
    '',
  ]
  await refusedWhole(t, app, {
    'two that are equal': post(['Content-Length: 5', 'Content-Length: 5'], 'hello'),
    'two that differ': post(['Content-Length: 5', 'Content-Length: 0'], 'hello'),
    'two that differ, the small one first': post(['Content-Length: 0', 'content-length: 5'], 'hello'),
    ...Object.fromEntries(values.map(value => [JSON.stringify(value), post([`Content-Length: ${value}`], 'hello')])),
    'more than fits into 64 bits': post(['Content-Length: 18446744073709551621'], 'hello'),
    'more than a number holds': post(['Content-Length: 9007199254740993'], 'hello'),
    'a folded value': post(['Content-Length:\r\n 5'], 'hello'),
    'a folded second value': post(['Content-Length: 5\r\n 5'], 'hello'),
    'a folded end': post(['Content-Length: 5\r\n '], 'hello'),
    'a blank before the colon': post(['Content-Length : 5'], 'hello'),
    'the first line, indented': `POST /thing HTTP/1.1\r\n Content-Length: 5\r\nHost: localhost:${gateway.port}\r\n\r\nhello`,
  })
})

t.test(
  'H03: an indented line is more of the line before: whoever reads it so finds no body, and gets none',
  async t => {
    for (const line of [' Content-Length: 37', '\tContent-Length: 37', ' Transfer-Encoding: chunked']) {
      const from = upstream.received.length
      const bytes = post(['X-Before: a', line], 'GET /smuggled HTTP/1.1\r\nHost: other\r\n\r\n')
      const { text } = await talk(gateway, bytes, { timeout: 1_000 })
      t.ok(
        statuses(text).every(status => status !== 500),
        String(statuses(text)),
      )
      for (const request of upstream.received.slice(from))
        t.notMatch(request.rawHead, /^\s+\S/m, 'nothing folded arrived')
      t.same(upstream.malformed, [])
      t.comment(statuses(text), arrived(upstream, from))
    }
  },
)

t.test('blanks around a length are none of it, and zeros before it change nothing', async t => {
  for (const value of ['5', '  5', '5  ', '\t5\t', '005']) {
    const from = upstream.received.length
    const { text } = await talk(gateway, post([`Content-Length:${value}`], 'hello'), { until: 'upstream"}' })
    t.same(statuses(text), [200], JSON.stringify(value))
    t.same(arrived(upstream, from), ['POST /thing'])
    t.match(upstream.received.at(-1), { framing: 'length', complete: true })
    t.equal(upstream.received.at(-1)?.body.toString(), 'hello')
  }
  t.same(upstream.malformed, [])
})
