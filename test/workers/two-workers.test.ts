// Two workers behind one address are one gateway: for those who sign in and out, for those who count, and for those who
// guess; whatever one of them knows, the other knows within a second.
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { WebSocket } from 'ws'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { within } from '../behaviour/app.ts'
import { signIn, textOf } from '../cli/signed-in.ts'
import { askSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { serveCrew } from './crew-site.ts'

const arrived = new Map<string, () => void>()
let [atOnce, most, frames] = [0, 0, 0]
const octets = [['Content-Type', 'multipart/related; type="application/octet-stream"; boundary=b']] as const
const upstream = await startUpstream(t, async ({ target, header }) => {
  if (header('upgrade') !== undefined) return upgradeEcho()
  if (target.endsWith('/frames/1')) return reply({ headers: octets, body: `--b\r\n\r\n${++frames}\r\n--b--\r\n` })
  if (!target.startsWith('/held/')) return json({ all: 'well' })
  most = Math.max(most, ++atOnce)
  await new Promise<void>(resolve => arrived.set(target, resolve))
  atOnce--
  return json({ held: 'till now' })
})
const password = 'alice-password'
const served = await serveCrew(t, {
  accounts: { alice: { password }, bob: { password } },
  listeners: 'open: { bind: "127.0.0.1:0", keystore: KEYSTORE }', // asks for no certificates
  yaml: `
workers: 2
drain: 2 s
audit: { onFailure: refuse }
upstreams:
  app: { kind: generic, url: "${upstream.url}" }
  pacs: { kind: generic, url: "${upstream.url}", cache: { memory: 4 MB } }
  few: { kind: generic, url: "${upstream.url}", connections: 3 }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /dicom-web, upstream: pacs, access: everyone }
  - { path: /in, upstream: app, access: authenticated }
  - { path: /held, upstream: few, access: everyone }
realms: { basic: true, local: { file: users.yaml }, throttle: { name: { failures: 4, within: 1 h } } }`,
})
const { site, url } = served
const ask = (path: string, headers = {}) => askSite(site, served, path, { headers })

t.test('addresses are told once, and connections are taken in turns', async t => {
  t.same(
    [...served.stdout().matchAll(/^listening \S+ \((.*)\)$/gm)].map(([, name]) => name),
    ['web', 'open', 'admin'],
  )
  t.equal(served.workers().length, 2)
  const lines = Array.from({ length: 8 }, () => served.line())
  for (const [at, line] of lines.entries()) t.equal((await line.ask(`/turn-${at}`)).status, 200)
  const workers = await Promise.all(lines.map((_, at) => served.workerOf(`/turn-${at}`)))
  for (const line of lines) line.close()
  t.same(workers.toSorted(), [1, 1, 1, 1, 2, 2, 2, 2], 'as many for each, however few they are')
})

t.test('who signs in at one is known to both, and who signs out is gone from both', async t => {
  const cookie = await signIn(site, served, 'alice', password)
  for (const path of ['/in/1', '/in/2']) t.equal((await ask(path, { cookie })).resume().statusCode, 200)
  t.not(await served.workerOf('/in/1'), await served.workerOf('/in/2'))

  const sockets = ['/in/ws-1', '/in/ws-2'].map(path => {
    const headers = { cookie, origin: url }
    return new WebSocket(`wss://localhost:${served.port}${path}`, { ca: site.authority.caPem, headers })
  })
  const goodbyes: unknown[] = []
  for (const socket of sockets) socket.on('close', (code, reason) => goodbyes.push([code, String(reason)]))
  t.ok(await within(5_000, () => sockets.every(socket => socket.readyState === WebSocket.OPEN)))
  const form = await ask('/-/logout', { cookie, 'sec-fetch-mode': 'navigate' })
  const pre = (form.headers['set-cookie'] ?? []).map(line => line.split(';')[0])
  const token = /name="token" value="([^"]+)"/.exec(await textOf(form))?.[1] ?? ''
  const out = await askSite(site, served, '/-/logout', {
    method: 'POST',
    headers: {
      cookie: [cookie, ...pre].join('; '),
      origin: url,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token }).toString(),
  })
  t.equal(out.resume().statusCode, 303)
  t.ok(await within(1_000, () => goodbyes.length === 2), 'of both workers')
  const ended = [1008, 'the session has ended']
  t.same(goodbyes, [ended, ended])
  t.ok(
    await within(1_000, async () => {
      const answers = await Promise.all([ask('/in/3', { cookie }), ask('/in/4', { cookie })])
      return answers.every(answer => answer.resume().statusCode === 401)
    }),
  )
})

