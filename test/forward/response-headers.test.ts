/**
 * What a client gets of an upstream's headers: places as people typed them, ours kept ours, nothing that breaks a line.
 */
import t from 'tap'
import {
  clientResponseHeaders,
  plainDisposition,
  publicCookie,
  publicLocation,
  type ResponseFacts,
} from '../../src/forward/response-headers.ts'
import { Fault } from '../../src/kernel/fault.ts'
import { type HeaderList, headerValues } from '../../src/listener/exchange.ts'

const facts: ResponseFacts = {
  origin: 'https://pacs.example.org:8443',
  route: { strip: true, path: '/orthanc', kind: 'orthanc' },
  upstreamOrigins: ['http://127.0.0.1:8041', 'http://127.0.0.1:8042'],
  passAuthorization: false,
  personal: true,
  allowedOrigin: undefined,
}
const made = (headers: HeaderList, more: Partial<ResponseFacts> = {}) =>
  clientResponseHeaders(headers, { ...facts, ...more })
const values = (headers: HeaderList, name: string) => headerValues(headers, name).join(' | ')

t.test('places are rewritten to what people typed', async t => {
  const rows: Record<string, string> = {
    '/app/x?y#z': '/orthanc/app/x?y#z',
    '/': '/orthanc/',
    'http://127.0.0.1:8042/app': 'https://pacs.example.org:8443/orthanc/app',
    'http://pacs.example.org:8443/app?a': 'https://pacs.example.org:8443/orthanc/app?a',
    'https://pacs.example.org:8443/app': 'https://pacs.example.org:8443/orthanc/app',
    '//127.0.0.1:8042/app': 'https://pacs.example.org:8443/orthanc/app',
    'app/x': 'app/x',
    '../x': '../x',
    '?page=2': '?page=2',
    'https://login.example/x': 'https://login.example/x',
    '//cdn.example/x': '//cdn.example/x',
    'http://127.0.0.1:9999/x': 'http://127.0.0.1:9999/x',
  }
  for (const [location, expected] of Object.entries(rows)) t.equal(publicLocation(location, facts), expected, location)
  const whole = { ...facts, route: { ...facts.route, strip: false } }
  t.equal(publicLocation('/app', whole), '/app')
  t.equal(publicLocation('http://127.0.0.1:8042/app', whole), 'https://pacs.example.org:8443/app')
  t.equal(
    values(
      made([
        ['content-location', '/a'],
        ['location', '/b'],
      ]),
      'content-location',
    ),
    '/orthanc/a',
  )
})

t.test('cookies keep to the prefix, and none may bear our name', async t => {
  t.equal(publicCookie('a=1; Path=/; Secure', facts), 'a=1; Path=/orthanc/; Secure')
  t.equal(publicCookie('a=1; path=/app;HttpOnly', facts), 'a=1; path=/orthanc/app;HttpOnly')
  t.equal(publicCookie('a=1', facts), 'a=1')
  t.equal(publicCookie('__Host-app=1; Path=/; Secure', facts), '__Host-app=1; Path=/; Secure')
  t.equal(publicCookie('a=1; Path=/', { route: { strip: false, path: '/x', kind: 'generic' } }), 'a=1; Path=/')
  for (const cookie of [
    '__Host-sallyport=x',
    ' __host-SALLYPORT-csrf=x',
    '__Secure-sallyport=x',
    '=__Host-sallyport=x',
  ]) {
    t.equal(publicCookie(cookie, facts), undefined, cookie)
  }
  t.equal(
    values(
      made([
        ['set-cookie', 'a=1'],
        ['set-cookie', '__Host-sallyport=x'],
        ['set-cookie', 'b=2'],
      ]),
      'set-cookie',
    ),
    'a=1 | b=2',
  )
})

t.test('what is ours to say is ours alone', async t => {
  const theirs: HeaderList = [
    ['x-request-id', 'evil'],
    ['strict-transport-security', 'max-age=0'],
    ['alt-svc', 'h3=":443"'],
    ['connection', 'close, x-hop'],
    ['x-hop', '1'],
    ['www-authenticate', 'Basic realm="Orthanc"'],
    ['access-control-allow-origin', 'https://evil.example'],
    ['access-control-allow-credentials', 'true'],
  ]
  const headers = made(theirs)
  t.equal(values(headers, 'x-request-id'), '', 'the engine adds it')
  t.equal(values(headers, 'strict-transport-security'), 'max-age=63072000')
  for (const name of [
    'alt-svc',
    'connection',
    'x-hop',
    'www-authenticate',
    'access-control-allow-origin',
    'access-control-allow-credentials',
  ]) {
    t.equal(values(headers, name), '', name)
  }
  t.equal(values(made(theirs, { passAuthorization: true }), 'www-authenticate'), 'Basic realm="Orthanc"')
})

