/**
 * `npm run bench -- study`: a CT study of 200 slices in a real Orthanc, loaded by OHIF in Chromium and by a DICOMweb client.
 *
 * Each repetition goes through all ways in turn. sallyport is started anew in each, so that the first viewer of a study finds
 * no frame of it in the cache; nginx's cache is filled. Small frames of another study have gone every way before, as on any day but
 * the first one of a gateway, and the viewer's own files have been asked for; what one that has just started takes is a way of its
 * own. Every frame of the DICOMweb client is compared with what was stored.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import type { Test } from 'tap'
import { startAuthority } from '../../fixture/authority.ts'
import { startChromium } from '../../fixture/chromium.ts'
import { startOrthanc } from '../../fixture/orthanc.ts'
import { type CtTerms, makeCtStudy } from '../../fixture/sample-study.ts'
import { viewerRoot } from '../../fixture/viewer.ts'
import { cpuWatch, strangerWatch, treeOf } from '../processes.ts'
import { machine } from '../report.ts'
import { view } from './browser.ts'
import type { ClientOutcome, ClientTerms } from './dicomweb-client.ts'
import { type StudyResult, studyMarkdown } from './report.ts'
import { startSlowLine } from './slow-line.ts'
import { direct, refusal, type StudyGround, throughNginx, throughSallyport, type Way } from './ways.ts'

export const studyPackages = [
  'orthanc',
  'orthanc-dicomweb',
  'chromium',
  'libnss3-tools',
  'nginx-light',
  'fonts-dejavu-core',
]

export interface StudyTerms {
  readonly repetitions: number
  readonly slices: number
  /** Rows and columns. */
  readonly size: number
  readonly out: string
  /** Without the browser: only the DICOMweb client. */
  readonly browser: boolean
}

const line = { megabitsPerSecond: 100, roundTrip: 20 }
const accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
/** What Chromium sends. */
const codings = 'gzip, deflate, br, zstd'
const execute = promisify(execFile)

/** Path -> SHA-256 of the pixels. */
type Frames = Readonly<Record<string, string>>

/** Times that the small study is loaded before anything is timed: from then on Node compiles next to nothing. */
const rehearsals = 4
const justStarted = ', just started'

interface Stage extends StudyGround {
  readonly studyUid: string
  readonly frames: Frames
  /** Another one, of slices of 64 x 64: who has been there has the viewer's files and the gateway warm, and no frame of the study. */
  readonly smallUid: string
  readonly smallFrames: Frames
  readonly orthancPids: readonly number[]
  readonly browser: Browser | undefined
}

type T = Pick<Test, 'teardown' | 'comment'>

async function stage(t: T, { slices, size, browser }: StudyTerms): Promise<Stage> {
  const authority = await startAuthority(t)
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-study-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }))
  const orthanc = await startOrthanc(t)
  const store = async (terms: CtTerms): Promise<readonly [string, Frames]> => {
    const { studyUid, seriesUid, instances, instanceUids } = makeCtStudy(terms)
    const frames: Record<string, string> = {}
    for (const [at, instance] of instances.entries()) {
      await orthanc.upload(instance)
      const path = `/dicom-web/studies/${studyUid}/series/${seriesUid}/instances/${instanceUids[at]}/frames/1`
      // The pixels are the end of the file.
      const pixels = instance.subarray(-terms.size * terms.size * 2)
      frames[path] = createHash('sha256').update(pixels).digest('hex')
    }
    return [studyUid, frames]
  }
  const [studyUid, frames] = await store({ slices, size, seed: 1 })
  const [smallUid, smallFrames] = await store({ slices, size: 64, seed: 2 })
  const orthancPids = treeOf([process.pid]).filter(
    pid => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'Orthanc',
  )
  return {
    ...{ dir, authority, orthanc, studyUid, frames, smallUid, smallFrames, orthancPids },
    server: await authority.server(['localhost'], ['127.0.0.1']),
    viewer: await viewerRoot(t),
    browser: browser ? (await startChromium(t, { caFile: authority.caFile })).browser : undefined,
  }
}

/** All frames at once by the DICOMweb client. */
async function load(
  { dir, authority }: Stage,
  frames: Frames,
  way: Way,
  asked: { readonly coded: boolean; readonly through?: number },
): Promise<ClientOutcome> {
  const terms: ClientTerms = {
    ...{ origin: way.origin, frames, ca: authority.caFile },
    headers: { accept, ...way.headers, ...(asked.coded ? { 'accept-encoding': codings } : {}) },
    ...(asked.through === undefined ? {} : { through: asked.through }),
  }
  const file = join(dir, 'client.json')
  writeFileSync(file, JSON.stringify(terms), { mode: 0o600 })
  const env = { ...process.env, NODE_OPTIONS: '' }
  const program = join(import.meta.dirname, 'dicomweb-client.ts')
  const { stdout } = await execute(process.execPath, [program, file], { env }).catch((cause: unknown) => {
    throw new Error(`through ${way.origin}:\n${way.log?.() ?? ''}`, { cause })
  })
  const outcome = JSON.parse(stdout) as ClientOutcome // our own program
  if (outcome.wrong !== undefined) throw new Error(`through ${way.origin}: ${outcome.wrong}\n${way.log?.() ?? ''}`)
  return outcome
}

