// `npm run bench -- study` in small, but for the browser, which test/long has: the frames are right, and the table has every way.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { orthancTools } from '../../fixture/orthanc.ts'
import { requireReal } from '../../fixture/real.ts'
import { study } from './study.ts'

t.test('a few slices come through every way to a DICOMweb client', async t => {
  if (!requireReal(t, [...orthancTools, 'nginx'])) return
  const out = mkdtempSync(join(tmpdir(), 'sallyport-study-out-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const results = await study(t, { repetitions: 1, slices: 4, size: 64, out, browser: false }, line => t.comment(line))
  const of = (kind: string) => results.filter(({ client }) => client === kind).map(({ way }) => way)
  const cached = ['sallyport with cache, first viewer', 'sallyport with cache, second viewer']
  t.same(of('DICOMweb'), [
    ...['Orthanc itself, HTTP/1.1', 'nginx', 'nginx, cache warm', 'sallyport, just started', 'sallyport'],
    ...cached,
  ])
  t.same(
    of('DICOMweb over a slow line').filter(way => !/cache/.test(way)),
    ['nginx', 'sallyport, compress: never', 'sallyport, compress: auto', 'sallyport, compress: always'],
  )
  for (const { client, way, seconds, megabytes } of results)
    t.ok(seconds > 0 && megabytes > 0, `${client}, ${way}: ${seconds} s, ${megabytes} MB`)
  t.match(readFileSync(join(out, 'study.md'), 'utf8'), /^\| sallyport with cache, second viewer \| /m)
})
