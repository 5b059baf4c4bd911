// F03: each flood of HTTP/2 that is known by name ends its own connection, reaches no upstream with more than one
// connection may ask at one time, and others are served meanwhile. A minute of each: long/floods-over-http2.

import t from 'tap'
import { within } from '../behaviour/app.ts'
import { makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type FloodOrder, type FloodOutcomes, floodBy, pathOf } from './flooder.ts'
import { type Flood, type FloodName, floods } from './http2-floods.ts'
import { isBack, memoryOf, percentile, served } from './others-are-served.ts'

const names = Object.keys(floods) as FloodName[] // the keys of a constant
/** Streams that one connection may have running: `limits.streams`. */
const atOneTime = 200
/** Milliseconds of the clock and of a busy machine that are nobody's fault. */
const noise = 25

const upstream = await startUpstream(t)
const site = await makeSite(t, {
  yaml: `
log: { level: warn }
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
})
const gate = await serveSite(t, site)
const [, admin = ''] = await gate.shows(/^listening (http:\/\/\S+) \(admin\)$/m)
const attack = (some: readonly FloodName[], more: Partial<FloodOrder>): Promise<FloodOutcomes> =>
  floodBy({ port: gate.port, ca: site.authority.caPem, floods: some, together: 2, milliseconds: 5_000, ...more })
const observe = (least: number, what: Promise<unknown>) => served(gate.url, site.authority.caPem, least, what)

const outcomes = await attack(names, {})

for (const name of names) {
  const { known }: Flood = floods[name]
  t.test(`F03: ${name}${known === undefined ? '' : ` (${known})`}`, async t => {
    const { endings, connections, bytes } = outcomes[name]
    t.ok(connections > 0 && bytes > 0, 'it began')
    t.notOk(endings.includes('open'), `it was ended: ${endings}`)
    const arrived = upstream.received.filter(({ target }) => target === pathOf(name)).length
    t.ok(arrived <= connections * atOneTime, `${arrived} requests arrived`)
  })
}

t.test('F03: others are served as before, and nothing is left of it', async t => {
  const heaviest: FloodName[] = ['rapid reset', 'headers over the limit of their size', 'DATA of one byte', 'PING']
  const before = await observe(400, Promise.resolve())
  const held = memoryOf(gate.pid)
  const during = await observe(1_000, attack(heaviest, { together: 1, network: 1 }))
  t.equal(before.failed + during.failed, 0)
  const calm = percentile(before.times, 0.99)
  const attacked = percentile(during.times, 0.99)
  t.ok(attacked <= Math.max(2 * calm, calm + noise), `p99 ${attacked} ms of ${during.times.length}, calm ${calm} ms`)

  t.ok(await isBack(gate.pid, held), `${memoryOf(gate.pid)} MB, ${held} MB before`)
  t.ok(await within(2_000, () => upstream.openConnections <= 40), `${upstream.openConnections} connections are open`)
  t.same(upstream.malformed, [])
  const metrics = await (await fetch(`${admin}/metrics`)).text()
  t.match(metrics, /sallyport_client_trouble_total\{listener="web",kind="flood"\} \d+/)
  t.match(metrics, /^sallyport_exchanges_in_flight\{listener="web"\} 0$/m)
  const warnings = gate
    .stderr()
    .split('\n')
    .filter(line => line.includes('"kind":"flood"'))
  t.equal(warnings.length, 1, `one line, and not one for each: ${gate.stderr().slice(0, 1_000)}`)
})
