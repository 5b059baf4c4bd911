// The real OHIF viewer shows real images in a real browser, fenced in by the headers that we give it.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { Exchange } from '../../src/listener/exchange.ts'
import { openViewer } from '../../src/viewer/static-files.ts'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { startFrontDoor } from '../fixture/front-door.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'
import { viewerRoot } from '../fixture/viewer.ts'

/** The shortest way to Orthanc: forwarding has tests of its own. */
async function passOn({ request: asked, reply }: Exchange, upstream: string): Promise<void> {
  const headers = asked.headers.flatMap(([name, value]) =>
    name === 'host' || name === 'accept-encoding' ? [] : [name, value],
  )
  const { promise, resolve, reject } = Promise.withResolvers<import('node:http').IncomingMessage>()
  request(new URL(asked.target, upstream), { method: asked.method, headers }, resolve).once('error', reject).end()
  const answer = await promise
  const type = answer.headers['content-type'] ?? 'application/octet-stream'
  await pipeline(answer, reply.head(answer.statusCode ?? 502, [['content-type', type]]))
}

async function compressedStudies(t: Test, upload: (file: Buffer) => Promise<unknown>): Promise<[string, string][]> {
  const dir = t.testdir()
  const studies: [string, string][] = []
  const tools: [string, string, string[]][] = [
    ['JPEG-LS', 'dcmcjpls', []],
    ['JPEG lossless', 'dcmcjpeg', []],
    ['RLE', 'dcmcrle', []],
  ]
  for (const [index, [name, tool, options]] of tools.entries()) {
    const { studyUid, instances } = makeCtStudy({
      slices: 2,
      size: 128,
      seed: 10 + index,
      patientName: `Packed^${name}`,
    })
    for (const [slice, bytes] of instances.entries()) {
      const [plain, packed] = [join(dir, `${index}-${slice}.dcm`), join(dir, `${index}-${slice}.packed.dcm`)]
      writeFileSync(plain, bytes)
      execFileSync(tool, [...options, plain, packed])
      await upload(readFileSync(packed))
    }
    studies.push([name, studyUid])
  }
  return studies
}

/** True once the first image has a good share of bright pixels. Runs in the page. */
const hasPixels = `(() => {
  const canvas = document.querySelector('.cornerstone-canvas')
  if (!canvas || !canvas.width) return false
  const small = new OffscreenCanvas(64, 64).getContext('2d')
  small.drawImage(canvas, 0, 0, 64, 64)
  const { data } = small.getImageData(0, 0, 64, 64)
  let bright = 0
  for (let at = 0; at < data.length; at += 4) if (data[at] > 60) bright++
  return bright > 300
})()`

/** Asked from outside: playwright's own waiting would need 'unsafe-eval' in the page. */
async function isShown(page: Page): Promise<boolean> {
  for (let tries = 0; tries < 150; tries++) {
    if (await page.evaluate(hasPixels)) return true
    await pause(200)
  }
  return false
}

function watch(page: Page): string[] {
  const complaints: string[] = []
  page.on('console', message => {
    if (/Content Security Policy|Refused to|blocked/i.test(message.text()))
      complaints.push(message.text().slice(0, 300))
  })
  page.on('pageerror', error => complaints.push(String(error).slice(0, 300)))
  return complaints
}

t.test('OHIF lists the studies and shows the images, packed ones as well', async t => {
  if (!requireReal(t, [...chromiumTools, ...orthancTools, 'dcmcjpls', 'dcmcjpeg', 'dcmcrle'])) return
  const root = await viewerRoot(t)
  const orthanc = await startOrthanc(t, { study: { slices: 4, size: 128 } })
  const viewer = openViewer({ kind: 'ohif', root, dicomWeb: '/dicom-web' })
  const refuse = { signedOut: false }
  const door = await startFrontDoor(t, async exchange => {
    const path = exchange.request.target.split('?')[0] ?? '/'
    if (!path.startsWith('/dicom-web')) return await viewer.serve(exchange, path)
    if (refuse.signedOut) return exchange.reply.send(401, [['content-type', 'application/problem+json']], '{}')
    await passOn(exchange, orthanc.url).catch(() => exchange.reply.abort())
  })
  const studies: [string, string][] = [
    ['uncompressed', orthanc.studyUid ?? ''],
    ...(await compressedStudies(t, orthanc.upload)),
  ]
  const chromium = await startChromium(t, { caFile: door.authority.caFile })
  const page = await chromium.newPage()
  const complaints = watch(page)

  await page.goto(door.url, { waitUntil: 'domcontentloaded' })
  await page.getByText('Packed', { exact: false }).first().waitFor({ timeout: 60_000 })
  t.equal(await page.evaluate('crossOriginIsolated'), true, 'SharedArrayBuffer is there')

  for (const [name, uid] of studies) {
    await page.goto(`${door.url}/viewer?StudyInstanceUIDs=${uid}`, { waitUntil: 'domcontentloaded' })
    t.ok(await isShown(page), `${name} is shown`)
  }
  t.same(complaints, [], 'the policy was in the way of nothing')

  refuse.signedOut = true
  await page.goto(door.url, { waitUntil: 'domcontentloaded' })
  const note = page.locator('#sallyport-session')
  await note.waitFor({ timeout: 30_000 })
  t.equal(await note.getByText('Sign in again').getAttribute('href'), '/-/login')
  await page.getByText('Data Source Connection Error').waitFor()
  await note.getByText('Close').click({ timeout: 5_000 })
  t.equal(await note.count(), 0, 'an open dialog does not stand in its way')
})
