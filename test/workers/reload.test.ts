// A reload of several workers is whole or nothing: all of them go over, or none; under load nobody notices; and a worker
// that begins meanwhile serves by nothing else than the others.
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import t from 'tap'
import { freePorts } from '../../src/demo/free-port.ts'
import { within } from '../behaviour/app.ts'
import { askSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json } from '../fixture/upstream-answers.ts'
import { serveCrew } from './crew-site.ts'

const upstream = await startUpstream(t, () => json({ all: 'well' }))
const served = await serveCrew(t, {
  yaml: `
workers: 2
upstreams: { app: { kind: generic, url: "${upstream.url}", connections: 4 } }
routes: [{ path: /, upstream: app, access: everyone }]`,
})
const { file } = served.site
const original = readFileSync(file, 'utf8')
const lines = Array.from({ length: 4 }, () => served.line())
const statuses = async () => new Set((await Promise.all(lines.map(line => line.ask('/x')))).map(({ status }) => status))
/** How often something was logged. */
const told = (what: string) => served.stderr().split(what).length - 1

/** The file is watched, too: what was written a moment ago may still be under way. */
const allAnswer = (status: number) => within(5_000, async () => [...(await statuses())].every(one => one === status))

/** Writes it, and waits until it has been taken, or not. */
async function rewrite(text: string, outcome: 'is at work' | 'was not taken'): Promise<boolean> {
  const before = told(outcome)
  writeFileSync(file, text)
  served.signal('SIGHUP')
  return await within(30_000, () => told(outcome) > before)
}
t.test('all of them go over', async t => {
  for (const [at, line] of lines.entries()) await line.ask(`/mine-${at}`)
  const workers = await Promise.all(lines.map((_, at) => served.workerOf(`/mine-${at}`)))
  t.same(new Set(workers), new Set([1, 2]), 'there are lines to both')
  t.ok(await rewrite(original.replace('access: everyone', 'access: authenticated'), 'is at work'))
  t.ok(await allAnswer(401))
  t.ok(await rewrite(original, 'is at work'))
  t.ok(await allAnswer(200))
  const counted = async () => [
    served.audited().filter(kind => kind === 'reload').length,
    await served.metric('sallyport_reloads_total'),
    told('is at work'),
  ]
  t.ok(await within(5_000, async () => new Set(await counted()).size === 1), 'each reload is told once')
})

t.test('three reloads under load, and nobody notices', async t => {
  const [faults, isOver] = [[] as string[], { now: false }]
  let answered = 0
  const load = lines.map(async line => {
    while (!isOver.now) {
      const { status } = await line.ask('/load').catch((error: unknown) => ({ status: String(error) }))
      if (status !== 200) faults.push(String(status))
      answered++
    }
  })
  for (let times = 0; times < 3; times++)
    t.ok(await rewrite(`${original}\n# ${times}`, 'is at work'), `reload ${times} behind ${answered} answers`)
  isOver.now = true
  await Promise.all(load)
  t.same(faults, [], `of ${answered}`)
})

t.test('an address that is new is bound for all, and one that is gone is bound by none', async t => {
  const [port = 0] = await freePorts(1, '127.0.0.1')
  const keystore = /keystore: \{.*\}/.exec(original)?.[0]
  const stream = `{ bind: "127.0.0.1:${port}", protocol: raw, ${keystore}, upstream: "tcp://127.0.0.1:${upstream.port}", access: everyone }`
  t.ok(await rewrite(`${original}\nstreams: { raw: ${stream} }`, 'is at work'))
  const statusThrough = async () => (await askSite(served.site, { port }, '/x')).resume().statusCode
  // The reload that was heard of may be the one before, which the watch over the file asked for.
  const isBound = () =>
    statusThrough().then(
      status => status === 200,
      () => false,
    )
  t.ok(await within(20_000, isBound))
  for (let times = 1; times < 4; times++) t.equal(await statusThrough(), 200, 'through one and the other')
  t.ok(await within(5_000, async () => (await served.metric('sallyport_streams_total')) === 4))
  t.ok(await rewrite(original, 'is at work'))
  t.ok(
    await within(5_000, () =>
      statusThrough().then(
        () => false,
        ({ code }) => code === 'ECONNREFUSED',
      ),
    ),
  )
})

t.test('what one of them cannot do, none does', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number } // bound to TCP
  const other = original
    .replace('access: everyone', 'access: authenticated')
    .replace('listeners:', `listeners:\n  plain: { bind: "127.0.0.1:${port}", redirect: web }`)
  // Not taken is also what was written anew while it was read: what counts is the reason.
  t.ok(await rewrite(other, 'was not taken'))
  await served.shows(/"why":"bind EADDRINUSE/)
  t.same(await statuses(), new Set([200]))
  t.equal(await served.metric('sallyport_configuration_current'), 0)

  t.ok(await rewrite(original.replace('connections: 4', 'connections: 1'), 'was not taken'))
  await served.shows(/upstreams\.app\.connections is 1, /)
  t.same(await statuses(), new Set([200]))

  const before = told('write everyone, authenticated, or a list of rules')
  t.ok(await rewrite(original.replace('access: everyone', 'access: everybody'), 'was not taken'))
  t.ok(await within(20_000, () => told('write everyone, authenticated, or a list of rules') > before))
  t.notMatch(served.stderr(), /"worker":\d+[^\n]*write everyone/, 'the primary alone tells of it')
})

t.test('while the file is refused, a worker that dies waits for one that is not', async t => {
  const [pid = 0] = served.workers()
  process.kill(pid, 'SIGKILL')
  await served.shows(/"worker":1.*the files are not those that are at work: it begins when they are/)
  t.ok(await within(5_000, async () => (await served.metric('sallyport_workers')) === 1))
  const fresh = served.line()
  t.equal((await fresh.ask('/y')).status, 200, 'the other one serves on')
  t.ok(await rewrite(original.replace('access: everyone', 'access: authenticated'), 'is at work'))
  await served.shows(/"worker":1.*"msg":"a worker has taken the place of the one that ended"/)
  const both = [served.line(), served.line(), served.line(), served.line()]
  for (const line of both) t.equal((await line.ask('/z')).status, 401, 'and both by the new rules')
  for (const line of [...both, ...lines, fresh]) line.close()
})

t.test('a worker that begins in the middle of a reload serves by what all serve by', async t => {
  for (const [access, status] of [
    ['everyone', 200],
    ['authenticated', 401],
  ] as const) {
    const pid = served.workers().at(-1) ?? 0
    process.kill(pid, 'SIGKILL')
    t.ok(await rewrite(original.replace('access: everyone', `access: ${access}`), 'is at work'))
    t.ok(await within(40_000, async () => (await served.metric('sallyport_workers')) === 2))
    const lines = Array.from({ length: 6 }, () => served.line())
    const answers = async () => (await Promise.all(lines.map(line => line.ask('/x')))).map(answer => answer.status)
    t.ok(await within(5_000, async () => (await answers()).every(answer => answer === status)), access)
    for (const line of lines) line.close()
    t.notOk(served.workers().includes(pid))
  }
})
