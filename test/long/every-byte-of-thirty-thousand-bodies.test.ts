// What upstream/every-byte-belongs-to-its-own-request shows, with thirty thousand bodies.
import t from 'tap'
import { askThroughClient, askThroughGateway, besidesResets } from '../upstream/asking-for-own-bytes.ts'
import { askAll, startOwnBytes } from '../upstream/own-bytes.ts'

t.setTimeout(1_800_000)

for (const way of ['the client of an upstream', 'the gateway'] as const) {
  t.test(`through ${way}`, async t => {
    t.setTimeout(1_800_000)
    const server = await startOwnBytes(t)
    const ask = way === 'the gateway' ? await askThroughGateway(t, server.url) : askThroughClient(t, server.url)
    const sums = await askAll(ask, 1_000_000, 15_000, 100)
    t.same(way === 'the gateway' ? besidesResets(sums.wrong) : sums.wrong, [])
    t.same(server.wrong, [])
    t.ok(sums.whole > 9_000 && sums.broken > 1_000 && sums.left > 1_000, JSON.stringify(sums))
    console.error(
      `${way}: ${sums.whole} whole, ${sums.broken} broken off, ${sums.left} left; ${server.uploads} uploads`,
    )
  })
}
