/**
 * `npm run soak [MINUTES]`: a day of a hospital in ten minutes, against real parts, with the failures counted.
 *
 * In the first half the process is killed and stopped again and again; the second half it lives through, so that a leak
 * shows. Writes soak.svg (memory) and soak.json to the folder that SOAK_RESULTS names, else to node_modules/.cache/soak.
 * Ends with 1 if a failure is not explained by an outage of our own making.
 */
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { freePorts } from '../../src/demo/free-port.ts'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'
import { makeSite } from '../fixture/site.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { viewerRoot } from '../fixture/viewer.ts'
import * as loads from './loads.ts'
import { memoryPlot } from './memory-plot.ts'
import { soakProcess } from './process-under-soak.ts'
import { Tally, WrongAnswer } from './tally.ts'

const minutes = Number(process.argv[2] ?? 10)
if (!(minutes > 0 && minutes <= 24 * 60)) {
  console.error(`error: "${process.argv[2]}" is no number of minutes, e.g.: npm run soak 30`)
  process.exit(2)
}
const tools = [...chromiumTools, ...orthancTools, ...slapdTools]
const told = {
  pass: (reason: string) => console.error(reason),
  fail: (reason: string) => console.error(`error: ${reason}`),
}
if (!requireReal(told, tools)) {
  console.error('hint: node test/install-packages.ts')
  process.exit(2)
}

await using parts = new AsyncDisposableStack()
const t = {
  teardown: (undo: () => unknown) => parts.defer(async () => void (await undo())),
  comment: (text: unknown) => console.log(String(text)),
}
const tally = new Tally()
const slapd = await startSlapd(t)
const orthanc = await startOrthanc(t)
const { studyUid, seriesUid, instances, instanceUids } = makeCtStudy({ slices: 48, size: 256, seed: 1 })
for (const instance of instances) await orthanc.upload(instance)
const frames = new Map<string, string>()
for (const uid of instanceUids) {
  const [id] = (await (await fetch(`${orthanc.url}/tools/lookup`, { method: 'POST', body: uid })).json()) as {
    ID: string
  }[] // Orthanc's own shape
  const raw = await fetch(`${orthanc.url}/instances/${id?.ID}/frames/0/raw`)
  frames.set(uid, loads.hashOf(Buffer.from(await raw.arrayBuffer())))
}
const echo = new WebSocketServer({ host: '127.0.0.1', port: 0 })
await once(echo, 'listening')
echo.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })))
parts.defer(() => echo.close())
const echoAddress = echo.address()
if (echoAddress === null || typeof echoAddress === 'string') throw new Error('a WebSocket server has a port')

const scanner = { uid: 'ct-scanner', password: 'scanner pass-word' }
const [port = 0, adminPort = 0] = await freePorts(2, '127.0.0.1')
const site = await makeSite(t, {
  accounts: { [scanner.uid]: { password: scanner.password, groups: ['scanners'] } },
  listener: 'limits: { headerCount: 200 }',
  yaml: `drain: 5 s
log: { level: warn, format: json }
audit: { file: state/audit.jsonl }
admin: { bind: "127.0.0.1:${adminPort}" }
realms:
  basic: true
  local: { file: users.yaml }
  directory:
    enabled: true
    urls: ["${slapd.url}"]
    username: "${slapd.reader.dn}"
    password: { file: reader }
    base: ${slapd.base}
    userMapping: omeName=uid
    newUserGroup: ":query:(member=@{dn})"
    syncOnLogin: true
upstreams:
  viewer: { kind: ohif, root: ${await viewerRoot(t)} }
  orthanc: { kind: orthanc, url: "${orthanc.url}" }
  echo: { kind: generic, url: "http://127.0.0.1:${echoAddress.port}" }
routes:
  - { path: /, upstream: viewer, access: authenticated }
  - { path: /socket, upstream: echo, access: authenticated }
  - { path: /orthanc, upstream: orthanc, strip: true, access: [{ groups: [scanners], may: write }] }
  - path: /dicom-web
    upstream: orthanc
    access: [{ groups: [scanners], may: write }, { groups: [radiology], may: read }]`,
})
writeFileSync(join(site.dir, 'reader'), slapd.reader.password, { mode: 0o600 })
writeFileSync(site.file, readFileSync(site.file, 'utf8').replace('127.0.0.1:0', `127.0.0.1:${port}`))

