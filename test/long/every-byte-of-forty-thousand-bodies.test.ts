// What upstream/every-byte-belongs-to-its-own-request shows, with forty thousand bodies.
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { askThroughClient, askThroughGateway, besidesResets } from '../upstream/asking-for-own-bytes.ts'
import { askAll, startOwnBytes } from '../upstream/own-bytes.ts'

t.setTimeout(1_800_000)

const ways = {
  'the client of an upstream': 15_000,
  'the gateway': 15_000,
  'the gateway to an upstream over TLS': 10_000,
} as const

for (const [way, count] of Object.entries(ways)) {
  t.test(`through ${way}`, async t => {
    t.setTimeout(1_800_000)
    const authority = await startAuthority(t)
    const { chainPem: cert, keyPem: key } = await authority.server(['localhost'])
    const server = await startOwnBytes(t, way.endsWith('TLS') ? { cert, key } : undefined)
    const isWhole = way.startsWith('the gateway')
    const ask = isWhole ? await askThroughGateway(t, server.url, authority) : askThroughClient(t, server.url)
    const sums = await askAll(ask, 1_000_000, count, isWhole ? 100 : 1_000)
    t.same(isWhole ? besidesResets(sums.wrong) : sums.wrong, [])
    t.same(server.wrong, [])
    t.ok(sums.whole > count / 2 && sums.broken > count / 15 && sums.left > count / 15, JSON.stringify(sums))
    console.error(
      `${way}: ${sums.whole} whole, ${sums.broken} broken off, ${sums.left} left; ${server.uploads} uploads`,
    )
  })
}
