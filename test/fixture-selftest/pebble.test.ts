/**
 * The fixture itself: an authority that is there, knows every name, and forgets everything when it stops.
 */
import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { pebbleTools, startPebble } from '../fixture/pebble.ts'
import { requireReal } from '../fixture/real.ts'

t.test('pebble answers under the authority that it names, counts, stops and comes back', async t => {
  if (!requireReal(t, pebbleTools)) return
  const pebble = await startPebble(t, { httpPort: 1 })
  const directory = () =>
    new Promise<string>((resolve, reject) => {
      const sent = request(pebble.directory, { ca: [...pebble.ca], agent: false }, answer => {
        text(answer).then(resolve, reject)
      })
      sent.on('error', reject).end()
    })
  t.match(JSON.parse(await directory()), { newNonce: /^https:/, newOrder: /^https:/ })
  const root = await pebble.root()
  t.ok(new X509Certificate(root).ca)
  t.same(pebble.counts(), { accounts: 0, orders: 0, certificates: 0 })
  t.match(pebble.log(), /reject 0% of good nonces/)
  await pebble.stop()
  await t.rejects(directory(), { code: 'ECONNREFUSED' })
  await pebble.start()
  t.match(await directory(), /newOrder/)
  t.not(await pebble.root(), root, 'as another authority')
})
