/**
 * storescu over TLS through the gate into a real Orthanc, which knows DICOM in plain TCP only: what Orthanc itself would
 * need DicomTlsEnabled, DicomTlsCertificate, DicomTlsPrivateKey, DicomTlsTrustedCertificates and
 * DicomTlsRemoteCertificateRequired for. Source: Orthanc Configuration.json, "DICOM TLS".
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { dcmtkTools, runScu } from '../fixture/dcmtk.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { makeCtStudy } from '../fixture/sample-study.ts'
import { startStream } from '../fixture/stream.ts'

t.test('a CT study arrives in Orthanc, and a foreign title brings nothing in', async t => {
  if (!requireReal(t, [...orthancTools, ...dcmtkTools])) return
  const authority = await startAuthority(t)
  const orthanc = await startOrthanc(t)
  const stream = await startStream(t, {
    ...{ upstream: orthanc.dicomPort, clients: 'required', authority, groups: ['modalities'] },
    yaml: `{ protocol: dicom, access: [{ groups: [modalities] }], tls: { floor: dicom-bcp195 },
      titles: { "CN=ct-scanner-1": [CT1] } }`,
  })
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-ct-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const { instances, studyUid } = makeCtStudy({ seed: 7, slices: 6, size: 256 })
  const files = instances.map((instance, index) => {
    const file = join(dir, `${index}.dcm`)
    writeFileSync(file, instance)
    return file
  })
  const pair = await authority.client('ct-scanner-1')
  const tls = { pair, caFile: authority.caFile }
  const count = async () => {
    const answer = await fetch(`${orthanc.url}/statistics`)
    const { CountInstances, CountStudies } = Object(await answer.json())
    return { CountInstances, CountStudies }
  }

  const foreign = await runScu('storescu', { port: stream.port, calling: 'MR1', called: 'ORTHANC', tls, files })
  t.not(foreign.exitCode, 0)
  t.match(foreign.said, /Calling AE Title Not Recognized/)
  t.match(await stream.ended(), { ending: 'denied' })
  t.same(await count(), { CountInstances: 0, CountStudies: 0 })

  const store = await runScu('storescu', { port: stream.port, called: 'ORTHANC', tls, files })
  t.equal(store.exitCode, 0, 'exit code', { said: store.said.slice(-3_000) })
  t.same(await count(), { CountInstances: 6, CountStudies: 1 })
  const found = await fetch(`${orthanc.url}/dicom-web/studies?StudyInstanceUID=${studyUid}`)
  t.match(await found.json(), [{ '0020000D': { Value: [studyUid] } }])
  const line = await stream.ended()
  t.match(line, { ending: undefined, user: 'ct-scanner-1', calling: 'CT1', called: 'ORTHANC' })
  t.ok(Number(line['toUpstream']) > 6 * 256 * 256 * 2)
})

t.test('a real Orthanc is the DICOM node: it sends over TLS, with the certificate of its DicomTls options', async t => {
  if (!requireReal(t, orthancTools)) return
  const authority = await startAuthority(t)
  const archive = await startOrthanc(t)
  const stream = await startStream(t, {
    ...{ upstream: archive.dicomPort, clients: 'required', authority },
    yaml: `{ protocol: dicom, access: authenticated, tls: { floor: dicom-bcp195 },
      titles: { "CN=orthanc-1": [SENDER] } }`,
  })
  const pair = await authority.client('orthanc-1')
  const modality = { AET: 'ORTHANC', Host: 'localhost', Port: stream.port, UseDicomTls: true }
  const sender = await startOrthanc(t, {
    study: { slices: 3, size: 64 },
    extra: {
      DicomAet: 'SENDER',
      DicomTlsCertificate: pair.certFile,
      DicomTlsPrivateKey: pair.keyFile,
      DicomTlsTrustedCertificates: authority.caFile,
      DicomModalities: { gate: modality, other: { ...modality, LocalAet: 'SOMEBODY' } },
    },
  })
  const post = (path: string, body: string) => fetch(`${sender.url}${path}`, { method: 'POST', body })

  t.equal((await post('/modalities/gate/echo', '{}')).status, 200, sender.log())
  t.match(await stream.ended(), { ending: undefined, user: 'orthanc-1', calling: 'SENDER', called: 'ORTHANC' })
  t.not((await post('/modalities/other/echo', '{}')).status, 200, 'a title of somebody else')
  t.match(await stream.ended(), { ending: 'denied', denied: 'title-not-allowed', calling: 'SOMEBODY' })

  const [study] = Object.values(Object(await (await fetch(`${sender.url}/studies`)).json()))
  t.equal((await post('/modalities/gate/store', String(study))).status, 200)
  const { CountInstances } = Object(await (await fetch(`${archive.url}/statistics`)).json())
  t.equal(CountInstances, 3, 'all of it has arrived')
})
