// No byte can be written any more, neither to the audit trail nor to the state: what runs and who is signed in goes on, as far
// as the site let it; what has to be written is refused in words; with room on the disk all is as before, without a restart.
import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { signIn, textOf } from '../cli/signed-in.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { trickle } from '../fixture/upstream-answers.ts'

const trailOf = ({ dir }: { dir: string }) => join(dir, 'state', 'audit.jsonl')

/** Each write to the trail is ENOSPC. */
function fill(gateway: TestGateway): Disposable {
  const trail = trailOf(gateway)
  renameSync(trail, `${trail}.kept`)
  symlinkSync('/dev/full', trail)
  return {
    [Symbol.dispose]() {
      rmSync(trail)
      renameSync(`${trail}.kept`, trail)
    },
  }
}

async function startArchive(t: Test, onFailure: 'continue' | 'refuse') {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
admin: { bind: 127.0.0.1:0 }
audit: { onFailure: ${onFailure} }
upstreams: { app: { kind: orthanc, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const admin = gateway.gateway.listeners.find(({ name }) => name === 'admin')?.urls[0] ?? ''
  const told = (kind: string) => gateway.audit().filter(line => line['kind'] === kind).length
  return { upstream, gateway, admin, told }
}

const alarms = (gateway: TestGateway) =>
  gateway
    .log()
    .filter(({ message, cause }) => message === 'the audit trail cannot be written' && /ENOSPC/.test(`${cause}`))

t.test('the disk of the trail is full and care goes on: the operator is told, by log and by number', async t => {
  const { gateway, admin, told } = await startArchive(t, 'continue')
  const cookie = await gateway.signIn('alice', 'alice-password')
  const full = fill(gateway)
  t.equal((await gateway.ask('/studies/1.2.3', { cookie })).status, 200, 'a signed-in person')
  const later = await gateway.signIn('alice', 'alice-password')
  t.equal((await gateway.ask('/studies/1.2.4', { cookie: later })).status, 200, 'a new sign-in')
  t.ok(await within(2_000, () => alarms(gateway).length === 3), `${alarms(gateway).length} lines in the log`)
  t.match(await (await fetch(`${admin}/metrics`)).text(), /^sallyport_audit_failures_total 3$/m)
  full[Symbol.dispose]()

  t.equal((await gateway.ask('/studies/1.2.3', { cookie })).status, 200)
  t.ok(await within(2_000, () => told('study') === 1), 'what had not been told is told now')
})

t.test('the disk of the trail is full and the site refuses: 503 in words, until there is room', async t => {
  const { gateway, upstream, told } = await startArchive(t, 'refuse')
  const cookie = await gateway.signIn('alice', 'alice-password')
  t.equal((await gateway.ask('/studies/1.2.3', { cookie })).status, 200)
  const full = fill(gateway)
  t.equal((await gateway.ask('/studies/1.2.3', { cookie })).status, 200, 'what was recorded before')
  const refused = await gateway.ask('/studies/1.2.4', { cookie })
  t.match(JSON.parse(refused.text), { status: 503, reason: 'audit-unavailable' })
  await t.rejects(gateway.signIn('alice', 'alice-password'), /503/, 'a new sign-in')
  t.equal(upstream.received.length, 2)
  full[Symbol.dispose]()

  t.equal((await gateway.ask('/studies/1.2.4', { cookie })).status, 200)
  t.ok(await gateway.signIn('alice', 'alice-password'))
  t.equal(told('study'), 2)
})

t.test('a process that may not write another byte, trail and state alike', async t => {
  const upstream = await startUpstream(t, ({ target }) => trickle(target === '/long' ? 'x'.repeat(20) : 'fine', 50))
  const site = await makeSite(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
sessions: { idle: 4 s }
upstreams: { app: { kind: orthanc, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  // The limit stands in for the disk, but says so by a signal that ends whoever does not hear it.
  const heard = "process.on('SIGXFSZ',()=>{})"
  const served = await serveSite(t, site, { env: { NODE_OPTIONS: `--import=data:text/javascript,${heard}` } })
  const allow = (bytes: number | 'unlimited') =>
    execFileSync('/usr/bin/prlimit', [`--pid=${served.pid}`, `--fsize=${bytes}:unlimited`])
  const cookie = await signIn(site, served, 'alice', 'alice-password')
  const long = await askSite(site, served, '/long', { headers: { cookie } })
  // One line of the trail fits in half.
  allow(statSync(trailOf(site)).size + 20)
  t.equal(await textOf(await askSite(site, served, '/studies/1.2.3', { headers: { cookie } })), 'fine', 'signed in')
  t.equal(await textOf(long), 'x'.repeat(20), 'what ran')
  await t.rejects(signIn(site, served, 'alice', 'alice-password'), /503/, 'a new sign-in')
  await served.shows(/the audit trail cannot be written/)
  // For longer than the idle time, and for longer than it takes to write that she is there: every second here.
  let isTold = false
  void served.shows(/the state is away/).then(() => {
    isTold = true
  })
  for (const deadline = Date.now() + 20_000; !isTold && Date.now() < deadline; await pause(300))
    t.equal(await textOf(await askSite(site, served, '/studies/1.2.3', { headers: { cookie } })), 'fine', 'signed in')
  t.ok(isTold, 'the operator is told')

  allow('unlimited')
  await served.shows(/the state is there again/)
  const later = await signIn(site, served, 'alice', 'alice-password')
  for (const proof of [cookie, later]) {
    t.equal((await askSite(site, served, '/studies/1.2.9', { headers: { cookie: proof } })).resume().statusCode, 200)
  }
  const lines = () =>
    readFileSync(trailOf(site), 'utf8')
      .split('\n')
      .flatMap(line => {
        try {
          return [JSON.parse(line) as Record<string, unknown>] // our own lines are objects
        } catch {
          return []
        }
      })
  t.ok(
    await within(2_000, () => lines().filter(({ kind }) => kind === 'login').length === 2),
    'no line is lost in half of another',
  )
  t.equal(lines().filter(({ kind }) => kind === 'study').length, 1)
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)
})
