// H01, H07: behind a request that could not be understood, or behind the last one, nothing is read any more: where the
// next request begins is not certain. Source: RFC 9112 6.3, 9.6; RFC 9110 10.1.1.
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { head, openRaw, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'
import { arrived } from './refused-whole.ts'

const app = await startApp(t)
const { gateway, upstream } = app
const behind = [
  head(gateway, 'GET /behind HTTP/1.1'),
  head(gateway, 'GET /behind HTTP/1.1', webSocketLines),
  head(gateway, 'POST /behind HTTP/1.1', ['Expect: nothing', 'Content-Length: 0']),
]
const refused: Readonly<Record<string, { bytes: string; status: number }>> = {
  'no host at all': { bytes: 'GET /x HTTP/1.1\r\n\r\n', status: 400 },
  'a host that is none': { bytes: head(gateway, 'GET /x HTTP/1.1', ['Host: a b']), status: 400 },
  'HTTP/1.0 that wants to stay': { bytes: head(gateway, 'GET /x HTTP/1.0', ['Connection: keep-alive']), status: 400 },
  'a target for somebody else': { bytes: head(gateway, 'GET http://evil.example/x HTTP/1.1'), status: 400 },
  'a coding that is not ours': {
    bytes: `${head(gateway, 'POST /x HTTP/1.1', ['Transfer-Encoding: gzip, chunked'])}0\r\n\r\n`,
    status: 400,
  },
  'an expectation that nobody meets': {
    bytes: `${head(gateway, 'POST /x HTTP/1.1', ['Expect: garbage', 'Content-Length: 5'])}hello`,
    status: 417,
  },
  'an expectation that nobody meets, in chunks': {
    bytes: `${head(gateway, 'POST /x HTTP/1.1', ['Expect: x', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
    status: 417,
  },
}

for (const [title, { bytes, status }] of Object.entries(refused)) {
  t.test(`H07: behind ${title} comes nothing more`, async t => {
    const from = upstream.received.length
    for (const follower of behind) {
      for (const late of [false, true]) {
        using line = await openRaw(gateway)
        await line.write(late ? bytes : bytes + follower)
        if (late) await line.write(follower).catch(() => undefined)
        const { text, ended } = await line.read({ timeout: 6_000 })
        t.same(statuses(text), [status], 'one answer')
        t.match(text.toLowerCase(), 'connection: close')
        t.match(ended, /end|error/, 'the connection is closed')
      }
    }
    await stillAnswers(t, gateway)
    t.same(arrived(upstream, from), [], 'nothing arrived')
  })
}

t.test('H07: a request behind `Connection: close` is none', async t => {
  for (const late of [false, true]) {
    const from = upstream.received.length
    using line = await openRaw(gateway)
    const last = head(gateway, 'GET /last HTTP/1.1', ['Connection: close'])
    await line.write(late ? last : last + behind[0])
    const first = await line.read({ until: 'upstream"}' })
    if (late) await line.write(behind[0] ?? '').catch(() => undefined)
    const { ended } = first.ended === 'until' ? await line.read() : first
    t.match(ended, /end|error/, 'the connection is closed')
    await stillAnswers(t, gateway)
    t.same(
      arrived(upstream, from).filter(request => request !== 'GET /last'),
      [],
    )
    if (late) t.same(arrived(upstream, from), ['GET /last'])
  }
})

t.test('H07: behind a body that came unasked with an expectation, and is refused, comes nothing more', async t => {
  const from = upstream.received.length
  for (const follower of behind) {
    using line = await openRaw(gateway)
    const lines = ['Expect: 100-continue', 'Content-Length: 5']
    await line.write(`${head(gateway, 'POST /x. HTTP/1.1', lines)}hello${follower}`)
    const { text, ended } = await line.read({ timeout: 6_000 })
    t.same(statuses(text), [400], 'one answer')
    t.match(text.toLowerCase(), 'connection: close')
    t.match(ended, /end|error/, 'the connection is closed')
  }
  await stillAnswers(t, gateway)
  t.same(arrived(upstream, from), [], 'nothing arrived')
})

t.test('H07: an expectation is met by us, and goes no further', async t => {
  for (const lines of [['Content-Length: 5'], ['Transfer-Encoding: chunked']]) {
    const from = upstream.received.length
    using line = await openRaw(gateway)
    await line.write(head(gateway, 'POST /thing HTTP/1.1', ['Expect: 100-continue', ...lines]))
    t.same(statuses((await line.read({ until: '\r\n\r\n' })).text), [100])
    await line.write(lines[0]?.startsWith('C') ? 'hello' : '5\r\nhello\r\n0\r\n\r\n')
    t.same(statuses((await line.read({ until: 'upstream"}' })).text), [200])
    t.same(arrived(upstream, from), ['POST /thing'])
    t.equal(upstream.received.at(-1)?.body.toString(), 'hello')
    t.equal(upstream.received.at(-1)?.header('expect'), undefined)
  }
})

for (const method of ['GET', 'HEAD']) {
  t.test(`H07: a ${method} with a body is one request, and the body stays one`, async t => {
    const body = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    for (const [coding, bytes] of [
      [`Content-Length: ${body.length}`, body],
      ['Transfer-Encoding: chunked', chunk],
    ] as const) {
      const from = upstream.received.length
      const request = head(gateway, `${method} /thing HTTP/1.1`, [coding]) + bytes
      const next = head(gateway, 'GET /next HTTP/1.1')
      const { text } = await talk(gateway, request + next, {
        until: method === 'GET' ? /(upstream"}.*){2}/s : 'upstream"}',
      })
      t.same(statuses(text), [200, 200])
      t.same(arrived(upstream, from).toSorted(), ['GET /next', `${method} /thing`])
      const thing = upstream.received.slice(from).find(({ target }) => target === '/thing')
      t.equal(thing?.body.toString(), body)
      t.ok(thing?.complete)
      t.same(upstream.malformed, [])
    }
  })
}

t.test('H07: a body of which only the head comes keeps nobody waiting but itself', async t => {
  const from = upstream.received.length
  using line = await openRaw(gateway)
  await line.write(head(gateway, 'GET /thing HTTP/1.1', ['Content-Length: 100']))
  await stillAnswers(t, gateway)
  t.same(statuses((await line.read({ timeout: 200 })).text), [])
  line.close()
  t.notOk(upstream.received.slice(from).some(({ complete }) => complete))
  t.ok(await within(1_000, () => app.upstream.openConnections === 0 || upstream.received.at(-1)?.complete !== false))
})
