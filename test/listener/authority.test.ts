/**
 * Host and request target: exactly one place, well formed, not contradicting each other.
 */
import t from 'tap'
import { originForm, parseAuthority } from '../../src/listener/authority.ts'

t.test('a host with an optional port, in lower case', async t => {
  const rows: Record<string, string> = {
    'pacs.example.org': 'pacs.example.org',
    'PACS.Example.ORG:8443': 'pacs.example.org',
    'pacs.example.org.': 'pacs.example.org',
    'pacs.example.org.:443': 'pacs.example.org',
    localhost: 'localhost',
    'a_b-c': 'a_b-c',
    '10.0.0.1:1': '10.0.0.1',
    '[::1]': '::1',
    '[2001:DB8::1]:8443': '2001:db8::1',
    'a:65535': 'a',
  }
  for (const [received, host] of Object.entries(rows)) {
    t.same(parseAuthority(received), { text: received.toLowerCase(), host }, received)
  }
})

t.test('anything else is no host', async t => {
  const rows = [
    ...[
      '',
      ' ',
      'a b',
      'a,b',
      'a/b?x=',
      'user@a',
      'user:pw@a',
      'a:b',
      'a:',
      'a:65536',
      'a:123456',
      ':443',
      'a:-1',
      '.a',
      'a..b',
    ],
    ...[
      '-a',
      'a-',
      '::1',
      '[::1',
      '[::1]a',
      '[fe80::1%25eth0]',
      '[1.2.3.4]',
      '[::g]',
      'ä.example',
      'a\0',
      'a\n',
      'a%2eb',
      '*',
    ],
    `${'a'.repeat(300)}.example`,
  ]
  for (const received of rows) t.equal(parseAuthority(received), undefined, encodeURIComponent(received))
})

t.test('a target is origin-form, or absolute-form for the very host', async t => {
  const rows: Record<string, string> = {
    '/': '/',
    '/a?b': '/a?b',
    '//evil.example/x': '//evil.example/x',
    'https://pacs:8443/a?b': '/a?b',
    'HTTP://PACS:8443': '/',
    'https://pacs:8443?x': '/?x',
  }
  for (const [received, target] of Object.entries(rows)) t.same(originForm(received, 'pacs:8443'), { target }, received)
  for (const received of [
    'https://evil.example/',
    'https://pacs/',
    'http://pacs:8443@evil.example/',
    'https://pacs:8443.evil.example/',
  ]) {
    t.match(originForm(received, 'pacs:8443'), { malformed: /another host/ }, received)
  }
  for (const received of ['*', 'pacs:8443', 'ftp://pacs:8443/', 'a/b', '', ' /', '?x']) {
    t.match(originForm(received, 'pacs:8443'), { malformed: /slash/ }, received)
  }
})