const gate = await soakProcess(t, { site, adminPort, tally })
const { browser } = await startChromium(t, { caFile: site.authority.caFile })
const ward: loads.Ward = {
  ...{ gate, scanner, alice: slapd.people.alice },
  study: { uid: studyUid, seriesUid, frames },
  stored: new Set(),
}

const seconds = minutes * 60
const end = Date.now() + seconds * 1_000
const isOver = () => Date.now() > end
/** Does it again and again, with pauses in between, until the time is up. */
const again = async (name: string, count: number, rest: number, work: () => Promise<void>, patience?: number) => {
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (!isOver()) {
        await tally.attempt(name, work, patience)
        await pause(rest * (0.5 + Math.random()))
      }
    }),
  )
}
async function disturb(): Promise<void> {
  const every = Math.min(45, seconds / 12)
  for (let turn = 0; !isOver(); turn++) {
    await pause(every * 1_000)
    if (isOver()) return
    const isRough = Date.now() < end - (seconds / 2) * 1_000
    if (isRough && turn % 2 === 1) await gate.restart(turn % 4 === 1 ? 'SIGKILL' : 'SIGTERM')
    else await gate.reload()
  }
}

console.log(`soaking for ${minutes} min: OHIF in Chromium, STOW, frames over HTTP/2, LDAP, WebSockets, reloads, kills`)
await Promise.all([
  disturb(),
  // Drawn without a graphics card, beside all the others.
  again('OHIF in a browser', 1, 2_000, () => loads.browse(ward, browser), 120_000),
  again('STOW and read back', 1, 800, () => loads.store(ward)),
  again('48 frames over HTTP/2', 2, 500, () => loads.readFrames(ward)),
  again('LDAP sign-in and out', 2, 400, () => loads.signInAndOut(ward)),
  again('WebSocket of 5 s', 4, 500, () => loads.talk(ward)),
  again('intruders', 1, 1_000, () => loads.intrude(ward)),
])

await tally.attempt('what was stored is there', async () => {
  for (const uid of ward.stored) {
    const found = (await (
      await fetch(`${orthanc.url}/tools/lookup`, { method: 'POST', body: uid })
    ).json()) as unknown[]
    if (found.length !== 1) throw new Error(`${uid} is in the archive ${found.length} times`)
  }
})

const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const last = gate.samples.filter(({ life }) => life === gate.samples.at(-1)?.life).map(({ megabytes }) => megabytes)
const quarter = Math.ceil(last.length / 4)
const [early, late] = [middle(last.slice(quarter, 2 * quarter)), middle(last.slice(-quarter))]
// Before that it is still getting warm.
if (last.length >= 180)
  await tally.attempt('memory stays', async () => {
    if (late > early * 1.25) throw new WrongAnswer(`it grew from ${early} to ${late} MB`)
  })
const rows = tally.rows()
const folder = resolve(process.env['SOAK_RESULTS'] ?? join(import.meta.dirname, '../../node_modules/.cache/soak'))
mkdirSync(folder, { recursive: true })
writeFileSync(
  join(folder, 'soak.svg'),
  memoryPlot(`Memory of the gateway over ${minutes} min (RSS)`, gate.samples, gate.marks),
)
writeFileSync(
  join(folder, 'soak.json'),
  `${JSON.stringify({ minutes, rows, unexplained: tally.unexplained, outages: tally.outages, samples: gate.samples, marks: gate.marks }, null, 1)}\n`,
)
console.table(Object.fromEntries(rows.map(({ load, ...counts }) => [load, counts])))
for (const line of tally.unexplained) console.log(`unexplained: ${line}`)
console.log(
  `memory of the last life: ${early} MB in its second quarter, ${late} MB in its last, ${Math.max(...last)} MB at most`,
)
console.log(`results: ${folder}`)
const unexplained = rows.reduce((sum, row) => sum + row.unexplained, 0)
console.log(`${rows.reduce((sum, row) => sum + row.done, 0)} done, ${unexplained} unexplained failures`)
process.exitCode = unexplained > 0 ? 1 : 0
