// Two thousand downloads given up midway, as a viewer that is scrolled does it, leave no descriptor in the process and no
// connection to the upstream.

import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Answer, json } from '../fixture/upstream-answers.ts'

const overHttp1 = 500
const overHttp2 = 1_500
const together = 20

/** More than fits into all buffers on the way. */
const large: Answer = async line => {
  const length = 64 * 1024 * 1024
  await line.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
  const block = Buffer.alloc(65_536, 'x')
  for (let sent = 0; sent < length; sent += block.length) await line.write(block)
}

t.test('over HTTP/1.1 and HTTP/2', async t => {
  const upstream = await startUpstream(t, ({ target }) => (target === '/large' ? large : json({ all: 'well' })))
  const site = await makeSite(t, {
    yaml: `
log: { level: warn }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  const descriptors = () => readdirSync(`/proc/${served.pid}/fd`).length
  const well = async () => t.equal((await askSite(site, served, '/x')).resume().statusCode, 200)
  await well()
  const atFirst = descriptors()

  const give = async (times: number, askOne: () => Promise<void>) => {
    for (let done = 0; done < times; done += together) await Promise.all(Array.from({ length: together }, askOne))
  }
  await give(overHttp1, async () => {
    const answer = await askSite(site, served, '/large')
    await once(answer, 'data')
    answer.on('error', () => undefined).destroy()
  })
  const line = connectHttp2(served.url, { ca: site.authority.caPem })
  t.teardown(() => line.destroy())
  await give(overHttp2, async () => {
    const stream = line.request({ ':path': '/large' }).on('error', () => undefined)
    await once(stream, 'data')
    stream.close(8)
  })
  line.close()

  t.ok(await within(3_000, () => upstream.openConnections <= 1), `${upstream.openConnections} connections are open`)
  t.ok(await within(3_000, () => descriptors() <= atFirst + 2), `${descriptors()} descriptors, ${atFirst} at first`)
  t.equal(upstream.received.filter(({ target }) => target === '/large').length, overHttp1 + overHttp2)
  await well()
})
