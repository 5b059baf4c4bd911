/**
 * What an upstream believes: ours, exactly once, whatever a client sent under those names.
 */
import t from 'tap'
import {
  foreignCookies,
  headerText,
  type RequestFacts,
  type RequestTerms,
  requestIdOf,
  upstreamRequestHeaders,
} from '../../src/forward/request-headers.ts'
import type { Principal } from '../../src/identity/principal.ts'
import { type HeaderList, headerValues } from '../../src/listener/exchange.ts'

const alice: Principal = {
  name: 'alice',
  realm: 'local',
  groups: new Set(['radiology', 'a,b']),
  proof: { kind: 'session', by: 'password', id: 's1' },
}
const facts: RequestFacts = {
  authority: 'pacs.example.org:8443',
  forwardedFor: ['192.0.2.7'],
  principal: alice,
}
const terms: RequestTerms = {
  passAcceptEncoding: true,
  forwarded: 'full',
  passAuthorization: false,
  authorization: undefined,
  added: {},
}

const made = (headers: HeaderList, more: Partial<RequestTerms & RequestFacts> = {}) =>
  upstreamRequestHeaders(headers, { ...facts, ...more }, { ...terms, ...more })
const sole = (headers: HeaderList, name: string) => {
  const values = headerValues(headers, name)
  return values.length === 1 ? values[0] : values
}

const ours = {
  host: 'pacs.example.org:8443',
  'x-forwarded-for': '192.0.2.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'pacs.example.org:8443',
  forwarded: 'for=192.0.2.7;host="pacs.example.org:8443";proto=https',
  'x-remote-user': 'alice',
  'x-remote-groups': 'radiology,a%2Cb',
  'x-remote-proof': 'session',
}

t.test('ours are there, each once', async t => {
  const headers = made([['accept', '*/*']])
  for (const [name, value] of Object.entries(ours)) t.equal(sole(headers, name), value, name)
  t.equal(sole(headers, 'accept'), '*/*')
})

t.test('the id goes beside them, unless the operator sets that header', async t => {
  t.equal(requestIdOf('r-1', terms), 'r-1')
  for (const name of ['X-Request-Id', 'x_request_id'])
    t.equal(requestIdOf('r-1', { ...terms, added: { [name]: 'ours' } }), undefined)
  t.same(
    sole(
      made([
        ['x-request-id', 'evil'],
        ['X_Request_ID'.toLowerCase(), 'evil'],
      ]),
      'x-request-id',
    ),
    [],
  )
})

t.test('what was made of a list is made once, and anew for everybody and everything else', async t => {
  const list: HeaderList = [['accept', '*/*']]
  const first = upstreamRequestHeaders(list, facts, terms)
  t.equal(upstreamRequestHeaders(list, { ...facts, principal: { ...alice, proof: { ...alice.proof } } }, terms), first)
  const others: readonly Partial<RequestFacts>[] = [
    { principal: undefined },
    { principal: { ...alice, name: 'bob' } },
    { principal: { ...alice, groups: new Set(['research']) } },
    { principal: { ...alice, proof: { kind: 'certificate', fingerprint: 'f' } } },
    { authority: 'other.example.org' },
    { forwardedFor: ['192.0.2.8'] },
    { forwardedFor: ['192.0.2.7', '192.0.2.8'] },
    { forwardedFor: [] },
  ]
  for (const more of others) {
    const other = { ...facts, ...more }
    upstreamRequestHeaders(list, facts, terms)
    t.same(
      upstreamRequestHeaders(list, other, terms),
      upstreamRequestHeaders([...list], other, terms),
      JSON.stringify(more),
    )
    t.notSame(upstreamRequestHeaders(list, other, terms), first, JSON.stringify(more))
  }
  upstreamRequestHeaders(list, facts, terms)
  t.equal(sole(upstreamRequestHeaders(list, facts, { ...terms, authorization: 'Basic x' }), 'authorization'), 'Basic x')
  t.equal(sole(upstreamRequestHeaders([...list, ['accept', 'text/html']], facts, terms), 'x-remote-user'), 'alice')
})

