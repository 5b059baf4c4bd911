// H05: chunks that are not exactly chunks end the request; the upstream never sees an end of it.
import t, { type Test } from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { head, openRaw, statuses, stillAnswers, talk, valuesOf } from './raw-request.ts'

const app = await startApp(t)
const { gateway, upstream } = app
const start = head(gateway, 'POST /thing HTTP/1.1', ['Transfer-Encoding: chunked'])
const follower = head(gateway, 'GET /behind HTTP/1.1')

/** Nothing whole arrived, and nothing but the one request; the connection is over. */
async function noWholeRequest(t: Test, titled: Readonly<Record<string, string>>): Promise<void> {
  for (const [title, body] of Object.entries(titled)) {
    const from = upstream.received.length
    using line = await openRaw(gateway)
    await line.write(start)
    await line.write(body + follower).catch(() => undefined)
    const { text, ended } = await line.read({ timeout: 3_000 })
    t.match(ended, /end|error/, `${title}: the connection is closed`)
    t.ok(
      statuses(text).every(status => status === 400),
      `${title}: ${statuses(text)}`,
    )
    const since = upstream.received.slice(from)
    t.ok(since.length <= 1 && since.every(({ target, complete }) => target === '/thing' && !complete), title)
    t.ok(await within(1_000, () => upstream.openConnections <= 1), `${title}: its connection is not kept`)
  }
  await stillAnswers(t, gateway)
  t.equal((await gateway.ask('/after')).status, 200)
  t.match(upstream.received.at(-1), { target: '/after', complete: true })
  t.same(upstream.malformed, [])
}

t.test('H05: a size that is no plain number is no chunk', async t => {
  await noWholeRequest(t, {
    'more than 64 bits': `${'f'.repeat(16)}5\r\nhello\r\n0\r\n\r\n`,
    'a size that wraps around': `1${'0'.repeat(15)}05\r\nhello\r\n0\r\n\r\n`,
    negative: '-5\r\nhello\r\n0\r\n\r\n',
    'with a sign': '+5\r\nhello\r\n0\r\n\r\n',
    'with 0x': '0x5\r\nhello\r\n0\r\n\r\n',
    'no hex digit': '5g\r\nhello\r\n0\r\n\r\n',
    'a blank before it': ' 5\r\nhello\r\n0\r\n\r\n',
    'a blank behind it': '5 \r\nhello\r\n0\r\n\r\n',
    'a tab behind it': '5\t\r\nhello\r\n0\r\n\r\n',
    'an underscore in it': '0_5\r\nhello\r\n0\r\n\r\n',
    nothing: '\r\nhello\r\n0\r\n\r\n',
    'an extension alone': ';a=b\r\nhello\r\n0\r\n\r\n',
    'a NUL': '5\0\r\nhello\r\n0\r\n\r\n',
  })
})

t.test('H05: a chunk that ends early, late or with half a line end is no chunk', async t => {
  await noWholeRequest(t, {
    'too short': '6\r\nhello\r\n0\r\n\r\n',
    'too long': '4\r\nhello\r\n0\r\n\r\n',
    'bare LF behind the size': '5\nhello\r\n0\r\n\r\n',
    'bare CR behind the size': '5\rhello\r\n0\r\n\r\n',
    'bare LF behind the data': '5\r\nhello\n0\r\n\r\n',
    'bare CR behind the data': '5\r\nhello\r0\r\n\r\n',
    'two bytes that are no line end': '5\r\nhelloXX0\r\n\r\n',
    'bare LF behind the last size': '5\r\nhello\r\n0\n\n',
    'bare CR behind the last size': '5\r\nhello\r\n0\r\r\n',
    'LF in an extension': '5;a=b\nc\r\nhello\r\n0\r\n\r\n',
    'CR in an extension': '5;a=b\rc\r\nhello\r\n0\r\n\r\n',
    'LF in a quoted extension': '5;a="\n0\r\n\r\n"\r\nhello\r\n0\r\n\r\n',
    'a NUL in an extension': '5;a=\0\r\nhello\r\n0\r\n\r\n',
  })
})

t.test('H05: broken trailers are no end', async t => {
  await noWholeRequest(t, {
    'no colon': '0\r\ntrailer\r\n\r\n',
    'a blank before the colon': '0\r\nX : y\r\n\r\n',
    'bare LF': '0\r\nX: y\n\r\n',
    'bare CR': '0\r\nX: y\rZ: z\r\n\r\n',
    'a length': '0\r\nContent-Length: 5\r\n\r\n',
    'a coding': '0\r\nTransfer-Encoding: chunked\r\n\r\n',
    'a NUL': '0\r\nX: \0\r\n\r\n',
  })
})

t.test('H05: extensions without end cost nothing and are cut (CVE-2024-22019)', async t => {
  const from = upstream.received.length
  using line = await openRaw(gateway)
  await line.write(`${start}5;`)
  const before = process.cpuUsage()
  const part = 'a=b;'.repeat(16_384)
  let sent = 0
  for (; sent < 512; sent++) {
    if (line.socket.destroyed || !line.socket.writable) break
    const went = await line.write(part).then(
      () => true,
      () => false,
    )
    if (!went) break
  }
  const { ended } = await line.read({ timeout: 3_000 })
  t.match(ended, /end|error/, 'the connection is closed')
  t.ok(sent < 64, `after ${sent * 64} KB`)
  t.ok(process.cpuUsage(before).user < 3_000_000, 'no core is kept busy')
  t.ok(upstream.received.slice(from).every(({ complete }) => !complete))
  await stillAnswers(t, gateway)
})

t.test('H05: small extensions on every chunk are read past, and none of them arrives', async t => {
  const from = upstream.received.length
  const extended = `1;${'x'.repeat(1_000)}="y"\r\na\r\n`.repeat(1_000)
  const { text } = await talk(gateway, `${start}${extended}0;e\r\n\r\n`, { until: 'upstream"}' })
  t.same(statuses(text), [200])
  t.match(upstream.received.slice(from), [{ target: '/thing', complete: true, framing: 'chunked' }])
  t.equal(upstream.received.at(-1)?.body.toString(), 'a'.repeat(1_000))
  t.same(upstream.malformed, [])
})

t.test('H05: trailers reach no upstream, whatever they are called', async t => {
  const from = upstream.received.length
  const trailers = ['Authorization: Basic eDp5', 'X-Remote-User: admin', 'Host: evil', 'Cookie: a=b', 'X-Other: y']
  const { text } = await talk(gateway, `${start}5\r\nhello\r\n0\r\n${trailers.join('\r\n')}\r\n\r\n`, {
    until: 'upstream"}',
  })
  t.same(statuses(text), [200])
  t.equal(upstream.received.length, from + 1)
  const request = upstream.received.at(-1)
  t.match(request, { complete: true, trailers: [] })
  t.equal(request?.body.toString(), 'hello')
  if (request !== undefined)
    for (const name of ['authorization', 'x-remote-user', 'cookie', 'x-other']) t.same(valuesOf(request, name), [])
  await stillAnswers(t, gateway)
})

t.test('H05: ten thousand chunks of one byte are one body', async t => {
  const { text } = await talk(gateway, `${start}${'1\r\nx\r\n'.repeat(10_000)}0\r\n\r\n`, { until: 'upstream"}' })
  t.same(statuses(text), [200])
  t.match(upstream.received.at(-1), { complete: true, bodyLength: 10_000 })
})
