// What is stored through the gateway is really in the archive, and what may not be stored is not even sent for.
import { connect as connectHttp2 } from 'node:http2'
import { Readable } from 'node:stream'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { requireReal } from '../fixture/real.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'
import { type Archive, archiveTools, as, startArchive, stowBody } from './archive.ts'

const fresh = (seed: number, slices = 3) => makeCtStudy({ slices, size: 64, seed }).instances

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  t.test(`over ${protocol} STOW-RS stores, with a length and without one`, async t => {
    if (!requireReal(t, archiveTools)) return
    const { gateway, count } = await startArchive(t, 1)
    const store = async (seed: number, stream: boolean) => {
      const { type, body } = stowBody(fresh(seed))
      const chunked = stream && protocol === 'HTTP/1.1' ? { 'transfer-encoding': 'chunked' } : {}
      const headers = { 'content-type': type, accept: 'application/dicom+json', ...chunked }
      const pieces = Readable.from([body.subarray(0, 1_000), body.subarray(1_000, 20_000), body.subarray(20_000)])
      return await gateway.ask('/dicom-web/studies', {
        method: 'POST',
        basic: as('writer'),
        protocol,
        headers,
        body: stream ? pieces : body,
      })
    }
    const withLength = await store(2, false)
    t.equal(withLength.status, 200, withLength.text)
    t.equal(await count(), 4)
    t.match(withLength.text, `${gateway.url}/dicom-web/`, 'RetrieveURL is our own https address')
    const streamed = await store(3, true)
    t.equal(streamed.status, 200, streamed.text)
    t.equal(await count(), 7)
    const changes = () => gateway.audit().filter(line => line['kind'] === 'change')
    t.ok(await within(1_000, () => changes().length === 2))
    t.same(
      changes().map(({ who, where }) => ({ who, where })),
      Array(2).fill({
        who: { name: 'writer', realm: 'local', proof: 'password' },
        where: { method: 'POST', path: '/dicom-web/studies', route: 'routes[0]' },
      }),
      'each change is in the audit trail',
    )
  })

  t.test(`over ${protocol} POST /instances stores one file, and DELETE removes it`, async t => {
    if (!requireReal(t, archiveTools)) return
    const { gateway, count } = await startArchive(t, 1)
    const [file = Buffer.alloc(0)] = fresh(4, 1)
    const stored = await gateway.ask('/orthanc/instances', {
      method: 'POST',
      basic: as('writer'),
      protocol,
      body: file,
    })
    t.equal(stored.status, 200)
    t.equal(await count(), 2)
    const { ID: id } = JSON.parse(stored.text)
    const remove = (name: 'writer' | 'keeper') =>
      gateway.ask(`/orthanc/instances/${id}`, { method: 'DELETE', basic: as(name), protocol })
    t.equal((await remove('writer')).status, 403, 'who may write may not delete')
    t.equal(await count(), 2)
    t.equal((await remove('keeper')).status, 200)
    t.equal(await count(), 1)
    t.ok(await within(1_000, () => gateway.audit().at(-1)?.['kind'] === 'deletion'))
    t.match(gateway.audit().at(-1), {
      kind: 'deletion',
      who: { name: 'keeper' },
      where: { method: 'DELETE', path: `/orthanc/instances/${id}` },
    })
  })
}

const lines = (...text: string[]) => `${text.join('\r\n')}\r\n\r\n`
const basic = (name: Parameters<typeof as>[0]) => `Authorization: Basic ${Buffer.from(as(name)).toString('base64')}`
const upload = ({ gateway }: Archive, length: number, ...more: string[]) =>
  lines(
    'POST /orthanc/instances HTTP/1.1',
    `Host: localhost:${gateway.port}`,
    `Content-Length: ${length}`,
    'Expect: 100-continue',
    ...more,
  )

t.test('100 (Continue) comes at once for who may store, and the body goes to Orthanc', async t => {
  if (!requireReal(t, archiveTools)) return
  const archive = await startArchive(t, 1)
  const [file = Buffer.alloc(0)] = fresh(5, 1)
  using line = await rawTls(archive.gateway.port, { ca: archive.gateway.authority.caPem })
  const began = Date.now()
  await line.write(upload(archive, file.length, basic('writer')))
  const interim = await line.read({ until: '\r\n\r\n' })
  t.match(interim.text, /^HTTP\/1\.1 100 Continue\r\n\r\n$/)
  t.ok(Date.now() - began < 900, 'not after a second, as Orthanc alone')
  await line.write(file)
  t.match((await line.read({ until: /\r\n\r\n\{[\s\S]*\}/ })).text, /^HTTP\/1\.1 200 /)
  t.equal(await archive.count(), 2)
})

t.test('a denied upload gets 401 or 403 and never 100 (Continue)', async t => {
  if (!requireReal(t, archiveTools)) return
  const archive = await startArchive(t, 1)
  const cases = [
    [401, 'X-Nobody: here'],
    [401, `Authorization: Basic ${Buffer.from('writer:wrong').toString('base64')}`],
    [403, basic('reader')],
  ] as const
  for (const [status, header] of cases) {
    using line = await rawTls(archive.gateway.port, { ca: archive.gateway.authority.caPem })
    await line.write(upload(archive, 1_000_000, header))
    const { text } = await line.read({ until: /requestId[\s\S]*\}/ })
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `))
    t.notMatch(text, '100 Continue')
  }
  t.equal(await archive.count(), 1)
})

t.test('over HTTP/2 too, 100 (Continue) comes only after a permit', async t => {
  if (!requireReal(t, archiveTools)) return
  const { gateway, count } = await startArchive(t, 1)
  const [file = Buffer.alloc(0)] = fresh(6, 1)
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => session.destroy())
  const ask = async (name: 'reader' | 'writer') => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/orthanc/instances',
      expect: '100-continue',
      'content-length': file.length,
      authorization: basic(name).replace('Authorization: ', ''),
    })
    let continued = false
    stream.once('continue', () => {
      continued = true
      stream.end(file)
    })
    const status = await new Promise<number>((resolve, reject) => {
      stream.once('response', headers => resolve(Number(headers[':status'])))
      stream.once('error', reject)
    })
    stream.on('error', () => undefined).close()
    return { continued, status }
  }
  t.same(await ask('reader'), { continued: false, status: 403 })
  t.equal(await count(), 1)
  t.same(await ask('writer'), { continued: true, status: 200 })
  t.equal(await count(), 2)
})

t.test('curl uploads over a megabyte without waiting a second for 100 (Continue)', async t => {
  if (!requireReal(t, [...archiveTools, ...curlTools])) return
  const { gateway, count } = await startArchive(t, 1)
  const [file = Buffer.alloc(0)] = makeCtStudy({ slices: 1, size: 1024, seed: 7 }).instances
  t.ok(file.length > 1024 * 1024, 'so large that curl expects 100 (Continue)')
  const began = Date.now()
  const answer = await curl(
    [
      '--http1.1',
      '--cacert',
      gateway.authority.caFile,
      '-u',
      as('writer'),
      '-H',
      'Content-Type: application/dicom',
      '--data-binary',
      '@-',
      `${gateway.url}/orthanc/instances`,
    ],
    file,
  )
  t.equal(answer.status, 200, answer.complaint)
  t.ok(Date.now() - began < 1_000, `${Date.now() - began} ms`)
  t.equal(await count(), 2)
})
