/**
 * Which route takes a request: its host first, then the longest path, always by whole segments.
 */
import t from 'tap'
import { canonicalTarget } from '../../src/route/canonical-path.ts'
import { upstreamPath } from '../../src/route/route.ts'
import { compileRoutes } from '../../src/route/route-table.ts'
import { configOf } from '../config/written.ts'

const config = configOf(`
upstreams:
  one: { kind: generic, url: "http://127.0.0.1:1" }
  pacs: { kind: orthanc, url: "http://127.0.0.1:2" }
routes:
  - { path: /, upstream: one, access: everyone }
  - { path: /dicom, upstream: pacs, access: authenticated }
  - { path: /dicom/admin, upstream: pacs, strip: true, access: authenticated }
  - { host: omero.example.org, path: /, upstream: one, access: everyone }
  - { host: Omero.Example.Org, path: /dicom/deep/, upstream: one, access: everyone }
`)
const table = compileRoutes(config)
const labelOf = (host: string, path: string) => {
  const found = table.match(host, path)
  return typeof found === 'object' ? found.label : found
}

t.test('the longest path wins, by whole segments', async t => {
  const rows: Record<string, string> = {
    '/': 'routes[0]',
    '/dicom': 'routes[1]',
    '/dicom/': 'routes[1]',
    '/dicom/studies': 'routes[1]',
    '/dicomevil': 'routes[0]',
    '/Dicom': 'routes[0]',
    '/dicom.x/admin': 'routes[0]',
    '/dicom/admin': 'routes[2]',
    '/dicom/admin/x': 'routes[2]',
    '/dicom/administrators': 'routes[1]',
  }
  for (const [path, label] of Object.entries(rows)) t.equal(labelOf('pacs.example.org', path), label, path)
})

t.test('a route for a host comes before all routes without one, even longer ones', async t => {
  t.equal(labelOf('omero.example.org', '/dicom/admin'), 'routes[3]')
  t.equal(labelOf('omero.example.org', '/dicom/deep/x'), 'routes[4]', 'written in any case, with a slash at its end')
  t.equal(labelOf('xomero.example.org', '/dicom/deep/x'), 'routes[1]')
  t.same([...table.hosts], ['omero.example.org'])
})

t.test('path parameters cannot carry a request past the rules of another route', async t => {
  t.equal(labelOf('x', '/dicom;x/admin'), 'ambiguous')
  t.equal(labelOf('x', '/dicom/admin;x=1'), 'ambiguous')
  t.equal(labelOf('x', '/dicom/admin%3Bx'), 'ambiguous')
  t.equal(labelOf('x', '/dicom/studies;x=1'), 'routes[1]', 'where both readings lead to one route they are harmless')
})

t.test('without a route for everything else there may be none', async t => {
  const narrow = compileRoutes({ ...config, routes: config.routes.slice(1, 2) })
  t.equal(narrow.match('x', '/'), undefined)
  t.equal(narrow.match('x', '/dicomevil'), undefined)
})

t.test('a stripped prefix leaves a path that begins with one slash', async t => {
  const strip = { strip: true, path: '/dicom/admin' }
  t.equal(upstreamPath(strip, '/dicom/admin'), '/')
  t.equal(upstreamPath(strip, '/dicom/admin/'), '/')
  t.equal(upstreamPath(strip, '/dicom/admin/a%20b/'), '/a%20b/')
  t.equal(upstreamPath({ strip: false, path: '/dicom' }, '/dicom/x'), '/dicom/x')
  t.equal(upstreamPath({ strip: true, path: '/' }, '/dicom/x'), '/dicom/x')
  t.match(canonicalTarget('/dicom/admin//evil.example'), { ambiguous: /empty/ }, 'so stripping cannot make //host')
})
