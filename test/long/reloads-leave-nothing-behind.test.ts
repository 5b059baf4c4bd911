// F08: a hundred reloads under load, every tenth one of them wrong (YAML, a file that is missing, one that may not be read):
// what is wrong changes nothing, an upload runs through all of them, and what the old states held is let go.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { textOf } from '../cli/signed-in.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'
import { scalesFor, weighable } from '../fixture/weigh.ts'

const [first, all] = [20, 100]
/** Connections that have ended are held by their last timers for so long. */
const settles = 7_000

t.setTimeout(180_000)

t.test('a hundred reloads', async t => {
  t.setTimeout(180_000)
  const upstream = await startUpstream(t, ({ method, body, header }) =>
    reply({
      body: method === 'POST' ? createHash('sha256').update(body).digest('hex') : (header('x-generation') ?? ''),
    }),
  )
  const site = await makeSite(t, {
    yaml: `
log: { level: info }
upstreams: { app: { kind: generic, url: "${upstream.url}", headers: { X-Generation: "0" } } }
routes: [{ path: /, upstream: app, access: everyone }]`,
    listener: 'limits: { headers: 1 s }',
  })
  const text = readFileSync(site.file, 'utf8')
  const pairs = await Promise.all([1, 2].map(() => site.authority.server(['localhost'], ['127.0.0.1'])))
  const closed = join(site.dir, 'closed.pem')
  writeFileSync(closed, pairs[0]?.certPem ?? '')
  chmodSync(closed, 0)
  const served = await serveSite(t, site, { env: weighable, node: unprivileged(site.dir) })
  const weigh = scalesFor(served)

  const keystore = (nth: number, certificate?: string) => {
    const { certFile, keyFile } = pairs[nth % 2] ?? { certFile: '', keyFile: '' }
    return text
      .replace(/keystore: .*/, `keystore: { certificate: ${certificate ?? certFile}, key: ${keyFile} }`)
      .replace('"0"', `"${nth}"`)
  }
  const wrong = [
    (nth: number) => `${keystore(nth)}\nroutes: [`,
    (nth: number) => keystore(nth, join(site.dir, 'missing.pem')),
    (nth: number) => keystore(nth, closed),
  ]
  const outcomes = () =>
    [...served.stderr().matchAll(/"reason":"SIGHUP".*(is at work|was not taken|what ran before goes on)/g)].map(
      ([, how]) => how === 'is at work',
    )
  let atWork = 0
  async function reload(nth: number): Promise<void> {
    const broken = nth % 10 === 5 ? wrong[Math.floor(nth / 10) % wrong.length] : undefined
    writeFileSync(site.file, broken === undefined ? keystore(nth) : broken(nth))
    served.signal('SIGHUP')
    if (!(await within(15_000, () => outcomes().length >= nth))) throw new Error(`reload ${nth} came to no end`)
    if (outcomes()[nth - 1] !== (broken === undefined)) t.fail(`reload ${nth} is ${broken ? 'wrong' : 'right'}`)
    if (broken === undefined) atWork = nth
    // A connection of its own now and then: each costs the gateway memory for a few seconds after its end.
    if (nth % 5 > 0) return
    const seen = Number(await textOf(await askSite(site, served, '/x')))
    if (seen !== atWork) t.fail(`after reload ${nth} state ${seen} is at work`)
  }

  let isOver = false
  const digest = createHash('sha256')
  const body = Readable.from(
    (async function* () {
      for (const block = Buffer.alloc(2 * 1024, 'image'); !isOver; await pause(20)) {
        digest.update(block)
        yield block
      }
    })(),
  )
  const upload = askSite(site, served, '/upload', { method: 'POST', body }).then(textOf)

  /** Reloads with requests beside them, over one connection of each kind that lasts. */
  async function reloads(from: number, to: number): Promise<void> {
    let isDone = false
    let asked = 0
    const line = connectHttp2(served.url, { ca: site.authority.caPem })
    const http2 = async () => {
      while (!isDone) {
        const stream = line.request({ ':path': '/y' })
        const [headers] = await once(stream, 'response')
        await Array.fromAsync(stream)
        if (headers[':status'] !== 200) t.fail(`HTTP/2: ${headers[':status']}`)
        asked++
      }
    }
    const http1 = async () => {
      while (!isDone) {
        const answer = await askSite(site, served, '/z', { agent })
        if (answer.statusCode !== 200) t.fail(`HTTP/1.1: ${answer.statusCode}`)
        await textOf(answer)
        asked++
      }
    }
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const load = [http2(), http2(), http1()]
    for (let nth = from; nth <= to; nth++) await reload(nth)
    isDone = true
    await Promise.all(load)
    line.close()
    agent.destroy()
    t.ok(asked > to - from, `${asked} requests beside them were answered`)
  }
  const settled = async () => {
    await pause(settles)
    return await weigh()
  }
  await reloads(1, first)
  const early = await settled()
  await reloads(first + 1, all)
  isOver = true
  t.equal(await upload, digest.digest('hex'), 'the upload that saw them all arrived whole')
  const late = await settled()
  t.ok(late.heap < early.heap * 1.1, `${early.heap} MB are reachable after ${first}, ${late.heap} after ${all}`)
  t.ok(late.rss < early.rss * 1.1, `${early.rss} MB after ${first}, ${late.rss} after ${all}`)
  t.equal(outcomes().filter(isTaken => !isTaken).length, all / 10, 'each tenth was refused')
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)
})

/** Root reads every file: it has to give that right away first. */
function unprivileged(dir: string): string {
  if (process.getuid?.() !== 0) return process.execPath
  const shell = join(dir, 'unprivileged')
  const less = 'setpriv --inh-caps=-all --bounding-set=-dac_override,-dac_read_search --'
  writeFileSync(shell, `#!/bin/sh\nexec ${less} '${process.execPath}' "$@"\n`, { mode: 0o700 })
  return shell
}