t.test('a certificate that is taken back is refused by both', async t => {
  const carol = await site.authority.client('carol')
  const identity = { cert: carol.chainPem, key: carol.keyPem }
  /** What she has open when it is taken back is cut. */
  const meets = (path: string) =>
    askSite(site, served, path, identity).then(
      answer => answer.resume().statusCode,
      () => 'cut',
    )
  for (const path of ['/in/carol-1', '/in/carol-2']) t.equal(await meets(path), 200)
  t.not(await served.workerOf('/in/carol-1'), await served.workerOf('/in/carol-2'))
  const sockets = ['/in/carol-ws-1', '/in/carol-ws-2'].map(
    path =>
      new WebSocket(`wss://localhost:${served.port}${path}`, {
        ...{ ca: site.authority.caPem, ...identity },
        headers: { origin: url },
      }),
  )
  let ended = 0
  for (const socket of sockets) socket.on('error', () => undefined).on('close', () => ended++)
  t.ok(await within(5_000, () => sockets.every(socket => socket.readyState === WebSocket.OPEN)))

  using ledger = openLedger(join(site.dir, 'state', ledgerFile))
  for (const issued of site.authority.ledger.list()) ledger.record(issued)
  ledger.revoke(carol.serial, { at: new Date(), reason: 'keyCompromise' })
  t.ok(
    await within(1_000, async () => {
      const answers = await Promise.all([meets('/in/carol-3'), meets('/in/carol-4')])
      return answers.every(answer => answer === 401)
    }),
  )
  t.ok(await within(1_500, () => ended === 2), 'and what both had open has ended')
})

t.test('who guesses has as many tries as with one', async t => {
  const reasons: (number | undefined)[] = []
  for (let tries = 0; tries < 6; tries++) {
    const authorization = `Basic ${Buffer.from(`bob:guess-${tries}`).toString('base64')}`
    reasons.push((await ask('/in/guess', { authorization })).resume().statusCode)
  }
  t.same(reasons, [401, 401, 401, 401, 429, 429])
})

t.test('an upstream has no more connections than were written, of all workers together', async t => {
  const lines = Array.from({ length: 8 }, () => served.line())
  const answers = lines.map((line, at) => line.ask(`/held/${at}`))
  t.ok(await within(5_000, () => atOnce === 3))
  for (let left = 8; left > 0; left--) {
    await within(5_000, () => arrived.size > 0)
    const [[target, letGo] = ['', () => undefined]] = arrived
    arrived.delete(target)
    letGo()
  }
  for (const { status } of await Promise.all(answers)) t.equal(status, 200)
  for (const line of lines) line.close()
  t.equal(most, 3)
})

t.test('what is changed through one is shown by none from its memory', async t => {
  const instance = '/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5'
  const lines = [served.line(), served.line()]
  const shown = async () => {
    const answers = []
    for (const line of lines) answers.push(/\d+/.exec((await line.ask(`${instance}/frames/1`)).text.slice(3))?.[0])
    return answers
  }
  t.same(await shown(), ['1', '2'], 'each has a memory of its own')
  t.same(await shown(), ['1', '2'])
  t.equal((await askSite(site, served, instance, { method: 'DELETE' })).resume().statusCode, 200)
  t.same(await shown(), ['3', '4'])
  for (const line of lines) line.close()
})

