// A real Orthanc behind the cache: the second viewer gets the same bytes, and what is stored or deleted is seen at once.
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'
import { archiveTools, as, startArchive, stowBody } from './archive.ts'

const octets = 'multipart/related; type="application/octet-stream"'
const how = (gateway: { log(): readonly Record<string, unknown>[] }) =>
  gateway.log().flatMap(line => line['cache'] ?? [])

t.test('frames, pictures and pixel data come from memory, byte for byte, until they are deleted', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway, orthanc, study } = await startArchive(t, 2, 64, 'cache: { memory: 16 MB }')
  const instance = `/dicom-web/studies/${study.uid}/series/${study.seriesUid}/instances/${study.instanceUids[0]}`
  const [id] = (await (await fetch(`${orthanc.url}/instances`)).json()) as string[] // Orthanc's own shape
  const paths: [string, string][] = [
    [`${instance}/frames/1`, octets],
    [`${instance}/rendered`, 'image/jpeg'],
    [`${instance}/rendered`, 'image/png'],
    [`${instance}/rendered?window=40,400,linear`, 'image/jpeg'],
    [`${instance}/frames/1/rendered`, 'image/png'],
    [`${instance}/bulk/7fe00010`, octets],
    [`/orthanc/instances/${id}/preview`, 'image/png'],
    [`/orthanc/instances/${id}/frames/0/raw`, '*/*'],
  ]
  const bodies = new Set<string>()
  for (const [path, accept] of paths) {
    const ask = (protocol: 'HTTP/1.1' | 'HTTP/2') =>
      gateway.ask(path, { protocol, basic: as('reader'), headers: { accept } })
    const first = await ask('HTTP/1.1')
    t.equal(first.status, 200, path)
    const second = await ask('HTTP/2')
    t.ok(second.bytes.equals(first.bytes), path)
    t.equal(second.headers['content-type'], first.headers['content-type'])
    bodies.add(first.bytes.toString('latin1'))
  }
  t.ok(bodies.size >= 5, 'and they are not all the same')
  t.same(
    how(gateway),
    paths.flatMap(() => ['miss', 'hit']),
  )
  t.equal((await gateway.ask(`${instance}/frames/1`)).status, 401)
  t.match(
    (await gateway.ask(`${instance}/frames/1`, { basic: as('reader'), headers: { accept: octets } })).text,
    gateway.url,
  )

  const frame = () => gateway.ask(`${instance}/frames/1`, { basic: as('reader'), headers: { accept: octets } })
  // What was deleted is gone, and what is stored again is there, at once.
  const pixels = (bytes: Buffer) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4).subarray(0, 64 * 64 * 2)
  const first = await frame()
  t.ok((await frame()).bytes.equals(first.bytes))

  const [studyId] = JSON.parse((await gateway.ask('/orthanc/studies', { basic: as('keeper') })).text)
  t.equal((await gateway.ask(`/orthanc/studies/${studyId}`, { method: 'DELETE', basic: as('keeper') })).status, 200)
  t.equal((await frame()).status, 404)

  const { type, body } = stowBody(makeCtStudy({ slices: 2, size: 64, seed: 1 }).instances)
  const headers = { 'content-type': type, accept: 'application/dicom+json' }
  const stored = await gateway.ask('/dicom-web/studies', { method: 'POST', basic: as('writer'), headers, body })
  t.equal(stored.status, 200)
  const again = await frame()
  t.equal(again.status, 200)
  t.ok(pixels(again.bytes).equals(pixels(first.bytes)))
  t.ok((await frame()).bytes.equals(again.bytes))
})
