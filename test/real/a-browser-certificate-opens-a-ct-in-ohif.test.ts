// With a certificate in the browser, and nothing typed, a person opens a CT study in the real viewer.
import t from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { requireReal, requireRoot } from '../fixture/real.ts'
import { hospitalTools, slices, startHospital } from './hospital.ts'
import { imageBrightness, shoot, until, watch } from './in-browser.ts'

/** Runs in the page: by which protocol the page and all that it loaded came. */
const protocols = `[...new Set(
  ['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))
    .filter(({ name }) => name.startsWith(location.origin)).map(entry => entry.nextHopProtocol),
)]`

/** Runs in the page: whether every frame took fewer bytes on the line than it has. */
const allPacked = `performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/frames/1'))
  .every(({ encodedBodySize, decodedBodySize }) => encodedBodySize > 0 && encodedBodySize < decodedBodySize)`

t.test('a certificate from the browser’s own store opens a CT study in OHIF over HTTP/2', async t => {
  if (!requireReal(t, [...chromiumTools, ...hospitalTools]) || !requireRoot(t, 'browser policy')) return
  const { gateway, authority, viewer, studyUid } = await startHospital(t, { certificateGroups: ['radiology'] })
  const alice = await authority.client('alice')
  const { newPage } = await startChromium(t, {
    caFile: authority.caFile,
    p12: { file: alice.p12File, password: alice.p12Password },
    autoSelectFor: { pattern: gateway.url, issuer: 'Test Authority' },
  })
  const page = await newPage()
  const seen = watch(page, gateway.url)

  await page.goto(gateway.url, { waitUntil: 'domcontentloaded' })
  await page.getByText('Sample', { exact: false }).first().waitFor()
  t.equal(new URL(page.url()).pathname, '/', 'no login page came in between')
  t.same(await page.evaluate(protocols), ['h2'], 'the study list came over HTTP/2')
  await shoot(page, 'ohif-list')

  await page.goto(gateway.url + viewer, { waitUntil: 'domcontentloaded' })
  t.ok((await imageBrightness(page)) > 300, 'the image is there, and it is not black')
  t.equal(await page.evaluate('crossOriginIsolated'), true, 'SharedArrayBuffer is there')
  const frames = () => new Set(seen.answers.filter(({ path }) => /\/frames\/1$/.test(path)).map(({ path }) => path))
  await until(
    async () => frames().size,
    size => size === slices,
  )
  t.equal(frames().size, slices, 'every slice was fetched')
  t.same(await page.evaluate(protocols), ['h2'], 'the images came over HTTP/2')
  t.equal(await page.evaluate(allPacked), true, 'and packed')
  const ofFrames = gateway.log().filter(({ path }) => String(path).endsWith('/frames/1'))
  t.notOk(
    ofFrames.some(({ cache }) => cache === 'past'),
    'nothing that Chromium sends keeps a frame from the cache',
  )
  t.equal(ofFrames.filter(({ cache }) => cache === 'miss').length, slices)
  await shoot(page, 'ohif-viewer')

  t.same(seen.refusals(), [], 'nothing was refused or missing')
  t.same(seen.complaints, [], 'the policy was in the way of nothing')
  t.same(seen.elsewhere, [], 'nobody else was asked for anything')
  t.ok(
    seen.answers.some(({ path }) => path.includes(studyUid)),
    'the answers that were judged are those of the study',
  )
})