/** The way is as warm as on any day. */
async function rehearse(ground: Stage, way: Way, coded: boolean): Promise<void> {
  for (let turn = 0; turn < rehearsals; turn++) await load(ground, ground.smallFrames, way, { coded })
}

/** @returns one result for each way and client and repetition; writes study.md and study.json */
export async function study(t: T, terms: StudyTerms, say: (line: string) => void): Promise<readonly StudyResult[]> {
  const ground = await stage(t, terms)
  say(`${terms.slices} slices are in Orthanc`)
  const results: StudyResult[] = []
  const skipped = new Map<string, string>()
  const note = (client: StudyResult['client'], way: string, pids: readonly number[]) => {
    const [gateway, orthanc] = [cpuWatch(pids), cpuWatch(ground.orthancPids)]
    const strangers = strangerWatch([...pids, ...ground.orthancPids])
    return (figures: Pick<StudyResult, 'seconds' | 'stall' | 'megabytes' | 'firstPixels' | 'codings'>) => {
      const cost = { gatewayCpu: gateway(), orthancCpu: orthanc(), strangers: strangers() }
      results.push({ client, way, ...figures, ...cost })
      say(`${client}, ${way}: ${figures.seconds.toFixed(2)} s, ${figures.megabytes.toFixed(1)} MB`)
    }
  }
  /** One client through one way. */
  const once = async (client: StudyResult['client'], name: string, way: Way) => {
    const coded = client !== 'DICOMweb'
    if (!name.endsWith(justStarted)) await rehearse(ground, way, coded)
    if (client !== 'OHIF') {
      const done = note(client, name, way.pids)
      return done(await load(ground, ground.frames, way, { coded }))
    }
    if (ground.browser === undefined) return
    await view(ground.browser, way, ground.smallUid, terms.slices)
    const done = note(client, name, way.pids)
    const { firstPixels, lastFrame, megabytes } = await view(ground.browser, way, ground.studyUid, terms.slices)
    done({ seconds: lastFrame, firstPixels, megabytes, codings: [] })
  }
  const cache = 'cache: { memory: 1 GB }'
  const clients = ['DICOMweb', 'DICOMweb, as a browser', ...(terms.browser ? (['OHIF'] as const) : [])] as const

  for (let turn = 0; turn < terms.repetitions; turn++) {
    for (const client of clients) {
      await using parts = new AsyncDisposableStack()
      const own = { teardown: (undo: () => unknown) => parts.defer(async () => void (await undo())) }
      if (client !== 'OHIF') await once(client, 'Orthanc itself, HTTP/1.1', direct(ground))
      await once(client, 'nginx', await throughNginx(own, ground, false))
      const cached = await throughNginx(own, ground, true)
      if (client === 'OHIF' && ground.browser !== undefined)
        await view(ground.browser, cached, ground.studyUid, terms.slices)
      else await load(ground, ground.frames, cached, { coded: client !== 'DICOMweb' })
      await once(client, 'nginx, cache warm', cached)
      if (client === 'DICOMweb') await once(client, `sallyport${justStarted}`, await throughSallyport(own, ground))
      await once(client, 'sallyport', await throughSallyport(own, ground))
      const why = refusal(ground, cache)
      if (why !== undefined) skipped.set('sallyport with cache', why)
      else {
        const keeping = await throughSallyport(own, ground, cache)
        await once(client, 'sallyport with cache, first viewer', keeping)
        await once(client, 'sallyport with cache, second viewer', keeping)
      }
    }
    await overSlowLine(ground, note, skipped)
  }
  mkdirSync(terms.out, { recursive: true })
  const all = { machine: machine(), ...terms, line, skipped: Object.fromEntries(skipped), results }
  writeFileSync(join(terms.out, 'study.json'), `${JSON.stringify(all, null, 1)}\n`)
  writeFileSync(join(terms.out, 'study.md'), studyMarkdown(all))
  return results
}

async function overSlowLine(
  ground: Stage,
  note: (
    client: StudyResult['client'],
    way: string,
    pids: readonly number[],
  ) => (figures: Pick<StudyResult, 'seconds' | 'stall' | 'megabytes' | 'firstPixels' | 'codings'>) => void,
  skipped: Map<string, string>,
): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const own = { teardown: (undo: () => unknown) => parts.defer(async () => void (await undo())) }
  const over = async (name: string, way: Way) => {
    await rehearse(ground, way, true)
    const through = await startSlowLine(own, { port: way.port, ...line })
    const done = note('DICOMweb over a slow line', name, way.pids)
    done(await load(ground, ground.frames, way, { coded: true, through }))
  }
  await over('nginx', await throughNginx(own, ground, false))
  for (const compress of ['never', 'auto', 'always']) {
    for (const more of ['', ', cache: { memory: 1 GB }']) {
      const settings = `compress: ${compress}${more}`
      const why = refusal(ground, settings)
      if (why !== undefined) skipped.set(`sallyport with ${settings}`, why)
      else {
        const way = await throughSallyport(own, ground, settings)
        await over(`sallyport, ${settings}`, way)
        if (more !== '') await over(`sallyport, ${settings}, second viewer`, way)
      }
    }
  }
  if (refusal(ground, 'compress: never') !== undefined) await over('sallyport', await throughSallyport(own, ground))
}
