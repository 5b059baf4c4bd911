// H12: a client that goes in the middle of its body leaves half a request on a connection to the upstream. That connection
// is closed and carries nobody else's request, wherever in the body it was, and whether the upstream had answered or not.
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type App, startApp, within } from '../behaviour/app.ts'
import type { RawTls } from '../fixture/raw-tls.ts'
import { block, data, endHeaders, frame, headers, preface, pseudo, reset, settings } from './raw-http2.ts'
import { head, openRaw, stillAnswers } from './raw-request.ts'

/** What would be read as the next request, were the connection used again: the rest of a body is for nobody. */
const rider = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'

const bodies: Readonly<Record<string, readonly [lines: readonly string[], body: string]>> = {
  'in the middle of a size': [['Transfer-Encoding: chunked'], '5\r\nhello\r\n1'],
  'before the first byte of a chunk': [['Transfer-Encoding: chunked'], '5\r\nhello\r\n40\r\n'],
  'in the middle of a chunk': [['Transfer-Encoding: chunked'], `40\r\n${rider}`],
  'between a chunk and its end': [['Transfer-Encoding: chunked'], '5\r\nhello'],
  'between two chunks': [['Transfer-Encoding: chunked'], '5\r\nhello\r\n'],
  'before the end of the last chunk': [['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n'],
  'in a trailer': [['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\nX-T: '],
  'in a body with a length': [['Content-Length: 100'], rider],
  'one byte before its length': [[`Content-Length: ${rider.length + 1}`], rider],
}

const leaves: Readonly<Record<string, (line: RawTls) => void>> = {
  'an end': line => line.end(),
  'a cut': line => line.close(),
  'no chunk': line => void line.socket.write('no chunk\r\n\r\n'),
}

/** The half request's connection is closed; the next person's request comes by another one, and whole. */
async function carriesNobodyElse(t: Test, { gateway, upstream }: App, from: number): Promise<void> {
  const half = upstream.received[from]
  t.equal(half?.complete, false, 'the upstream saw no end of it')
  const next = await gateway.ask('/next')
  t.equal(next.status, 200)
  const after = upstream.received.slice(from + 1)
  t.same(
    after.map(({ target }) => target),
    ['/next'],
  )
  t.not(after[0]?.connection, half?.connection, 'by another connection')
  t.ok(await within(1_000, () => upstream.openConnections <= 1), 'the first one is closed')
  t.same(upstream.malformed, [])
}

for (const answerAt of ['end', 'head'] as const) {
  const when = answerAt === 'head' ? 'behind an early answer' : 'before an answer'
  const app = await startApp(t, undefined, { answerAt })
  const { gateway, upstream } = app

  t.test(`H12: HTTP/1.1, ${when}`, async t => {
    for (const [where, [lines, body]] of Object.entries(bodies)) {
      for (const [how, leave] of Object.entries(leaves)) {
        if (answerAt === 'head' && !/middle of a chunk|between two|with a length/.test(where)) continue
        // Elsewhere it would be more of the body.
        if (how === 'no chunk' && !/size|between|last/.test(where)) continue
        await t.test(`${where}, with ${how}`, async t => {
          const from = upstream.received.length
          using line = await openRaw(gateway)
          await line.write(head(gateway, 'POST /half HTTP/1.1', lines) + body)
          t.ok(await within(2_000, () => upstream.received.length > from))
          await pause(10)
          leave(line)
          t.ok(await within(1_000, () => upstream.openConnections === 0), 'its connection is closed')
          await carriesNobodyElse(t, app, from)
        })
      }
    }
    await stillAnswers(t, gateway)
  })

  t.test(`H12: HTTP/2, ${when}`, async t => {
    for (const length of [undefined, 100]) {
      for (const how of ['a reset stream', 'the end of the connection'] as const) {
        await t.test(`${length === undefined ? 'without' : 'with'} a length, with ${how}`, async t => {
          const from = upstream.received.length
          const fields = pseudo(gateway, 'POST', '/half')
          if (length !== undefined) fields.push(['content-length', String(length)])
          using line = await openRaw(gateway, { alpn: ['h2'] })
          await line.write(
            Buffer.concat([
              Buffer.from(preface, 'latin1'),
              frame(settings, 0, 0, Buffer.alloc(0)),
              frame(headers, endHeaders, 1, block(fields)),
              frame(data, 0, 1, Buffer.from(rider)),
            ]),
          )
          t.ok(await within(2_000, () => upstream.received[from]?.bodyLength === rider.length))
          if (how === 'a reset stream') await line.write(frame(reset, 0, 1, Buffer.of(0, 0, 0, 8)))
          else line.close()
          t.ok(await within(1_000, () => upstream.openConnections === 0), 'its connection is closed')
          await carriesNobodyElse(t, app, from)
        })
      }
    }
    await stillAnswers(t, gateway)
  })
}
