// P04: who may read gets what only asks, and nothing of what changes, runs, stops or reaches out; nor who may write.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: {
    reader: { password: 'correct horse', groups: ['readers'] },
    writer: { password: 'correct horse', groups: ['writers'] },
    all: { password: 'correct horse', groups: ['all'] },
    chief: { password: 'correct horse', groups: ['chiefs'] },
    lister: { password: 'correct horse', groups: ['listers'] },
  },
  yaml: `
upstreams: { orthanc: { kind: orthanc, url: "${upstream.url}" } }
routes:
  - path: /
    upstream: orthanc
    access: &rules
      - { groups: [readers], may: read }
      - { groups: [writers], may: write }
      - { groups: [all], may: everything }
      - { groups: [chiefs], may: everything, dangerous: true }
      - { groups: [listers], may: [GET, POST, PUT, DELETE] }
  - { path: /orthanc, upstream: orthanc, strip: true, access: *rules }
`,
})

const may = async (name: string, method: string, path: string): Promise<boolean> => {
  const from = upstream.received.length
  const body = method === 'GET' || method === 'HEAD' ? {} : { body: '{}' }
  const { status } = await gateway.ask(path, { method, basic: `${name}:correct horse`, ...body })
  const arrived = upstream.received.length > from
  if (arrived !== (status === 200))
    throw new Error(`${method} ${path} gave ${status}, and ${arrived ? 'arrived' : 'did not arrive'}`)
  return arrived
}

const asking = [
  'POST /tools/find',
  'POST /tools/lookup',
  'POST /tools/count-resources',
  'GET /studies',
  'GET /system',
  'GET /dicom-web/studies',
  'HEAD /studies',
]
const writing = ['POST /instances', 'POST /dicom-web/studies', 'POST /dicom-web/studies/1.2.3']
const changing = [
  ...[
    'DELETE /studies/x',
    'PUT /studies/x/metadata/4000',
    'POST /studies/x/anonymize',
    'POST /studies/x/modify',
    'PATCH /studies/x',
  ],
  ...[
    'POST /tools/find/x',
    'POST /tools/find/',
    'POST /instances/',
    'POST /instances/x',
    'POST /tools/bulk-delete',
    'POST /tools/create-archive',
  ],
  ...[
    'POST /tools/reconstruct',
    'DELETE /changes',
    'PUT /patients/x/protected',
    'POST /TOOLS/find',
    'POST /x/tools/find',
  ],
  ...[
    'POST /dicom-web/studies/1/series',
    'DELETE /dicom-web/studies/1',
    'PROPFIND /studies',
    'MKCOL /x',
    'POST /tools%20/find',
    'POST /wado',
  ],
]
const dangerous = [
  ...[
    'POST /tools/execute-script',
    'POST /tools/reset',
    'POST /tools/shutdown',
    'PUT /tools/log-level',
    'GET /tools/log-level-plugins',
  ],
  ...[
    'GET /tools/execute-script',
    'POST /tools/execute-script/',
    'POST /tools/execute%2Dscript',
    'POST /%74ools/reset',
    'POST /tools;x/reset',
    'POST /tools/reset;x',
  ],
  ...[
    'GET /peers',
    'POST /peers/x/store',
    'GET /modalities',
    'POST /modalities/x/store',
    'POST /modalities/x/query',
    'GET /queries',
  ],
  ...[
    'GET /dicom-web/servers',
    'POST /dicom-web/servers/x/stow',
    'POST /instances/x/export',
    'GET /exports',
    'GET /webdav/',
    'PUT /webdav/x',
  ],
  ...[
    'POST /jobs/x/cancel',
    'POST /jobs/x/resubmit',
    'DELETE /jobs/x',
    'GET /jobs/x/archive',
    'POST /storage-commitment/x/remove',
    'POST /transfers/send',
    'PUT /tools/metrics',
    'PUT /tools/default-encoding',
    'POST /plugins/x/order',
    'PUT /auth/tokens/x',
  ],
]

const table: Readonly<Record<string, readonly string[]>> = {
  reader: asking,
  writer: [...asking, ...writing],
  all: [...asking, ...writing, ...changing],
  chief: [...asking, ...writing, ...changing, ...dangerous],
}

for (const [name, allowed] of Object.entries(table)) {
  t.test(`${name} may exactly what the word in the rule says, on both routes`, async t => {
    for (const what of [...asking, ...writing, ...changing, ...dangerous]) {
      const [method = '', path = ''] = what.split(' ')
      for (const prefix of ['', '/orthanc']) {
        t.equal(await may(name, method, prefix + path), allowed.includes(what), `${method} ${prefix}${path}`)
      }
    }
  })
}

t.test('a list of methods gives nothing that is dangerous', async t => {
  for (const what of dangerous) {
    const [method = '', path = ''] = what.split(' ')
    t.equal(await may('lister', method, path), false, what)
  }
  t.equal(await may('lister', 'DELETE', '/studies/x'), true)
  await stillAnswers(t, gateway)
})
