// After signing in nobody is ever sent to another site.
import t from 'tap'
import { localPath, loginPath } from '../../src/portal/next.ts'

t.test('a path of this origin is kept as it is', async t => {
  for (const path of [
    '/',
    '/viewer?StudyInstanceUIDs=1.2.3&a=b',
    '/a/b%20c',
    '/orthanc/app/explorer.html#patient',
    '/-/home',
    '/x?u=https://a.b/',
  ]) {
    t.equal(localPath(path), path)
  }
})

t.test('anything that could lead elsewhere becomes the home page', async t => {
  const others = [
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\\/evil.example',
    'https:evil.example',
    'https://evil.example',
    'https:/evil.example',
    '%2f%2fevil.example',
    '/%2f%2fevil.example',
    '/%5cevil.example',
    '/%2Fevil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    '\t//evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/\r\nSet-Cookie: a=b',
    '/a\r\nSet-Cookie:a=b',
    '/.//evil.example',
    '/..//evil.example',
    '/a/..//evil.example',
    '/%2e//evil.example',
    '/%2e%2e//evil.example',
    ' /a',
    '/ /evil.example',
    'evil.example',
    '@evil.example',
    '?x',
    '#x',
    '',
    '.',
    `/${'a'.repeat(3000)}`,
    '/\u0000',
    '/\u007f',
  ]
  for (const next of others) t.equal(localPath(next), '/-/home', JSON.stringify(next))
  t.equal(localPath(undefined), '/-/home')
})

t.test('signing in and out are no places to come back to', async t => {
  for (const next of ['/-/login', '/-/login?next=/a', '/-/logout', '/-/login/', '/x/../-/login'])
    t.equal(localPath(next), '/-/home')
})

t.test('what a browser makes of the result stays on this origin', async t => {
  // Every two- and three-character mixture of what matters, behind a slash.
  const parts = ['/', '\\', '.', '%2f', '%5c', '%2e', '\t', ':', '@', 'a', '?', '#', ';']
  for (const a of parts) {
    for (const b of parts) {
      for (const c of parts) {
        const next = `/${a}${b}${c}evil.example`
        const url = new URL(localPath(next), 'https://here.example')
        if (url.origin !== 'https://here.example') t.fail(JSON.stringify(next))
      }
    }
  }
  t.equal(loginPath('//evil.example'), '/-/login?next=%2F-%2Fhome')
  t.equal(loginPath('/a?b=c&d'), '/-/login?next=%2Fa%3Fb%3Dc%26d')
})