t.test('what a client sends in their place is gone, in every spelling', async t => {
  const others = [
    ...['x-real-ip', 'x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-http-method', 'x-forwarded-port'],
    ...['x-forwarded-prefix', 'x-forwarded-user', 'x-forwarded-client-cert', 'x-ssl-client-cert', 'ssl-client-cert'],
    ...[
      'x-client-verify',
      'x-client-cert',
      'x-auth-request-user',
      'remote-user',
      'x-remote-anything',
      'true-client-ip',
    ],
    ...['x-forwarded-proto-omero-web', 'x-sallyport-x', 'expect'],
  ]
  const spoofed = [...Object.keys(ours), ...others].flatMap(name =>
    [name, name.replaceAll('-', '_'), name.replace('-', '_'), `${name} `, `\t${name}`].map(
      spelling => [spelling, 'evil'] as const,
    ),
  )
  for (const list of [spoofed, [...spoofed, ['connection', spoofed.map(([name]) => name).join(',')] as const]]) {
    const headers = made(list)
    t.same(
      headers.filter(([, value]) => value === 'evil'),
      [],
    )
    for (const [name, value] of Object.entries(ours)) t.equal(sole(headers, name), value, name)
  }
  const anonymous = made(spoofed, { principal: undefined })
  t.same(
    anonymous.filter(([name]) => name.startsWith('x-remote')),
    [],
    'nobody has no name at all',
  )
})

t.test('framing in another spelling does not reach a server that would read it', async t => {
  const headers = made([
    ['content_length', '5'],
    ['transfer_encoding', 'chunked'],
    ['content-length', '7'],
    ['my_token', 'x'],
  ])
  t.same(headers.slice(1, 3), [
    ['content-length', '7'],
    ['my_token', 'x'],
  ])
})

t.test('names are percent-encoded so that nothing in them splits a header or a list', async t => {
  const rows: Record<string, string> = {
    'alice.b-c_d@x y': 'alice.b-c_d@x y',
    Jürgen: 'J%C3%BCrgen',
    'a,b;c|d': 'a%2Cb%3Bc%7Cd',
    'a\r\nX: y': 'a%0D%0AX%3A y',
    '100%': '100%25',
    '😀': '%F0%9F%98%80',
  }
  for (const [name, text] of Object.entries(rows)) t.equal(headerText(name), text, JSON.stringify(name))
})

t.test('our cookie stays with us, others go on', async t => {
  t.equal(foreignCookies('a=1; __Host-sallyport=secret; b=2'), 'a=1; b=2')
  t.equal(foreignCookies('__host-SALLYPORT-csrf=x;  __Host-sallyport=y'), undefined)
  t.equal(foreignCookies('x__Host-sallyport=1'), 'x__Host-sallyport=1')
  const headers = made([
    ['cookie', 'a=1'],
    ['cookie', '__Host-sallyport=secret'],
    ['cookie', 'b=2'],
  ])
  t.equal(sole(headers, 'cookie'), 'a=1; b=2', 'the lines of HTTP/2 become one')
  t.same(sole(made([['cookie', '__Host-sallyport=secret']]), 'cookie'), [])
})

t.test('Authorization goes on only where the application has its own passwords', async t => {
  const sent: HeaderList = [['authorization', 'Basic client']]
  t.same(sole(made(sent), 'authorization'), [])
  t.equal(sole(made(sent, { passAuthorization: true }), 'authorization'), 'Basic client')
  t.equal(sole(made(sent, { authorization: 'Basic gateway' }), 'authorization'), 'Basic gateway')
})

t.test('an upstream is spoken to as its profile wants', async t => {
  const orthanc = made([['accept-encoding', 'gzip']], { passAcceptEncoding: false, forwarded: 'proto' })
  t.same(sole(orthanc, 'accept-encoding'), [])
  t.equal(sole(orthanc, 'forwarded'), 'proto=https')
  t.equal(sole(made([['accept-encoding', 'gzip']]), 'accept-encoding'), 'gzip')
})

t.test("what the operator adds stands in place of the client's, and of ours", async t => {
  const added = {
    'X-Site': 'north',
    'X-Forwarded-Proto': 'http',
    Host: 'inner',
    'X-Forwarded-Proto-OMERO-Web': 'https',
  }
  const headers = made(
    [
      ['x_site', 'evil'],
      ['x-site', 'evil'],
      ['x-forwarded-proto-omero-web', 'evil'],
    ],
    { added },
  )
  for (const [name, value] of Object.entries(added)) t.equal(sole(headers, name.toLowerCase()), value, name)
  t.notOk(headers.some(([, value]) => value === 'evil'))
})

t.test('addresses are written as the headers want them', async t => {
  const v6 = made([], { forwardedFor: ['2001:db8::1', '10.0.0.1'] })
  t.equal(sole(v6, 'x-forwarded-for'), '2001:db8::1, 10.0.0.1')
  t.match(sole(v6, 'forwarded'), /^for="\[2001:db8::1\]";host=/)
})
