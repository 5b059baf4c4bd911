/**
 * Bodies of all sizes, up and down, a thousand at one time through the client and sixty through the gateway, while clients leave and
 * servers break off: whatever arrives was meant for whom it arrives at. 2,400 of them here, forty thousand in test/long.
 */
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { askThroughClient, askThroughGateway, besidesResets } from './asking-for-own-bytes.ts'
import { askAll, startOwnBytes } from './own-bytes.ts'

t.test('through the client of an upstream', async t => {
  const server = await startOwnBytes(t)
  const sums = await askAll(askThroughClient(t, server.url), 1, 2_000, 1_000)
  t.same(sums.wrong, [])
  t.same(server.wrong, [])
  t.ok(sums.whole > 1_200 && sums.broken > 100 && sums.left > 100 && server.uploads > 300, JSON.stringify(sums))
})

t.test('through the gateway, over both protocols, to an upstream in clear and to one over TLS', async t => {
  const authority = await startAuthority(t)
  const { chainPem: cert, keyPem: key } = await authority.server(['localhost'])
  for (const tls of [undefined, { cert, key }]) {
    const server = await startOwnBytes(t, tls)
    const ask = await askThroughGateway(t, server.url, authority)
    const sums = await askAll(ask, tls === undefined ? 100_001 : 200_001, 200, 60)
    t.same(besidesResets(sums.wrong), [])
    t.same(server.wrong, [])
    t.ok(sums.whole > 100 && sums.broken > 10 && sums.left > 10 && server.uploads > 30, JSON.stringify(sums))
  }
})
