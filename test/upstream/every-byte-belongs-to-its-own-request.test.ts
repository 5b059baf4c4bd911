/**
 * Thousands of bodies of all sizes at one time, up and down, while clients leave and servers break off: whatever arrives was
 * meant for whom it arrives at. A hundred thousand of them: test/long.
 */
import t from 'tap'
import { askThroughClient, askThroughGateway } from './asking-for-own-bytes.ts'
import { askAll, startOwnBytes } from './own-bytes.ts'

t.setTimeout(60_000)

t.test('through the client of an upstream', async t => {
  const server = await startOwnBytes(t)
  const sums = await askAll(askThroughClient(t, server.url), 1, 1_000, 100)
  t.same(sums.wrong, [])
  t.same(server.wrong, [])
  t.ok(sums.whole > 600 && sums.broken > 50 && sums.left > 50 && server.uploads > 150, JSON.stringify(sums))
})

t.test('through the gateway, over both protocols', async t => {
  const server = await startOwnBytes(t)
  const sums = await askAll(await askThroughGateway(t, server.url), 100_001, 300, 60)
  t.same(sums.wrong, [])
  t.same(server.wrong, [])
  t.ok(sums.whole > 150 && sums.broken > 10 && sums.left > 10 && server.uploads > 40, JSON.stringify(sums))
})
