// F10: SIGTERM while an upload runs and a WebSocket is open: the upload arrives whole, both ends of the WebSocket are
// told at once that the gateway goes away (1001), and the process ends with 0.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { WebSocket } from 'ws'
import { within } from '../behaviour/app.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, upgradeEcho } from '../fixture/upstream-answers.ts'

t.test('an upload and a WebSocket at one time', async t => {
  const upstream = await startUpstream(t, request =>
    request.header('upgrade') === undefined ? json({ bytes: request.bodyLength }) : upgradeEcho(),
  )
  const site = await makeSite(t, {
    yaml: `
drain: 5 s
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  const socket = new WebSocket(`${served.url.replace('https:', 'wss:')}/ws`, {
    ca: site.authority.caPem,
    headers: { origin: served.url },
  })
  await once(socket, 'open')
  const closed = once(socket, 'close')
  const block = Buffer.alloc(256 * 1024, 'x')
  const body = Readable.from(
    (async function* () {
      for (let sent = 0; sent < 20; sent++) {
        yield block
        await pause(50)
      }
    })(),
  )
  const answer = askSite(site, served, '/upload', { method: 'POST', body })
  t.ok(await within(3_000, () => upstream.received.some(({ bodyLength }) => bodyLength > block.length)))
  const began = Date.now()
  served.signal('SIGTERM')
  const [code, reason] = await closed
  t.same([code, String(reason)], [1001, 'the gateway is stopping'])
  t.notOk(
    upstream.received.some(({ method, complete }) => method === 'POST' && complete),
    'while the upload runs',
  )
  const { statusCode } = (await answer).resume()
  t.equal(statusCode, 200)
  t.match(
    upstream.received.find(({ method }) => method === 'POST'),
    { complete: true, bodyLength: 20 * block.length },
  )
  t.match(await served.ended, { exitCode: 0, signal: null })
  t.ok(Date.now() - began < 8_000, `${Date.now() - began} ms`)
})
