// P02 and P03: a route takes whole segments of the path, never a part of one and never the query; stripping a prefix
// leaves a path. Routes are plain prefixes: there is no pattern to be slow or loose.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { basic, head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /dicom, upstream: app, access: authenticated }
  - { path: /stripped, upstream: app, strip: true, access: everyone }
  - { path: /stripped/deep, upstream: app, strip: true, access: authenticated }
`,
})
const arrivedFor = async (target: string, lines: readonly string[] = []) => {
  const from = upstream.received.length
  const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`, lines), { until: /\r\n\r\n/ })
  await gateway.ask('/-/login')
  return { status: statuses(text)[0], text, targets: upstream.received.slice(from).map(request => request.target) }
}

t.test('a name that only begins like the prefix is another name', async t => {
  for (const path of [
    '/dicomevil',
    '/dicomevil/x',
    '/dicom-web',
    '/dicom%20',
    '/dico',
    '/DICOM',
    '/dicom%2d',
    '/evil/dicom',
  ]) {
    t.match(await arrivedFor(path, [basic('alice:correct horse')]), { status: 404, targets: [] }, path)
  }
  for (const path of ['/dicom', '/dicom/', '/dicom/x', '/dicom?x', '/%64icom/x']) {
    t.match(await arrivedFor(path), { status: 401, targets: [] }, path)
    t.match(await arrivedFor(path, [basic('alice:correct horse')]), { status: 200, targets: { length: 1 } }, path)
  }
})

t.test('what is left of a stripped path is a path of the upstream, never a host and never nothing', async t => {
  for (const [path, left] of [
    ['/stripped/', '/'],
    ['/stripped/x', '/x'],
    ['/stripped/x/', '/x/'],
    ['/stripped/?a', '/?a'],
    ['/stripped/stripped/x', '/stripped/x'],
    ['/stripped/http://evil/', undefined],
    ['/stripped//evil/x', undefined],
    ['/stripped/%2fevil/x', undefined],
    ['/stripped/..//evil', undefined],
    ['/stripped/\\evil', undefined],
    ['/stripped;/evil', undefined],
    ['/strippedx', undefined],
    ['/stripped.evil/', undefined],
  ] as const) {
    const { targets } = await arrivedFor(path)
    t.same(targets, left === undefined ? [] : [left], path)
  }
})

t.test('the bare prefix is sent to the one with a slash, on this host', async t => {
  for (const [path, location] of [
    ['/stripped', '/stripped/'],
    ['/stripped?x=//evil', '/stripped/?x=//evil'],
    ['/%73tripped', '/stripped/'],
  ] as const) {
    const { status, text, targets } = await arrivedFor(path)
    t.equal(status, 308)
    t.match(text, `location: ${location}\r\n`)
    t.same(targets, [])
  }
})

t.test('the longest prefix decides, however the shorter one is spelt', async t => {
  for (const path of ['/stripped/deep', '/stripped/deep/x', '/stripped/d%65ep/x', '/%73tripped/deep/']) {
    t.match(await arrivedFor(path), { status: 401, targets: [] }, path)
    const { text } = await talk(gateway, head(gateway, `GET ${path} HTTP/1.1`, webSocketLines), { until: '\r\n\r\n' })
    t.same(statuses(text), [401], path)
  }
})

t.test('a query changes no route (CVE-2025-54576)', async t => {
  for (const query of ['/stripped', 'path=/stripped', '/-/login', '&/stripped/../dicom', 'x'.repeat(8_000)]) {
    t.match(await arrivedFor(`/dicom?${query}`), { status: 401, targets: [] })
  }
  t.match(await arrivedFor('/stripped/x?/stripped/deep'), { status: 200, targets: ['/x?/stripped/deep'] })
})

t.test('a path of thirty thousand segments takes no time', async t => {
  const started = Date.now()
  for (const path of [
    `/dicom${'/a'.repeat(15_000)}`,
    `/${'a;'.repeat(10_000)}`,
    `/${'%61'.repeat(9_000)}`,
    `/dicom/${';'.repeat(30_000)}`,
  ]) {
    const { status } = await arrivedFor(path)
    t.match(String(status), /40[014]/)
  }
  t.ok(Date.now() - started < 2_000, `${Date.now() - started} ms`)
  await stillAnswers(t, gateway)
})