t.test('another site may read only what was allowed by name', async t => {
  const headers = made(
    [
      ['access-control-allow-origin', '*'],
      ['vary', 'Accept'],
    ],
    { allowedOrigin: 'https://viewer.example.org' },
  )
  t.equal(values(headers, 'access-control-allow-origin'), 'https://viewer.example.org')
  t.equal(values(headers, 'access-control-allow-credentials'), 'true')
  t.equal(values(headers, 'vary'), 'Accept | Origin')
  t.equal(values(headers, 'cross-origin-resource-policy'), '')
  t.equal(values(made([]), 'cross-origin-resource-policy'), 'same-origin')
})

t.test(
  'the same list asked again is made anew for each fact that differs, and for the same ones it is the same',
  async t => {
    const theirs: HeaderList = [
      ['location', 'http://127.0.0.1:8042/app'],
      ['set-cookie', 'a=1; Path=/app'],
      ['www-authenticate', 'Basic realm="Orthanc"'],
    ]
    const others: readonly Partial<ResponseFacts>[] = [
      { personal: false },
      { passAuthorization: true },
      { origin: 'https://other.example.org' },
      { allowedOrigin: 'https://viewer.example.org' },
      { upstreamOrigins: ['http://127.0.0.1:8041'] },
      { route: { strip: false, path: '/orthanc', kind: 'orthanc' } },
    ]
    for (const other of others) {
      const first = made(theirs)
      t.equal(made(theirs, { origin: `https://${['pacs', 'example.org:8443'].join('.')}` }), first)
      t.strictNotSame(made(theirs, other), first, JSON.stringify(other))
      t.strictSame(made(theirs, other), made([...theirs], other))
      t.strictSame(made(theirs), first)
    }
  },
)

t.test('an answer for one person is kept by nobody else, unless the upstream has said otherwise', async t => {
  t.equal(values(made([]), 'cache-control'), 'private, no-store')
  t.equal(values(made([['cache-control', 'max-age=60']]), 'cache-control'), 'max-age=60')
  t.equal(values(made([], { personal: false }), 'cache-control'), '')
})

t.test('a header that would break the line is a fault of the upstream', async t => {
  const bad: HeaderList[] = [
    [['x', 'a\nb']],
    [['x', 'a\rb']],
    [['x', 'a\0b']],
    [['x y', '1']],
    [['', '1']],
    [['x:', '1']],
    [['x', '\x7f']],
  ]
  for (const headers of bad)
    t.throws(() => made(headers), new Fault('upstream-broken', { about: 'x' }).constructor, JSON.stringify(headers))
  t.doesNotThrow(() => made([['x', 'tab\there, and latin1 \xe4']]))
})

/** One character for each byte, as headers are read. */
const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

t.test('a file name of other than ASCII is said as RFC 6266 wants it, whichever bytes the upstream sent', async t => {
  const rows: readonly (readonly [said: string, told: string])[] = [
    ['attachment; filename="ct.zip"', 'attachment; filename="ct.zip"'],
    ['inline', 'inline'],
    [utf8('attachment; filename="Müller.zip"'), `attachment; filename="M_ller.zip"; filename*=UTF-8''M%C3%BCller.zip`],
    ['attachment; filename="M\xfcller.zip"', `attachment; filename="M_ller.zip"; filename*=UTF-8''M%C3%BCller.zip`],
    [
      utf8('attachment; filename="日本 (1).zip"'),
      `attachment; filename="__ (1).zip"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%20%281%29.zip`,
    ],
    [utf8('attachment; filename="🩻.dcm"'), `attachment; filename="__.dcm"; filename*=UTF-8''%F0%9F%A9%BB.dcm`],
    [utf8('attachment; FileName="ü"; size=3'), `attachment; FileName="_"; size=3; filename*=UTF-8''%C3%BC`],
    [
      utf8(`attachment; filename="ü.zip"; filename*=UTF-8''%C3%BC.zip`),
      `attachment; filename="_.zip"; filename*=UTF-8''%C3%BC.zip`,
    ],
    [utf8('attachment; filename=ü.zip'), 'attachment; filename=_.zip'],
    ['attachment; filename="\xff\xfe"', `attachment; filename="__"; filename*=UTF-8''%C3%BF%C3%BE`],
  ]
  for (const [said, told] of rows) {
    t.equal(plainDisposition(said), told)
    t.equal(values(made([['content-disposition', said]]), 'content-disposition'), told)
  }
})
