// A study of 200 MB is stored in one STOW-RS request without a length, and comes back whole, in memory that stays flat.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { Readable } from 'node:stream'
import t from 'tap'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'

const slices = 400

const most = (pid: number) =>
  Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)

t.test('400 slices are stored in one request and read in another', async t => {
  if (!requireReal(t, orthancTools)) return
  const orthanc = await startOrthanc(t)
  const site = await makeSite(t, {
    yaml: `upstreams: { orthanc: { kind: orthanc, url: "${orthanc.url}" } }\nroutes: [{ path: /, upstream: orthanc, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  await (await askSite(site, served, '/system')).resume().toArray()
  const before = most(served.pid)

  const { instances, studyUid } = makeCtStudy({ slices, size: 512, seed: 3 })
  const parts = function* () {
    for (const file of instances) {
      yield Buffer.from('--the-boundary\r\nContent-Type: application/dicom\r\n\r\n')
      yield file
      yield Buffer.from('\r\n')
    }
    yield Buffer.from('--the-boundary--\r\n')
  }
  const sent = request({
    ...{ host: '127.0.0.1', servername: 'localhost', ca: site.authority.caPem, port: served.port, agent: false },
    method: 'POST',
    path: '/dicom-web/studies',
    headers: {
      host: `localhost:${served.port}`,
      'content-type': 'multipart/related; type="application/dicom"; boundary=the-boundary',
    },
  })
  Readable.from(parts()).pipe(sent)
  const [stored] = (await once(sent, 'response')) as [IncomingMessage] // the only argument of this event
  await stored.resume().toArray()
  t.equal(stored.statusCode, 200)
  const counted = (await (await fetch(`${orthanc.url}/statistics`)).json()) as { CountInstances: number } // Orthanc's own shape
  t.equal(counted.CountInstances, slices)

  const whole = await askSite(site, served, `/dicom-web/studies/${studyUid}`, {
    headers: { accept: 'multipart/related; type="application/dicom"' },
  })
  let bytes = 0
  let preambles = 0
  for await (const chunk of whole) {
    bytes += chunk.length
    preambles += chunk.toString('latin1').split('DICM').length - 1
  }
  t.ok(whole.complete)
  t.ok(bytes > slices * 512 * 512 * 2, `${Math.round(bytes / 1024 / 1024)} MB`)
  // One may lie across two chunks.
  t.ok(preambles > slices * 0.98 && preambles <= slices, `${preambles}`)
  t.ok(most(served.pid) - before < 120, `it grew from ${before} to ${most(served.pid)} MB`)
})
