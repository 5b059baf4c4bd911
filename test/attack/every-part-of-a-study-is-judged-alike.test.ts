// P06: there are no rules for single studies, so a study is open or closed as a whole; what must hold is that no
// sub-resource, parameter or body of DICOMweb is judged otherwise than the study itself.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: {
    reader: { password: 'correct horse', groups: ['readers'] },
    other: { password: 'correct horse', groups: [] },
  },
  yaml: `
upstreams: { orthanc: { kind: orthanc, url: "${upstream.url}" } }
routes: [{ path: /dicom-web, upstream: orthanc, access: [{ groups: [readers], may: read }] }]
`,
})

const study = '/dicom-web/studies/1.2.840.1'
const parts = [
  ...[
    '/dicom-web/studies',
    '/dicom-web/studies?PatientName=*',
    '/dicom-web/studies?StudyInstanceUID=1.2.840.1',
    '/dicom-web/series?PatientID=%2A',
  ],
  ...[
    '/dicom-web/instances?includefield=all',
    study,
    `${study}/metadata`,
    `${study}/rendered`,
    `${study}/thumbnail`,
    `${study}/series/1/rendered`,
  ],
  ...[
    `${study}/series/1/instances/1/frames/1,2,3`,
    `${study}/series/1/instances/1/bulk/7fe00010`,
    `${study}/series/1/instances/1/bulkdata`,
  ],
]

t.test('who may read the study may read every part of it, and who may not may read none', async t => {
  for (const path of parts) {
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      t.equal((await gateway.ask(path, { protocol, basic: 'reader:correct horse' })).status, 200, path)
      const from = upstream.received.length
      t.equal((await gateway.ask(path, { protocol, basic: 'other:correct horse' })).status, 403, path)
      t.equal((await gateway.ask(path, { protocol })).status, 401, path)
      t.equal(upstream.received.length, from, 'nothing arrived')
    }
  }
})

t.test('a body that names a study opens nothing', async t => {
  const from = upstream.received.length
  const stow = { 'content-type': 'multipart/related; type="application/dicom"; boundary=x' }
  for (const path of ['/dicom-web/studies', study, `${study}/metadata`, `${study}/rendered`, '/dicom-web/']) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'SEARCH']) {
      const body = '--x\r\nContent-Type: application/dicom\r\n\r\n1.2.840.1\r\n--x--\r\n'
      const { status } = await gateway.ask(path, { method, body, headers: stow, basic: 'reader:correct horse' })
      t.ok(status === 403 || status === 400, `${method} ${path}: ${status}`)
    }
  }
  t.equal(upstream.received.length, from, 'nothing arrived')
  await stillAnswers(t, gateway)
})