t.test('signals and debuggers are none of a worker', async t => {
  for (const pid of served.workers()) {
    t.match(readFileSync(`/proc/${pid}/coredump_filter`, 'utf8'), /^0+\n$/, 'no core dump of it holds a key')
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.kill(pid, signal)
  }
  const pids = served.workers()
  for (let asked = 0; asked < 4; asked++) t.equal((await ask('/still-there')).resume().statusCode, 200)
  t.same(served.workers(), pids)
  t.notMatch(served.stderr(), /Debugger listening/)
})

t.test('what cannot be recorded is not done, though another process keeps the trail', async t => {
  const trail = join(site.dir, 'state', 'audit.jsonl')
  renameSync(trail, `${trail}.kept`)
  mkdirSync(trail)
  const refused = await askSite(site, served, '/x', { method: 'DELETE' })
  t.equal(refused.resume().statusCode, 503)
  rmdirSync(trail)
  renameSync(`${trail}.kept`, trail)
  t.equal((await askSite(site, served, '/x', { method: 'DELETE' })).resume().statusCode, 200)
  t.ok((await served.metric('sallyport_audit_failures_total')) > 0)
})

t.test('a session of TLS that one has opened is taken up by the other', async t => {
  const [, port] = await served.shows(/^listening https:\S+:(\d+) \(open\)$/m)
  const visit = async (path: string, session?: Buffer) => {
    const line = connect({
      ...{ host: '127.0.0.1', servername: 'localhost', port: Number(port), ca: site.authority.caPem },
      ...(session === undefined ? {} : { session }),
    })
    let ticket: Buffer | undefined
    line.on('session', given => {
      ticket = given
    })
    line.write(`GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`)
    await once(line, 'secureConnect')
    const reused = line.isSessionReused()
    await line.toArray()
    return { ticket, reused }
  }
  const first = await visit('/ticket-0')
  t.equal(first.reused, false)
  const turns = [1, 2, 3, 4].map(turn => `/ticket-${turn}`)
  for (const path of turns) t.equal((await visit(path, first.ticket)).reused, true, path)
  t.same(new Set(await Promise.all(turns.map(path => served.workerOf(path)))), new Set([1, 2]))
})

t.test('their numbers are those of one gateway', async t => {
  const before = await served.metric('sallyport_exchanges_total')
  for (let asked = 0; asked < 6; asked++) (await ask(`/counted-${asked}`)).resume()
  t.ok(await within(2_000, async () => (await served.metric('sallyport_exchanges_total')) === before + 6))
  t.equal(await served.metric('sallyport_workers'), 2)
  t.equal(await served.metric('sallyport_configuration_current'), 1)
  t.equal(await served.metric('sallyport_state_up'), 1)
  t.equal(await served.metric('sallyport_exchange_seconds_count'), before + 6, 'histograms as well')
  const ready = await fetch(`${served.admin}/readyz`)
  t.match([ready.status, await ready.json()], [200, { parts: { workers: '2 of 2 serve', 'upstream app': 'ok' } }])
})

t.test('when it is told to stop, both let what runs finish, and the trail tells of one gateway', async t => {
  const lines = [served.line(), served.line()]
  const answers = lines.map((line, at) => line.ask(`/held/last-${at}`))
  t.ok(await within(5_000, () => arrived.size === 2))
  served.signal('SIGTERM')
  await served.shows(/"msg":"stopping/)
  const ready = await fetch(`${served.admin}/readyz`)
  t.match([ready.status, await ready.json()], [503, { parts: { gateway: 'stopping' } }])
  for (const letGo of arrived.values()) letGo()
  for (const { status, text } of await Promise.all(answers)) t.same([status, text], [200, '{"held":"till now"}'])
  t.match(await served.ended, { exitCode: 0, signal: null })
  const kinds = served.audited()
  t.same([kinds[0], kinds.at(-1)], ['start', 'stop'])
  t.equal(kinds.filter(kind => kind === 'start' || kind === 'stop').length, 2)
  t.equal(kinds.filter(kind => kind === 'login').length, 1)
  const logged = served.stderr().trimEnd().split('\n')
  t.ok(logged.length > 30)
  for (const line of logged) t.doesNotThrow(() => JSON.parse(line), 'each line of the log is whole')
})
