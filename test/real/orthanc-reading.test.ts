// What a viewer asks of an archive, asked of a real Orthanc through the gateway, is what Orthanc itself would answer.
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { archiveTools, as, startArchive } from './archive.ts'

const octets = 'multipart/related; type="application/octet-stream"'

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  t.test(`over ${protocol} a study is searched, described, read and drawn`, async t => {
    if (!requireReal(t, archiveTools)) return
    const { gateway, orthanc, study } = await startArchive(t)
    const ask = (path: string, accept: string) =>
      gateway.ask(path, { protocol, basic: as('reader'), headers: { accept } })
    const direct = async (path: string, accept: string) =>
      Buffer.from(await (await fetch(`${orthanc.url}${path}`, { headers: { accept } })).arrayBuffer())
    const instance = `/dicom-web/studies/${study.uid}/series/${study.seriesUid}/instances/${study.instanceUids[0]}`

    const found = await ask(
      `/dicom-web/studies?StudyInstanceUID=${study.uid}&includefield=all`,
      'application/dicom+json',
    )
    t.equal(found.status, 200)
    const [first] = JSON.parse(found.text)
    t.equal(first['0020000D'].Value[0], study.uid)
    t.equal(
      first['00081190'].Value[0],
      `${gateway.url}/dicom-web/studies/${study.uid}`,
      'RetrieveURL is our own https address',
    )

    const metadata = await ask(
      `/dicom-web/studies/${study.uid}/series/${study.seriesUid}/metadata`,
      'application/dicom+json',
    )
    t.equal(JSON.parse(metadata.text).length, 4)
    t.notMatch(metadata.text, new RegExp(`http://|127\\.0\\.0\\.1|:${orthanc.port}`), 'no address of the upstream')
    t.match(metadata.text, `${gateway.url}/dicom-web/`)

    const frame = await ask(`${instance}/frames/1`, octets)
    t.equal(frame.status, 200)
    const boundary = /boundary="?([^";]+)/.exec(frame.headers['content-type'] ?? '')?.[1] ?? 'none'
    t.ok(frame.bytes.includes(`--${boundary}--`), 'the frame is whole')
    const pixels = (bytes: Buffer) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4).subarray(0, 64 * 64 * 2)
    t.same(pixels(frame.bytes), pixels(await direct(`${instance}/frames/1`, octets)), 'and holds the same pixels')

    const rendered = await ask(`${instance}/rendered`, 'image/jpeg')
    t.match(rendered, { status: 200, headers: { 'content-type': 'image/jpeg' } })
    t.same(rendered.bytes.subarray(0, 2), Buffer.from([0xff, 0xd8]))
    t.same(rendered.bytes, await direct(`${instance}/rendered`, 'image/jpeg'))

    const whole = await ask(`/dicom-web/studies/${study.uid}`, 'multipart/related; type="application/dicom"')
    t.equal(whole.status, 200)
    t.equal(whole.bytes.toString('latin1').match(/DICM/g)?.length, 4, 'all four instances')
    const end = /boundary="?([^";]+)/.exec(whole.headers['content-type'] ?? '')?.[1] ?? 'none'
    t.ok(whole.bytes.toString('latin1').trimEnd().endsWith(`--${end}--`))
  })
}

t.test('an archive of a study arrives as a zip that is whole', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway } = await startArchive(t)
  const [id] = JSON.parse((await gateway.ask('/orthanc/studies', { basic: as('reader') })).text)
  const zip = await gateway.ask(`/orthanc/studies/${id}/archive`, { basic: as('reader') })
  t.equal(zip.status, 200)
  t.same(zip.bytes.subarray(0, 4), Buffer.from('PK\x03\x04'))
  t.ok(zip.bytes.lastIndexOf(Buffer.from('PK\x05\x06')) > 0, 'its end record is there')
})

