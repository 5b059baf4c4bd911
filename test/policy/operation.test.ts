/**
 * Which word of a rule each request to Orthanc needs, and what is dangerous whatever the word.
 */
import t from 'tap'
import { operationOf } from '../../src/policy/operation.ts'
import { canonicalTarget } from '../../src/route/canonical-path.ts'

/** As the gateway does it: the path is made canonical first. */
function wanted(method: string, target: string): string {
  const canonical = canonicalTarget(target)
  if ('ambiguous' in canonical) return `400: ${canonical.ambiguous}`
  const { needs, dangerous } = operationOf('orthanc', method, canonical.path)
  return dangerous ? 'dangerous' : needs
}

const orthanc: Record<string, readonly string[]> = {
  read: [
    'GET /',
    'GET /system',
    'GET /instances/5b1c/file',
    'GET /studies/5b1c/archive',
    'HEAD /studies/5b1c/archive',
    'OPTIONS /dicom-web/studies',
    'GET /dicom-web/studies/1.2.3/series/4/instances/5/frames/1',
    'GET /dicom-web/studies/1.2.3/rendered',
    'GET /jobs',
    'GET /jobs/5b1c',
    'HEAD /jobs/5b1c',
    'GET /plugins',
    'GET /plugins/explorer.js',
    'HEAD /plugins/dicom-web',
    'OPTIONS /plugins/dicom-web',
    'GET /tools/accepted-transfer-syntaxes',
    'GET /tools/unknown-sop-class-accepted',
    'GET /tools/default-encoding',
    'GET /tools/metrics',
    'HEAD /tools/metrics',
    'GET /tools/metrics-prometheus',
    'GET /tools/now',
    'GET /authors',
    'POST /tools/find',
    'POST /%74ools/find',
    'POST /tools/lookup',
    'POST /tools/count-resources',
  ],
  write: ['POST /instances', 'POST /dicom-web/studies', 'POST /dicom-web/studies/1.2.3'],
  everything: [
    'POST /tools/find/',
    'POST /tools/find;x=1',
    'POST /tools/find%3Bx',
    'POST /tools/finder',
    'POST /tools/find/more',
    'PUT /tools/find',
    'POST /instances/',
    'POST /instances/5b1c/anonymize',
    'POST /dicom-web/studies/1.2.3/series',
    'POST /studies/5b1c/modify',
    'PUT /instances/5b1c/metadata/x',
    'PATCH /instances/5b1c',
    'DELETE /instances/5b1c',
    'DELETE /dicom-web/studies/1.2.3',
    'PROPFIND /instances',
    'POST /tools/bulk-delete',
  ],
  dangerous: [
    ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].map(method => `${method} /tools/execute-script`),
    'POST /%74ools/execute-script',
    'POST /tools/execute%2Dscript',
    'POST /tools/execute-script/',
    'POST /tools/execute-script;x=1',
    'POST /tools;x/execute-script',
    'POST /tools/reset',
    'POST /tools/shutdown',
    'GET /tools/log-level',
    'PUT /tools/log-level-plugins',
    'GET /peers',
    'GET /peers/other/system',
    'POST /peers/other/store',
    'GET /modalities',
    'POST /modalities/scanner/move',
    'POST /queries/5b1c/retrieve',
    'GET /webdav',
    'GET /webdav/by-patients/',
    'PROPFIND /webdav/by-studies',
    'GET /dicom-web/servers',
    'POST /dicom-web/servers/other/stow',
    'DELETE /dicom-web/servers/other',
    'POST /jobs/5b1c/cancel',
    'POST /jobs/5b1c/resubmit',
    'GET /jobs/5b1c/archive',
    'DELETE /jobs/5b1c',
    'GET /exports',
    'POST /instances/5b1c/export',
    'POST /transfers/send',
    ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'].map(method => `${method} /auth/tokens/viewer-instant-link`),
    'GET /auth',
    'PUT /%61uth/tokens/publication',
    ...['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'].map(
      method => `${method} /plugins/advanced-storage/adopt-instance`,
    ),
    'POST /plugins',
    'POST /plugins/',
    'POST /plugins;x/advanced-storage',
    ...['accepted-transfer-syntaxes', 'unknown-sop-class-accepted', 'default-encoding', 'metrics'].flatMap(name =>
      ['PUT', 'POST', 'DELETE', 'PATCH'].map(method => `${method} /tools/${name}`),
    ),
    'PUT /tools/metrics/',
    'PUT /tools/metrics;x=1',
    'PUT /tools/m%65trics',
  ],
}

for (const [word, requests] of Object.entries(orthanc)) {
  t.test(`what Orthanc is asked here ${word === 'dangerous' ? 'is dangerous' : `needs "${word}"`}`, async t => {
    for (const request of requests) {
      const [method = '', target = ''] = request.split(' ')
      t.equal(wanted(method, target), word, request)
    }
  })
}

t.test('a path that could be read in two ways is no operation at all', async t => {
  for (const target of ['/tools/%2e%2e/tools/execute-script', '/tools%2fexecute-script', '//tools/execute-script']) {
    t.match(wanted('POST', target), /^400/, target)
  }
})

t.test('for other kinds the method alone counts, and nothing is dangerous', async t => {
  const needs: Record<string, string> = {
    GET: 'read',
    HEAD: 'read',
    OPTIONS: 'read',
    POST: 'write',
    PUT: 'write',
    PATCH: 'write',
    DELETE: 'everything',
    PROPFIND: 'everything',
    get: 'everything',
  }
  for (const [method, word] of Object.entries(needs)) {
    for (const kind of ['generic', 'omero-web', 'ohif'] as const) {
      t.match(
        operationOf(kind, method, '/tools/execute-script'),
        { needs: word, dangerous: false },
        `${kind} ${method}`,
      )
    }
  }
})

t.test('HEAD is judged as GET', async t => {
  t.equal(operationOf('orthanc', 'HEAD', '/system').method, 'GET')
  t.equal(operationOf('generic', 'HEAD', '/').method, 'GET')
})
