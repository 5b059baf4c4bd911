// One of two workers is killed, or stands still; and the primary is killed: what that costs is what ran in it, and nothing is
// left behind.
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import t from 'tap'
import { waitBefore } from '../../src/workers/crew.ts'
import { within } from '../behaviour/app.ts'
import { startCommand } from '../fixture/command.ts'
import { makeSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, trickle } from '../fixture/upstream-answers.ts'
import { isAlive, serveCrew } from '../workers/crew-site.ts'

const upstream = await startUpstream(t, ({ target }) =>
  target.startsWith('/long') ? trickle('x'.repeat(100), 50) : json({ all: 'well' }),
)
const yaml = `
workers: 2
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`

const served = await serveCrew(t, { yaml })

t.test('one is killed under load: only its own connections break, and it is replaced', async t => {
  const first = served.workers()
  const lines = Array.from({ length: 6 }, () => served.line())
  const faults: string[] = []
  let [isOver, answered] = [false, 0]
  const load = lines.map(async (line, at) => {
    await line.ask(`/first-${at}`)
    while (!isOver) {
      await line.ask('/next').then(
        ({ status }) => {
          answered++
          if (status !== 200) faults.push(`${at}: ${status}`)
        },
        () => faults.push(`${at}: cut`),
      )
    }
  })
  const workers = await Promise.all(lines.map((_, at) => served.workerOf(`/first-${at}`)))
  const mine = workers.flatMap((worker, at) => (worker === 1 ? [at] : []))
  t.ok(mine.length > 0 && mine.length < lines.length, `${workers}`)
  const before = await served.metric('sallyport_exchanges_total')
  const [firstProcess = 0] = first // worker 1 was started first
  process.kill(firstProcess, 'SIGKILL')
  await served.shows(/"worker":1.*"signal":"SIGKILL","msg":"a worker has ended: another takes its place"/)
  t.ok((await served.metric('sallyport_exchanges_total')) >= before, 'what it counted goes on to count')
  await served.shows(/"msg":"a worker has taken the place of the one that ended"/)
  const then = answered
  await within(5_000, () => answered > then + 20)
  isOver = true
  await Promise.all(load)
  for (const line of lines) line.close()
  const broken = new Set(faults.map(fault => Number(fault.split(':')[0])))
  t.same([...broken].toSorted(), mine, 'each of its connections, and no other')
  t.equal(faults.length, mine.length, `once: ${faults}`)
  t.equal(served.workers().length, 2)
  t.equal(await served.metric('sallyport_worker_deaths_total'), 1)
  t.ok((await served.metric('sallyport_exchanges_total')) > before)
})

t.test('one that stands still holds up no scrape, and a connection that was on its way to it is closed', async t => {
  t.ok(await within(10_000, async () => (await served.metric('sallyport_workers')) === 2))
  const [still = 0] = served.workers()
  process.kill(still, 'SIGSTOP')
  const began = performance.now()
  t.equal(await served.metric('sallyport_workers'), 2)
  t.ok(performance.now() - began < 3_000)
  t.equal((await fetch(`${served.admin}/readyz`)).status, 200)

  const { caPem: ca } = served.site.authority
  const ends = Array.from({ length: 4 }, async () => {
    const socket = connect({ host: '127.0.0.1', port: served.port, servername: 'localhost', ca })
    socket.on('error', () => undefined)
    const end = await Promise.race([
      once(socket, 'secureConnect').then(
        () => 'in',
        () => 'closed',
      ),
      once(socket, 'close').then(() => 'closed'),
    ])
    socket.destroy()
    return end
  })
  const outcomes: string[] = []
  for (const end of ends) void end.then(outcome => outcomes.push(outcome))
  t.ok(await within(5_000, () => outcomes.length === 3), 'the others are let in')
  await pause(100)
  t.same(outcomes, ['in', 'in', 'in'])
  process.kill(still, 'SIGKILL')
  await Promise.all(ends)
  t.same(outcomes, ['in', 'in', 'in', 'closed'], 'it learns of it, and does not wait for ever')
})

t.test('the primary is killed: nothing of it is left', async t => {
  const workers = served.workers()
  const line = served.line()
  const long = line.ask('/long').then(
    () => 'whole',
    () => 'cut',
  )
  await within(5_000, () => upstream.received.some(({ target }) => target === '/long'))
  served.signal('SIGKILL')
  t.ok(await within(5_000, () => workers.every(pid => !isAlive(pid))))
  t.equal(await long, 'cut')
  const socket = connectTcp(served.port, '127.0.0.1')
  const [error] = await once(socket, 'error').catch((thrown: unknown) => [thrown])
  t.match(error, { code: 'ECONNREFUSED' }, 'the address is free')
})

t.test('an address that is taken is told once, as with one process', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const site = await makeSite(t, { yaml })
  const { port } = taken.address() as { port: number } // bound to TCP
  writeFileSync(site.file, readFileSync(site.file, 'utf8').replace('127.0.0.1:0', `127.0.0.1:${port}`))
  const running = startCommand(t, ['serve', '--config', site.file], { cwd: site.dir })
  const { exitCode, stderr } = await running.ended
  t.equal(exitCode, 1)
  t.same(stderr.match(/is already in use/g), ['is already in use'], stderr)
})

t.test('who dies young again and again is started less and less often', async t => {
  t.same([1, 2, 3, 4, 5, 6, 7, 70].map(waitBefore), [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
})
