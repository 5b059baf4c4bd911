// More connections than the process may have files open: fewer are let in, and who is in is served. Where descriptors run
// out all the same, the process goes on, and is well again when they come back.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'

const upstream = await startUpstream(t)

const site = await makeSite(t, {
  yaml: `
log: { level: warn }
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
})
const served = await serveSite(t, site, { openFiles: 600 })
const [, admin = ''] = await served.shows(/^listening (http:\S+) \(admin\)$/m)
const healthy = () => fetch(`${admin}/healthz`, { headers: { connection: 'close' } }).then(({ ok }) => ok)
const descriptors = () => readdirSync(`/proc/${served.pid}/fd`).length
const status = async () => (await askSite(site, served, '/x')).resume().statusCode
t.equal(await status(), 200)
const atFirst = descriptors()

const trusting = { servername: 'localhost', ca: site.authority.caPem }

/** Some with a handshake and some without, from as many addresses; none of them says anything more. */
function crowd(t: Test, count: number): Socket[] {
  const sockets = Array.from({ length: count }, (_, at) => {
    const from = { host: '127.0.0.1', port: served.port, localAddress: `127.0.9.${(at % 250) + 1}` }
    const socket = at % 2 === 0 ? connect(from) : connectTls({ ...from, ...trusting })
    return socket.on('error', () => undefined).resume() // whoever is not let in learns of it here
  })
  t.teardown(() => leave(sockets))
  return sockets
}
/** A busy machine has work for seconds with as many handshakes. */
const isInOrOut = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    const isIn = socket instanceof TLSSocket ? socket.getPeerFinished() !== undefined : !socket.connecting
    if (socket.destroyed || isIn) return resolve()
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', resolve).once('close', () => resolve())
  })
const leave = (sockets: readonly Socket[]) => sockets.forEach(socket => void socket.destroy())

t.test('ten thousand connections do not fit into 600 descriptors', async t => {
  await served.shows(/"openFiles":600,"connections":\{"web":\d{2,3}\}/)
  const sockets = crowd(t, 900)
  t.ok(await within(10_000, () => descriptors() > atFirst + 60), `${descriptors()} descriptors are open`)
  await Promise.all(sockets.map(isInOrOut))
  await pause(1_100) // who came a moment ago is not sent away for somebody else
  for (let times = 0; times < 5; times++) {
    t.equal(await status(), 200, 'an honest client gets in')
    t.ok(await healthy())
  }
  t.ok(descriptors() < 400, `${descriptors()}`)
  leave(sockets)
  t.ok(await within(5_000, () => descriptors() <= atFirst + 2), `${descriptors()} descriptors, ${atFirst} at first`)
  t.notMatch(served.stderr(), /EMFILE/)
})

t.test('without a descriptor left the process goes on, and answers when there is one again', async t => {
  // As if something else had taken them: nothing could have known of it at the start.
  const limit = (files: number) => execFileSync('prlimit', ['--pid', `${served.pid}`, `--nofile=${files}:600`])
  limit(atFirst + 20)
  const sockets = crowd(t, 200)
  t.ok(await within(5_000, () => sockets.filter(socket => socket.destroyed).length >= 150), 'nobody gets in any more')
  t.notOk(await healthy().catch(() => false))
  leave(sockets)
  t.ok(await within(5_000, () => descriptors() <= atFirst + 2), `${descriptors()} descriptors, ${atFirst} at first`)
  t.ok(await healthy(), 'by itself')
  t.equal(await status(), 200)
})
