// F03, with an attacker who insists: a minute of each family of floods, two at one time, each on a new connection as soon
// as the last one was ended. Others are served, upstreams hear little of it, and the memory comes back.
import t from 'tap'
import { type FloodOutcome, floodBy } from '../attack/flooder.ts'
import { type FloodName, floods } from '../attack/http2-floods.ts'
import { isBack, memoryOf, percentile, served } from '../attack/others-are-served.ts'
import { within } from '../behaviour/app.ts'
import { makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'

const milliseconds = 60_000
/** Streams that one connection may have running: `limits.streams`. */
const atOneTime = 200
/** Milliseconds that others may wait: each new connection is a handshake of several, which no budget of HTTP/2 saves. */
const patience = 100

const names = Object.keys(floods) as FloodName[] // the keys of a constant
const families: Readonly<Record<string, RegExp>> = {
  'rapid resets': /^rapid|^handshakes/,
  'streams that the gateway is made to reset': /^made to/,
  'headers without end': /^CONTINUATION|bomb|^headers|^HEADERS|^table/,
  'SETTINGS, PING and PRIORITY': /^SETTINGS|PING|^acknow|^PRIORITY|^frames|^RST/,
  'DATA and windows': /DATA of|^empty|^WINDOW/,
  'requests without end': /^requests|^GOAWAY/,
}

const upstream = await startUpstream(t)
const site = await makeSite(t, {
  yaml: `
log: { level: warn }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
})
const gate = await serveSite(t, site)
const observe = (what: Promise<unknown>) => served(gate.url, site.authority.caPem, 1_000, what)
const attack = (some: readonly FloodName[], time: number, network: number) =>
  floodBy({
    ...{ port: gate.port, ca: site.authority.caPem, floods: some, together: 2, network, insist: true },
    milliseconds: time / Math.ceil(some.length / 2),
  })

// Warm: code is compiled, and the heap is as large as it needs to be. So is that of malloc, which gives nothing back that lies between
// what is still used: headers without end leave 185 MB there, of which the process uses 38, once and no more in each minute.
await attack(names, 60_000, 100)

t.test('every flood belongs to a family', async t => {
  t.same(
    names.filter(name => Object.values(families).filter(family => family.test(name)).length !== 1),
    [],
  )
})

for (const [network, [title, family]] of Object.entries(families).entries()) {
  t.test(`F03: a minute of ${title}`, async t => {
    const calm = await observe(Promise.resolve())
    const held = memoryOf(gate.pid)
    const from = upstream.received.length
    const attacked = attack(
      names.filter(name => family.test(name)),
      milliseconds,
      network,
    )
    const during = await observe(attacked)
    const outcomes: FloodOutcome[] = Object.values(await attacked)

    t.equal(calm.failed + during.failed, 0)
    const [quiet, loud] = [percentile(calm.times, 0.99), percentile(during.times, 0.99)]
    t.ok(loud <= Math.max(2 * quiet, patience), `p99 ${loud} ms of ${during.times.length}, calm ${quiet} ms`)
    const connections = outcomes.reduce((sum, one) => sum + one.connections, 0)
    const arrived = upstream.received.slice(from).filter(({ target }) => target.startsWith('/flood')).length
    t.ok(arrived <= connections * atOneTime, `${arrived} requests arrived of ${connections} connections`)
    // The last one of each may still be open when the time is over.
    const open = outcomes.filter(({ endings }) => endings.filter(ending => ending === 'open').length > 1)
    t.same(open, [])
    t.ok(await isBack(gate.pid, held), `${memoryOf(gate.pid)} MB, ${held} MB before`)
    t.ok(await within(5_000, () => upstream.openConnections <= 40), `${upstream.openConnections} connections are open`)
    t.comment(`p99 ${loud.toFixed(1)} ms, calm ${quiet.toFixed(1)} ms; ${connections} connections, ${arrived} arrived`)
  })
}
