// F02, F07: a WebSocket handshake is held to the same count and size of headers as any request (CVE-2024-37890: a server
// that counted them differently crashed). Requests: behaviour/limits. Over HTTP/2: a-flood-over-http2-ends-itself.
import t from 'tap'
import { startApp } from '../behaviour/app.ts'
import { upgradeEcho } from '../fixture/upstream-answers.ts'
import { head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

t.test('F02: two thousand headers on a handshake', async t => {
  const { gateway, upstream } = await startApp(t, () => upgradeEcho())
  const shake = async (more: readonly string[]) => {
    const { text } = await talk(gateway, head(gateway, 'GET /x HTTP/1.1', [...webSocketLines, ...more]), {
      until: '\r\n\r\n',
    })
    return statuses(text)
  }
  const many = (count: number, size: number) => Array.from({ length: count }, (_, at) => `X-${at}: ${'x'.repeat(size)}`)
  t.same(await shake(many(100, 10)), [101], 'a hundred are well')
  t.equal(upstream.received.length, 1)
  for (const [title, lines, status] of [
    ['two thousand', many(2_000, 1), 400],
    ['two thousand that are large', many(2_000, 1_000), 431],
    ['two thousand of one name', many(2_000, 1).map(() => 'Cookie: a=b'), 400],
    ['two thousand upgrades', many(2_000, 1).map(() => 'Upgrade: websocket'), 400],
  ] as const)
    t.same(await shake(lines), [status], title)
  t.equal(upstream.received.length, 1, 'none of them arrived')
  await stillAnswers(t, gateway)
})
