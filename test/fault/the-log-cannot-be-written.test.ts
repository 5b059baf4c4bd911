// Whoever reads the log has gone, or its disk is full: the gateway serves on, heeds its operator, and ends as usual. What
// it had to say meanwhile is lost, and the audit trail, which is no log, is not.
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { askSite, makeSite, type Site, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'

t.jobs = 3
const rounds = 8

async function makeHouse(t: Test, format: 'json' | 'pretty' = 'json'): Promise<Site> {
  const upstream = await startUpstream(t)
  return await makeSite(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
log: { level: debug, format: ${format} }
upstreams: { app: { kind: orthanc, url: "${upstream.url}" }, gone: { kind: generic, url: "http://127.0.0.1:1" } }
routes: [{ path: /, upstream: app, access: authenticated }, { path: /gone, upstream: gone, access: everyone }]`,
  })
}

/** Far more lines than any buffer holds, warnings among them; each answer is the usual one. */
async function keepsServing(t: Test, site: Site, served: { port: number }, from: number): Promise<void> {
  const authorization = `Basic ${Buffer.from('alice:alice-password').toString('base64')}`
  for (let round = from; round < from + rounds; round++) {
    const asked = [
      ['/gone', 502],
      ['/closed', 401],
      [`/studies/1.2.${round}`, 200],
      [`/${'long'.repeat(1_000)}`, 200],
    ] as const
    for (const [path, status] of asked) {
      const headers: Record<string, string> = status === 200 ? { authorization } : {}
      const answer = await askSite(site, served, path, { headers })
      answer.resume()
      if (answer.statusCode !== status) throw new Error(`round ${round}: ${path} was ${answer.statusCode}`)
    }
  }
  t.pass('every answer was the usual one')
}

const trailOf = ({ dir }: Site) =>
  readFileSync(join(dir, 'state', 'audit.jsonl'), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>) // our own audit lines are objects

const studies = (site: Site) => trailOf(site).filter(({ kind }) => kind === 'study').length

t.test('the reader of the log goes away while requests come in', async t => {
  const site = await makeHouse(t)
  const served = await serveSite(t, site)
  await keepsServing(t, site, served, 0)
  served.deafen()
  await keepsServing(t, site, served, 100)
  served.signal('SIGHUP')
  t.ok(await within(5_000, () => trailOf(site).some(({ kind }) => kind === 'reload')), 'it heeds SIGHUP')
  await keepsServing(t, site, served, 200)
  t.ok(await within(2_000, () => studies(site) === 3 * rounds), 'the trail has all')
  served.signal('SIGTERM')
  t.match(await served.ended, { exitCode: 0, signal: null })
})

for (const format of ['json', 'pretty'] as const) {
  t.test(`the disk of the log is full from the first line, as ${format}`, async t => {
    const site = await makeHouse(t, format)
    const shell = join(site.dir, 'to-a-full-disk')
    writeFileSync(shell, `#!/bin/sh\nexec '${process.execPath}' "$@" 2>/dev/full\n`, { mode: 0o700 })
    const served = await serveSite(t, site, { node: shell })
    await keepsServing(t, site, served, 0)
    served.signal('SIGHUP')
    t.ok(await within(5_000, () => trailOf(site).some(({ kind }) => kind === 'reload')), 'it heeds SIGHUP')
    await keepsServing(t, site, served, 100)
    t.ok(await within(2_000, () => studies(site) === 2 * rounds), 'the trail has all')
    served.signal('SIGTERM')
    t.match(await served.ended, { exitCode: 0, signal: null })
  })
}

t.test('the disk of the log is full for a while', async t => {
  const site = await makeHouse(t)
  const log = join(site.dir, 'log')
  // A limit of the size of files stands in for the disk; with this before the log, it meets no other file.
  writeFileSync(log, `${'-'.repeat(1023)}\n`.repeat(4 * 1024))
  const shell = join(site.dir, 'to-a-file')
  writeFileSync(shell, `#!/bin/sh\nexec '${process.execPath}' "$@" 2>>'${log}'\n`, { mode: 0o700 })
  const heard = "process.on('SIGXFSZ',()=>{})"
  const served = await serveSite(t, site, {
    node: shell,
    env: { NODE_OPTIONS: `--import=data:text/javascript,${heard}` },
  })
  const allow = (bytes: number | 'unlimited') =>
    execFileSync('/usr/bin/prlimit', [`--pid=${served.pid}`, `--fsize=${bytes}:unlimited`])
  const told = (path: string) => readFileSync(log, 'utf8').includes(`"path":"${path}"`)
  const ask = async (path: string) => (await askSite(site, served, path)).resume().statusCode
  t.equal(await ask('/before'), 401)
  t.ok(await within(3_000, () => told('/before')))
  allow(statSync(log).size + 10)
  await keepsServing(t, site, served, 0)
  t.equal(await ask('/meanwhile'), 401)
  await pause(500)
  t.notOk(told('/meanwhile'))
  allow('unlimited')
  t.equal(await ask('/after'), 401)
  t.ok(await within(5_000, () => told('/after')), 'with room it is written again, without a restart')
  served.signal('SIGTERM')
  t.match(await served.ended, { exitCode: 0, signal: null })
})
