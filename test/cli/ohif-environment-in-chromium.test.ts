// In the place of the OHIF image a real browser gets the real viewer over TLS, and images from the archive that APP_CONFIG names.
import { mkdirSync, symlinkSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import type { Exchange, HeaderList } from '../../src/listener/exchange.ts'
import { appConfigFor } from '../../src/viewer/app-config.ts'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { startFrontDoor } from '../fixture/front-door.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { viewerRoot } from '../fixture/viewer.ts'
import { imageBrightness, shoot, watch } from '../real/in-browser.ts'
import { makePlace, serveThere } from './ohif-place.ts'

/** An archive on an origin of its own that lets every page in: what sites with the OHIF image have. */
async function archive({ request: asked, reply }: Exchange, orthanc: string): Promise<void> {
  const cors: HeaderList = [
    ['access-control-allow-origin', '*'],
    ['access-control-allow-headers', '*'],
  ]
  if (asked.method === 'OPTIONS') return reply.send(204, cors, '')
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = asked.headers.filter(([name]) => name === 'accept').flat()
  request(new URL(asked.target, orthanc), { method: asked.method, headers }, resolve).once('error', reject).end()
  const answer = await promise
  const type = answer.headers['content-type'] ?? 'application/octet-stream'
  await pipeline(answer, reply.head(answer.statusCode ?? 502, [...cors, ['content-type', type]]))
}

t.test('the study list appears over TLS, cross-origin isolated, and a study of the archive is shown', async t => {
  if (!requireReal(t, [...chromiumTools, ...orthancTools])) return
  const orthanc = await startOrthanc(t, { study: { slices: 3, size: 128, patientName: 'Standin^Image' } })
  const door = await startFrontDoor(t, exchange => archive(exchange, orthanc.url).catch(() => exchange.reply.abort()))
  const place = makePlace(t, 'no viewer')
  mkdirSync(place.file('state'))
  symlinkSync(await viewerRoot(t), place.file('state/ohif'))
  const { certFile, keyFile } = await door.authority.server(['localhost'])
  const served = await serveThere(t, place, 'SSL_PORT', {
    SSL_CERTIFICATE: certFile,
    SSL_CERTIFICATE_KEY: keyFile,
    APP_CONFIG: appConfigFor(`${door.url}/dicom-web`),
  })
  const url = `https://localhost:${served.port}`

  const chromium = await startChromium(t, { caFile: door.authority.caFile })
  const page = await chromium.newPage()
  const seen = watch(page, url)
  await page.goto(url, { waitUntil: 'domcontentloaded' })
  await page.getByText('Standin', { exact: false }).first().waitFor({ timeout: 60_000 })
  t.equal(await page.evaluate('crossOriginIsolated'), true, 'SharedArrayBuffer is there')
  await shoot(page, 'ohif-environment-list')

  await page.goto(`${url}/viewer?StudyInstanceUIDs=${orthanc.studyUid}`, { waitUntil: 'domcontentloaded' })
  t.ok((await imageBrightness(page)) > 300, 'the image is there')
  await shoot(page, 'ohif-environment-study')
  t.same(seen.complaints, [], 'nothing stood in the way')
  t.same(seen.refusals(), [], 'and no file was missing')
  t.ok(
    seen.elsewhere.every(asked => asked.startsWith(door.url)),
    'nobody else was asked',
  )
})
