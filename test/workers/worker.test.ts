// One worker and its primary, played by the test: what it asks, and what it does when it has a bug, may not begin, or can
// not start.

import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { readPrinted } from '../../src/cli/served-file.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { type Answers, type OfPrimary, type OfWorker, openChannel, type Port } from '../../src/workers/channel.ts'
import { runWorker } from '../../src/workers/worker.ts'
import { makeSite, type Site } from '../fixture/site.ts'

/** Two ends of one wire. */
function wire(): [Port, Port] {
  const listeners: ((message: unknown) => void)[][] = [[], []]
  const port = (own: 0 | 1): Port => ({
    send(message) {
      setImmediate(() => {
        for (const listener of listeners[1 - own] ?? []) listener(JSON.parse(JSON.stringify(message)))
      })
    },
    on: listener => void listeners[own]?.push(listener),
  })
  return [port(0), port(1)]
}

const site = await makeSite(t, {
  yaml: `
upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }
routes: [{ path: /, upstream: app, access: everyone }]
workers: 2`,
})
// The primary makes it, with the trail.
mkdirSync(join(site.dir, 'state'))

function play({ file }: Site, own: Partial<Answers<OfPrimary>> = {}) {
  const [here, there] = wire()
  const asked: string[] = []
  const { promise: bug, resolve: haveBug } = Promise.withResolvers<unknown>()
  const ready = Promise.withResolvers<OfPrimary['ready'][0]>()
  const channel = openChannel<OfWorker, OfPrimary>(here, {
    async begin(print) {
      asked.push('begin')
      return (
        (await own.begin?.(print)) ?? { go: true, challenges: [['token', 'authorization']], tickets: 'c0'.repeat(48) }
      )
    },
    async ready(listening) {
      asked.push('ready')
      ready.resolve(listening)
      return null
    },
    async failed(why) {
      asked.push('failed')
      return (await own.failed?.(why)) ?? null
    },
    async record() {
      asked.push('record')
      return 'written'
    },
    async news() {
      asked.push('news')
      return null
    },
    async leaving() {
      asked.push('leaving')
      return null
    },
  })
  const { log } = createLog({ level: 'error', format: 'json' })
  const done = runWorker({
    ...{ log, metrics: createMetrics(), clock: systemClock, seat: { number: 1, of: 2 }, port: there, bug },
    ...{ start: readPrinted(file), again: () => readPrinted(file) },
  })
  return { channel, asked, ready: ready.promise, haveBug, done }
}

t.test('it begins, is ready, answers, and ends when it is told to', async t => {
  const { channel, asked, ready, done } = play(site)
  const [listening] = await ready
  t.equal(listening?.name, 'web')
  t.match(await channel.ask('readiness', null), {
    parts: { 'certificate web': 'ok', 'upstream app': 'does not answer' },
  })
  const measured = await channel.ask('metrics', null)
  t.ok(measured.some(({ name }) => name === 'sallyport_exchanges_total'))
  t.same(await channel.ask('settle', true), { ok: false, why: 'nothing was prepared' })
  await channel.ask('drain', null)
  t.equal(await done, true)
  t.same(asked, ['begin', 'ready'], 'it tells the trail of no start, and of no stop')
})

t.test('a reload that not all agree to changes nothing, and another can follow', async t => {
  const { channel, ready, done } = play(site)
  await ready
  const { print } = readPrinted(site.file)
  t.same(await channel.ask('prepare', print), { ok: true })
  t.same(await channel.ask('settle', false), { ok: false, why: 'another worker could not follow' })
  t.same(await channel.ask('prepare', 'of other files'), { ok: false, why: 'files have changed while they were read' })
  t.same(await channel.ask('prepare', print), { ok: true })
  t.same(await channel.ask('settle', true), { ok: true })
  await channel.ask('drain', null)
  await done
})

t.test('with a bug it says so, lets what runs finish, and did not end as it should', async t => {
  const { asked, ready, haveBug, done } = play(site)
  await ready
  haveBug('a bug')
  t.equal(await done, false)
  t.same(asked, ['begin', 'ready', 'leaving'])
})

t.test('it does not begin on files that are not at work', async t => {
  const { asked, done } = play(site, { begin: async () => ({ go: false }) })
  t.equal(await done, false)
  t.same(asked, ['begin'])
})

t.test('what it cannot do at the start it tells, as far as a person can make use of it', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number } // bound to TCP
  const text = readFileSync(site.file, 'utf8')
  writeFileSync(site.file, text.replace('127.0.0.1:0', `127.0.0.1:${port}`))
  t.teardown(() => writeFileSync(site.file, text))
  let failure: unknown
  const { done } = play(site, {
    async failed(said) {
      failure = said
      return null
    },
  })
  t.equal(await done, false)
  t.match(failure, { code: 'EADDRINUSE', address: '127.0.0.1', port, syscall: 'listen' })
})
