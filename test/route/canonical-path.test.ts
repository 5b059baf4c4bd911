/**
 * One path for policy and upstream: made canonical where that is safe, refused where it could be read in two ways.
 */
import t from 'tap'
import { canonicalTarget, queryNames, withoutParameters } from '../../src/route/canonical-path.ts'

/** Received -> what both policy and upstream see, or why nobody sees it. */
const table: Record<string, string | { readonly ambiguous: string }> = {
  '/admin': '/admin',
  '/admin/': '/admin/',
  '/ADMIN': '/ADMIN',
  '/admin?': '/admin?',
  '/admin?a=%2e%2e/&b=%zz': '/admin?a=%2e%2e/&b=%zz',
  '/a?b?c': '/a?b?c',
  '/%61dmin': '/admin',
  '/%7euser/a%2Db%5Fc': '/~user/a-b_c',
  '/M%c3%bcnchen': '/M%C3%BCnchen',
  '/a%20b': '/a%20b',
  '/100%25': '/100%25',
  '/admin;x=1': '/admin;x=1',
  '/admin%3bx': '/admin%3Bx',
  '/.well-known/x': '/.well-known/x',
  '/a.b/..c/.d': '/a.b/..c/.d',

  '/admin/%2e%2e/': { ambiguous: 'a segment that ends with a dot' },
  '/api%2e/admin': { ambiguous: 'a segment that ends with a dot' },
  '/tools/reset.': { ambiguous: 'a segment that ends with a dot' },
  '/...': { ambiguous: 'a segment that ends with a dot' },
  '/a/..': { ambiguous: 'a segment that ends with a dot' },
  '/a/../admin': { ambiguous: 'a segment that ends with a dot' },
  '/a/.%2E/admin': { ambiguous: 'a segment that ends with a dot' },
  '/./admin': { ambiguous: 'a segment that ends with a dot' },
  '/a/..;/admin': { ambiguous: 'a segment that ends with a dot' },
  '/a/..%3b/admin': { ambiguous: 'a segment that ends with a dot' },
  '/a/.;x=1/admin': { ambiguous: 'a segment that ends with a dot' },
  '//admin': { ambiguous: 'an empty segment' },
  '/a//b': { ambiguous: 'an empty segment' },
  '/admin//': { ambiguous: 'an empty segment' },
  '/%2fadmin': { ambiguous: 'an encoded slash or a backslash' },
  '/a%2Fb': { ambiguous: 'an encoded slash or a backslash' },
  '/a%5cadmin': { ambiguous: 'an encoded slash or a backslash' },
  '/a\\admin': { ambiguous: 'an encoded slash or a backslash' },
  '/admin%00': { ambiguous: 'a control character' },
  '/admin%0a': { ambiguous: 'a control character' },
  '/admin%0D%0aX:y': { ambiguous: 'a control character' },
  '/admin%7f': { ambiguous: 'a control character' },
  '/admin%c2%85': { ambiguous: 'a control character' },
  '/admin#': { ambiguous: 'a fragment' },
  '/admin?x#y': { ambiguous: 'a fragment' },
  '/%u002e': { ambiguous: 'a broken percent escape' },
  '/100%': { ambiguous: 'a broken percent escape' },
  '/a%2': { ambiguous: 'a broken percent escape' },
  '/%c0%ae': { ambiguous: 'bytes that are not UTF-8' },
  '/%ff': { ambiguous: 'bytes that are not UTF-8' },
  '/%ed%a0%80': { ambiguous: 'bytes that are not UTF-8' },
  '/%252e%252e/': { ambiguous: 'a doubly encoded character' },
  '/a%252fb': { ambiguous: 'a doubly encoded character' },
  '/a%25%32%66b': { ambiguous: 'a doubly encoded character' },
  '/a%255cb': { ambiguous: 'a doubly encoded character' },
  '/a%2500': { ambiguous: 'a doubly encoded character' },
  '/a%25252e': { ambiguous: 'a doubly encoded character' },
  '/a b': { ambiguous: 'characters that must be percent-encoded' },
  '/a\tb': { ambiguous: 'characters that must be percent-encoded' },
  '/a\u00e4': { ambiguous: 'characters that must be percent-encoded' },
  '/a?b\nc': { ambiguous: 'characters that must be percent-encoded' },
  admin: { ambiguous: 'characters that must be percent-encoded' },
  '*': { ambiguous: 'characters that must be percent-encoded' },
  '': { ambiguous: 'characters that must be percent-encoded' },
}

t.test('every spelling has one canonical form, or none', async t => {
  for (const [target, expected] of Object.entries(table)) {
    const found = canonicalTarget(target)
    const text = 'ambiguous' in found ? found : `${found.path}${found.query === undefined ? '' : `?${found.query}`}`
    t.same(text, expected, JSON.stringify(target))
  }
})

t.test('a canonical path stays as it is', async t => {
  for (const expected of Object.values(table)) {
    if (typeof expected !== 'string') continue
    const [path = ''] = expected.split('?')
    t.match(canonicalTarget(path), { path }, path)
  }
})

t.test('path parameters are left out the way servlet containers do', async t => {
  t.equal(withoutParameters('/a;x=1/b;y/c'), '/a/b/c')
  t.equal(withoutParameters('/a%3bx/b%3B'), '/a/b')
  t.equal(withoutParameters('/a/b'), '/a/b')
})

t.test('names in a query are decoded once, whatever separates them', async t => {
  t.same(queryNames('a=1&%5Fmethod=DELETE;c&d+e=&%ff=x'), ['a', '_method', 'c', 'd e', '%ff'])
})

t.test('a plain path says itself, and only one that goes the long way unchanged is plain', async t => {
  const signs = ['a', 'Z', '0', '-', '_', '~', '.', '/', ';', '%', '2', 'e', '\\', ':', '@']
  let seed = 11
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  // What is encoded and would be plain makes any path go the long way; its first segment is all that changes by it.
  const long = (path: string) => canonicalTarget(`/%61${path}`)
  for (let round = 0; round < 50_000; round++) {
    const path = `/${Array.from({ length: random(7) }, () => signs[random(signs.length)]).join('')}`
    const [short, whole] = [canonicalTarget(path), long(path)]
    const expected = 'path' in whole ? { path: whole.path.slice(2), query: undefined } : whole
    if (JSON.stringify(short) !== JSON.stringify(expected)) return t.same(short, expected, path)
  }
  t.pass()
})
