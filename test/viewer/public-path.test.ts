// A viewer is served under the path that it was built for, and under no other.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isPublicPath, placeUnder, publicUrlOf } from '../../src/viewer/public-path.ts'
import { viewerRoot } from '../fixture/viewer.ts'

t.test('the page of a viewer says what it was built for, in the words of every version', async t => {
  const cases: [page: string, built: string | undefined][] = [
    ['<script>console.time("scriptToView"),window.PUBLIC_URL="/"</script>', '/'],
    ['<script>window.PUBLIC_URL="/ohif/"</script><script src="/ohif/app.bundle.0f61.js"></script>', '/ohif/'],
    ["<script> window.PUBLIC_URL = '/pacs/ohif/'; </script>", '/pacs/ohif/'],
    ['<script>window.PUBLIC_URL=""</script>', '/'],
    ['<script>window.PUBLIC_URL="https://cdn.example.org/ohif/"</script>', 'https://cdn.example.org/ohif/'],
    // Before 3.9 there is the script alone.
    ['<script defer="defer" src="/app.bundle.8a7b.js"></script>', '/'],
    ['<script defer src=/ohif/app.bundle.8a7b.js></script>', '/ohif/'],
    ["<script src='./app.bundle.js'></script>", './'],
    ['<!DOCTYPE html><title>Welcome to nginx!</title><h1>Welcome to nginx!</h1>', undefined],
    ['<script src="/main.js"></script>', undefined],
    ['', undefined],
  ]
  for (const [page, built] of cases) t.equal(publicUrlOf(page), built, page)
})

t.test('the viewer that we install was built for the root', async t => {
  t.equal(publicUrlOf(readFileSync(join(await viewerRoot(t), 'index.html'), 'utf8')), '/')
})

t.test('a public path begins and ends with a slash, and is whole segments', async t => {
  for (const path of ['/', '/ohif/', '/pacs/ohif-3.13/', '/a/b/c/']) t.ok(isPublicPath(path), path)
  for (const path of [
    '',
    'ohif',
    '/ohif',
    'ohif/',
    '//',
    '/a//b/',
    '/../',
    '/a/./',
    '/a b/',
    '/ä/',
    '/a/?/',
    './',
    'https://a/',
  ])
    t.notOk(isPublicPath(path), path)
})

t.test('a path means a file under the path of the viewer, and little else', async t => {
  const cases: [base: string, path: string, placed: ReturnType<typeof placeUnder>][] = [
    ['/', '/', { file: '/' }],
    ['/', '/viewer', { file: '/viewer' }],
    ['/', '/dicom-microscopy-viewer/x.js', { file: '/dicom-microscopy-viewer/x.js' }],
    ['/ohif/', '/ohif/', { file: '/' }],
    ['/ohif/', '/ohif/viewer', { file: '/viewer' }],
    ['/ohif/', '/ohif/app.js', { file: '/app.js' }],
    ['/ohif/', '/ohif', { moved: '/ohif/' }],
    ['/ohif/', '/', { moved: '/ohif/' }],
    ['/ohif/', '/dicom-microscopy-viewer/x.js', { file: '/dicom-microscopy-viewer/x.js' }],
    ['/ohif/', '/dicom-microscopy-viewer', undefined],
    ['/ohif/', '/ohifx/app.js', undefined],
    ['/ohif/', '/app.js', undefined],
    ['/ohif/', '/OHIF/', undefined],
    ['/a/b/', '/a/', undefined],
    ['/a/b/', '/a/b', { moved: '/a/b/' }],
  ]
  for (const [base, path, placed] of cases) t.same(placeUnder(base, path), placed, `${path} under ${base}`)
})
