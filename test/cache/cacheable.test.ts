// Which paths name pixels for good. Whole instances, metadata and what shows a name may be corrected, and are never kept.
import t from 'tap'
import { cacheableOf, studyOf } from '../../src/cache/cacheable.ts'
import { changeOf } from '../../src/cache/changes.ts'
import type { HttpUpstreamSection } from '../../src/config/upstream.ts'
import { configOf } from '../config/written.ts'
import { asking } from '../upstream/opened.ts'

const instance = '/dicom-web/studies/1.2.3/series/1.2.4/instances/1.2.5'
const rest = '/instances/7783e040-93d8616d-5eb4ba35-1554ad64-9371267c'

t.test('frames, pictures and bulk data of one instance may be kept', async t => {
  for (const path of [
    `${instance}/frames/1`,
    `${instance}/frames/1,2,30`,
    `${instance}/frames/1/rendered`,
    `${instance}/frames/1/thumbnail`,
    `${instance}/rendered`,
    `${instance}/thumbnail`,
    `${instance}/bulk/7fe00010`,
    `${instance}/bulk/54000100/1/54001010`,
    `${instance}/bulkdata/60023000`,
    `${instance.replace('/dicom-web', '')}/frames/1`,
    `${instance.replace('/dicom-web', '/dcm4chee-arc/aets/ARC/rs')}/frames/1`,
  ])
    for (const kind of ['orthanc', 'generic'] as const) t.same(studyOf(kind, path), { study: '1.2.3' }, path)
  for (const path of [
    '/preview',
    '/rendered',
    '/image-uint8',
    '/frames/0/raw',
    '/frames/10/preview',
    '/frames/0/image-int16',
  ]) {
    t.same(studyOf('orthanc', rest + path), { study: undefined }, path)
    t.equal(studyOf('generic', rest + path), undefined)
  }
})

t.test('nothing else may', async t => {
  for (const path of [
    instance,
    `${instance}/`,
    `${instance}/metadata`,
    `${instance}/frames`,
    `${instance}/frames/`,
    `${instance}/frames/1/`,
    `${instance}/frames/1;a=b`,
    `${instance}/frames/x`,
    `${instance}/frames/1/rendered/style.css`,
    `${instance}/bulk/00100010`,
    `${instance}/bulk/7fe00010/00100010`,
    `${instance}/bulk/00100010/1/00100020`,
    '/dicom-web/studies/1.2.3/rendered',
    '/dicom-web/studies/1.2.3/series/1.2.4/rendered',
    '/dicom-web/studies/1.2.3/series/1.2.4/thumbnail',
    '/dicom-web/studies/1.2.3/instances/1.2.5/rendered',
    '/dicom-web/studies/%31/series/1/instances/1/rendered',
    '/dicom-web/studies/a/series/1/instances/1/rendered',
    `${rest}/file`,
    `${rest}/simplified-tags`,
    `${rest}/frames/0/matlab`,
    `${rest}/content/7fe0-0010`,
    `${rest}/attachments/dicom/data`,
    '/instances/x/preview',
    '/wado',
    '/',
  ])
    for (const kind of ['orthanc', 'generic'] as const) t.equal(studyOf(kind, path), undefined, path)
})

t.test('what may change something is told by its path; in doubt it is everything', async t => {
  for (const [method, target, change] of [
    ['GET', '/dicom-web/studies', 'nothing'],
    ['HEAD', '/', 'nothing'],
    ['OPTIONS', '/', 'nothing'],
    ['POST', '/tools/find', 'nothing'],
    ['POST', '/tools/lookup', 'nothing'],
    ['POST', '/tools/find/', 'everything'],
    ['POST', '/tools/bulk-modify', 'everything'],
    ['POST', '/tools/execute-script', 'everything'],
    ['POST', '/instances', 'everything'],
    ['POST', '/dicom-web/studies', 'everything'],
    ['POST', '/dicom-web/studies?x=/studies/1.2', 'everything'],
    ['POST', '/dicom-web/studies/1.2.3', { study: '1.2.3' }],
    ['POST', '/dicom-web/studies/1.2.3/', { study: '1.2.3' }],
    ['DELETE', '/dicom-web/studies/1.2.3/series/4.5', { study: '1.2.3' }],
    ['DELETE', '/dicom-web/studies/1.2.3/series/4.5/instances/6.7', { study: '1.2.3' }],
    // dcm4chee takes out of other studies what it moves into this one; and whatever else comes behind the name.
    ['POST', '/dcm4chee-arc/aets/ARC/rs/studies/1.2.3/move/113037%5EDCM', 'everything'],
    ['PUT', '/dicom-web/studies/1.2.3/patient', 'everything'],
    ['DELETE', '/studies/1.2.3/studies/4.5', 'everything'],
    ['DELETE', '/studies/7783e040-93d8616d-5eb4ba35-1554ad64-9371267c', 'everything'],
    ['POST', '/studies/7783e040-93d8616d-5eb4ba35-1554ad64-9371267c/modify', 'everything'],
    ['PUT', `${rest}/metadata/1024`, 'everything'],
    ['MKCOL', '/webdav/x', 'everything'],
    ['BREW', '/', 'everything'],
  ] as const)
    t.same(changeOf('orthanc', { method, target }), change, `${method} ${target}`)
  t.equal(changeOf('generic', { method: 'POST', target: '/tools/find' }), 'everything')
})

t.test('headers that are spelled in another way are another question', async t => {
  const section = configOf('upstreams: { one: { kind: generic, url: "http://127.0.0.1:1", cache: { memory: 8 MB } } }')
    .upstreams['one'] as HttpUpstreamSection // the text above says generic
  const keyOf = (...lines: readonly string[]) =>
    cacheableOf(
      asking({ target: `${instance}/rendered`, headers: lines.map(line => ['accept', line] as const) }),
      section,
    )?.key
  // Some servers go by the first line alone, or take an empty one for a wish.
  const keys = [
    keyOf(),
    keyOf(''),
    keyOf('image/png', 'image/jpeg'),
    keyOf('image/png, image/jpeg'),
    keyOf('image/png'),
  ]
  t.notOk(keys.includes(undefined))
  t.equal(new Set(keys).size, keys.length)
})