t.test('a client that wants gzip gets none: Orthanc is not asked to compress', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway, orthanc, study } = await startArchive(t)
  const headers = { 'accept-encoding': 'gzip, deflate', accept: 'application/dicom+json' }
  const path = `/dicom-web/studies/${study.uid}/metadata`
  const zipped = await fetch(`${orthanc.url}/patients?expand`, { headers })
  const answer = await gateway.ask(path, { basic: as('reader'), headers })
  t.equal(answer.headers['content-encoding'], undefined)
  t.equal(JSON.parse(answer.text).length, 4)
  const expanded = await gateway.ask('/orthanc/patients?expand', { basic: as('reader'), headers })
  t.equal(expanded.headers['content-encoding'], undefined)
  t.equal(JSON.parse(expanded.text).length, 1)
  t.comment(`asked directly, Orthanc answers with content-encoding ${zipped.headers.get('content-encoding')}`)
})

t.test('HEAD and OPTIONS are answered, though Orthanc takes them for WebDAV', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway, orthanc, study } = await startArchive(t)
  const direct = await fetch(`${orthanc.url}/system`, { method: 'HEAD' })
  t.not(direct.status, 200, 'Orthanc itself does not answer HEAD')
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    const head = await gateway.ask(`/dicom-web/studies/${study.uid}/metadata`, {
      method: 'HEAD',
      basic: as('reader'),
      protocol,
    })
    t.equal(head.status, 200, protocol)
    t.match(head.headers['content-type'], /json/)
    t.equal(head.bytes.length, 0)
    const options = await gateway.ask('/dicom-web/studies', { method: 'OPTIONS', basic: as('reader'), protocol })
    t.equal(options.status, 204, protocol)
    t.match(options.headers['allow'], /GET/)
  }
})

t.test('Orthanc Explorer is reached under a stripped prefix, and its redirect stays there', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway } = await startArchive(t)
  const slash = await gateway.ask('/orthanc', { basic: as('reader') })
  t.match(slash, { status: 308, headers: { location: '/orthanc/' } })
  const home = await gateway.ask('/orthanc/', { basic: as('reader') })
  t.equal(home.status, 301)
  const next = new URL(home.headers['location'] ?? '', `${gateway.url}/orthanc/`)
  t.equal(next.href, `${gateway.url}/orthanc/app/explorer.html`)
  const page = await gateway.ask(next.pathname, { basic: as('reader') })
  t.match(page, { status: 200, headers: { 'content-type': /text\/html/ } })
})

t.test('who may only read may search with POST, and can neither store nor delete', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway, count } = await startArchive(t)
  const ask = (method: string, path: string, body: string) =>
    gateway.ask(path, { method, basic: as('reader'), ...(body === '' ? {} : { body }) })
  const [id] = JSON.parse((await ask('GET', '/orthanc/studies', '')).text)

  const found = await ask('POST', '/orthanc/tools/find', JSON.stringify({ Level: 'Instance', Query: {} }))
  t.equal(found.status, 200)
  t.equal(JSON.parse(found.text).length, 4)

  const refused: [method: string, path: string, body: string][] = [
    ['POST', '/orthanc/instances', 'DICM'],
    ['POST', '/dicom-web/studies', 'DICM'],
    ['DELETE', `/orthanc/studies/${id}`, ''],
    ['PUT', `/orthanc/studies/${id}/metadata/1024`, 'x'],
    ['POST', `/orthanc/studies/${id}/modify`, '{}'],
    ['POST', '/orthanc/tools/reset', ''],
    ['POST', '/orthanc/tools/shutdown', ''],
    ['GET', '/orthanc/modalities', ''],
  ]
  for (const [method, path, body] of refused) {
    t.equal((await ask(method, path, body)).status, 403, `${method} ${path.replace(id, 'ID')}`)
  }
  t.equal((await ask('GET', `/orthanc/studies/${id}?_method=DELETE`, '')).status, 400, 'nor by a method in the query')
  const header = await gateway.ask(`/orthanc/studies/${id}`, {
    basic: as('reader'),
    headers: { 'x-http-method-override': 'DELETE' },
  })
  t.equal(header.status, 200, 'a method in a header is a plain GET')
  t.equal(await count(), 4)
})
