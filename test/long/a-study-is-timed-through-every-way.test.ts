// `npm run bench -- study` in small: real Orthanc, nginx, OHIF in Chromium; the frames are right, and the table has every way.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { study } from '../bench/study/study.ts'
import { chromiumTools } from '../fixture/chromium.ts'
import { orthancTools } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'

t.test('a small study comes through every way, by OHIF and by a DICOMweb client', async t => {
  if (!requireReal(t, [...chromiumTools, ...orthancTools, 'nginx'])) return
  const out = mkdtempSync(join(tmpdir(), 'sallyport-study-out-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const terms = { repetitions: 1, slices: 12, size: 128, out, browser: true }
  const results = await study(t, terms, line => t.comment(line))
  for (const client of ['DICOMweb', 'DICOMweb, as a browser', 'OHIF']) {
    const ways = results.filter(result => result.client === client).map(({ way }) => way)
    const fresh = client === 'DICOMweb' ? ['sallyport, just started'] : []
    const own = [...fresh, 'sallyport', 'sallyport with cache, first viewer', 'sallyport with cache, second viewer']
    const all = ['nginx', 'nginx, cache warm', ...own]
    t.same(ways, client === 'OHIF' ? all : ['Orthanc itself, HTTP/1.1', ...all], client)
  }
  for (const { client, way, seconds, megabytes } of results)
    t.ok(seconds > 0 && megabytes > 0, `${client}, ${way}: ${seconds} s, ${megabytes} MB`)
  const slow = results.filter(({ client, way }) => client === 'DICOMweb over a slow line' && way === 'nginx')
  t.ok(slow.every(({ seconds }) => seconds > 0.04) && slow.length === 1, 'two round trips at least')
  t.match(readFileSync(join(out, 'study.md'), 'utf8'), /^\| sallyport with cache, second viewer \| /m)
})
