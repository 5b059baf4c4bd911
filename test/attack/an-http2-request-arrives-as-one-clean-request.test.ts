// H13: what HTTP/2 can say and HTTP/1.1 cannot must not become a second request, or a doubtful one, on its way to the
// upstream (H2.CL, H2.TE, H2 header injection). Source: RFC 9113 8.1.1, 8.2.1, 8.2.2, 8.3.1.
import t, { type Test } from 'tap'
import { startApp } from '../behaviour/app.ts'
import { type Http2Field, pseudo, talkHttp2 } from './raw-http2.ts'
import { stillAnswers } from './raw-request.ts'
import { arrived } from './refused-whole.ts'

const app = await startApp(t)
const { gateway, upstream } = app
const host = `localhost:${gateway.port}`
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'

interface Said {
  readonly fields: readonly Http2Field[]
  readonly body?: string
}

const plain = (method: string, fields: readonly Http2Field[], body?: string): Said => ({
  fields: [...pseudo(gateway, method, '/thing'), ...fields],
  ...(body === undefined ? {} : { body }),
})
const instead = (name: string, value: string): Said => ({
  fields: pseudo(gateway, 'GET', '/thing').map(field => (field[0] === name ? [name, value] : field)),
})

/** What a head may hold: made by us, or said and allowed. */
const known = /^(host|connection|content-length|transfer-encoding|x-forwarded-(for|proto|host)|forwarded|x-request-id)$/

/** Nothing whole arrived; or, where `dropped`, the same request without what is not allowed in it. */
async function refused(t: Test, titled: Readonly<Record<string, Said>>, dropped = false): Promise<void> {
  const from = upstream.received.length
  for (const [title, { fields, body = '' }] of Object.entries(titled)) {
    const before = upstream.received.length
    const { came } = await talkHttp2(gateway, fields, body === '' ? {} : { body })
    t.match(came, /answer|reset|goaway|end/, `${title}: ${came}`)
    const whole = upstream.received.slice(before).filter(({ complete }) => complete)
    t.ok(whole.length <= (dropped ? 1 : 0), `${title}: ${whole.map(({ rawHead }) => rawHead)}`)
    for (const { rawHeaders, target, body: got } of whole) {
      t.same(
        rawHeaders.filter(([name, value]) => !known.test(name) || /Smuggled|gzip/.test(value)),
        [],
        `${title}: nothing of it arrived`,
      )
      t.same([target, got.toString()], ['/thing', body])
    }
  }
  await stillAnswers(t, gateway)
  t.ok(
    arrived(upstream, from).every(request => /^(GET|POST) \/thing$/.test(request)),
    'and nothing that was smuggled',
  )
  t.same(upstream.malformed, [])
  t.equal((await gateway.ask('/after', { protocol: 'HTTP/2' })).status, 200)
}

t.test('what is well said arrives', async t => {
  const from = upstream.received.length
  const { fields, body = '' } = plain('POST', [['content-length', String(smuggled.length)]], smuggled)
  t.equal((await talkHttp2(gateway, fields, { body })).came, 'answer')
  t.match(upstream.received.slice(from), [{ method: 'POST', target: '/thing', complete: true, framing: 'length' }])
  t.equal(upstream.received.at(-1)?.body.toString(), smuggled)
})

t.test('a body without a byte is a body, whenever its end comes', async t => {
  for (const fields of [[], [['content-length', '0']]] as const) {
    const from = upstream.received.length
    const came = await Promise.all(
      Array.from({ length: 20 }, () => talkHttp2(gateway, plain('POST', fields).fields, { body: '' })),
    )
    t.same(new Set(came.map(outcome => outcome.came)), new Set(['answer']))
    const since = upstream.received.slice(from)
    t.equal(since.length, 20)
    t.ok(since.every(({ complete, bodyLength }) => complete && bodyLength === 0))
  }
})

t.test('H13: a length that does not fit the body is no request (H2.CL)', async t => {
  await refused(t, {
    'too short': plain('POST', [['content-length', '5']], `hello${smuggled}`),
    nought: plain('POST', [['content-length', '0']], smuggled),
    'too long': plain('POST', [['content-length', '500']], smuggled),
    'and no body': plain('POST', [['content-length', '5']]),
    'two that differ': plain(
      'POST',
      [
        ['content-length', '0'],
        ['content-length', String(smuggled.length)],
      ],
      smuggled,
    ),
    signed: plain('POST', [['content-length', '+5']], 'hello'),
    'a list': plain('POST', [['content-length', '5, 5']], 'hello'),
    empty: plain('POST', [['content-length', '']], 'hello'),
  })
})

t.test('H13: headers of a connection are no part of a request (H2.TE)', async t => {
  const forbidden: Readonly<Record<string, Said>> = {
    'transfer-encoding': plain('POST', [['transfer-encoding', 'chunked']], `0\r\n\r\n${smuggled}`),
    'transfer-encoding with a blank': plain('POST', [['transfer-encoding ', 'chunked']], `0\r\n\r\n${smuggled}`),
    'transfer-encoding in another header': plain('POST', [['x', 'y\r\ntransfer-encoding: chunked']], smuggled),
    connection: plain('GET', [['connection', 'close']]),
    'keep-alive': plain('GET', [['keep-alive', 'timeout=5']]),
    'proxy-connection': plain('GET', [['proxy-connection', 'keep-alive']]),
    upgrade: plain('GET', [['upgrade', 'websocket']]),
    te: plain('GET', [['te', 'gzip']]),
  }
  await refused(t, forbidden, true)
})

t.test('H13: no value and no name splits a head', async t => {
  const within = ['a\r\nX-Smuggled: 1', 'a\nX-Smuggled: 1', 'a\rX-Smuggled: 1', 'a\0b', `a\r\n\r\n${smuggled}`]
  await refused(
    t,
    {
      ...Object.fromEntries(within.map(value => [`a value ${JSON.stringify(value)}`, plain('GET', [['x-a', value]])])),
      ...Object.fromEntries(within.map(value => [`a name ${JSON.stringify(value)}`, plain('GET', [[value, 'b']])])),
      'a capital': plain('GET', [['X-A', 'b']]),
      'a name with a colon': plain('GET', [['x-a:', 'b']]),
      'no name': plain('GET', [['', 'b']]),
    },
    true,
  )
  await refused(t, {
    ...Object.fromEntries(
      within.flatMap(value => [
        [`:path ${JSON.stringify(value)}`, instead(':path', `/${value}`)],
        [`:authority ${JSON.stringify(value)}`, instead(':authority', value)],
        [`:method ${JSON.stringify(value)}`, instead(':method', value)],
      ]),
    ),
  })
})

t.test('H13: a request line is said once, and as one', async t => {
  await refused(t, {
    ':path without a slash': instead(':path', 'thing'),
    'an absolute :path for somebody else': instead(':path', 'http://evil.example/thing'),
    'an empty :path': instead(':path', ''),
    ':path with a blank': instead(':path', '/thing HTTP/1.1'),
    ':path with a request line': instead(':path', '/thing HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled'),
    ':method with a blank': instead(':method', 'GET /smuggled HTTP/1.1'),
    ':method in small letters': instead(':method', 'get'),
    'an empty :method': instead(':method', ''),
    'two :path': { fields: [...pseudo(gateway, 'GET', '/thing'), [':path', '/smuggled']] },
    'two :method': { fields: [[':method', 'POST'], ...pseudo(gateway, 'GET', '/thing')] },
    'two :authority': { fields: [...pseudo(gateway, 'GET', '/thing'), [':authority', host]] },
    'a pseudo-header that nobody knows': { fields: [...pseudo(gateway, 'GET', '/thing'), [':smuggled', '1']] },
    'a pseudo-header behind a header': {
      fields: [['x-a', 'b'], ...pseudo(gateway, 'GET', '/thing')],
    },
    'no :method': { fields: pseudo(gateway, 'GET', '/thing').filter(([name]) => name !== ':method') },
    'no :path': { fields: pseudo(gateway, 'GET', '/thing').filter(([name]) => name !== ':path') },
    ':status': { fields: [...pseudo(gateway, 'GET', '/thing'), [':status', '200']] },
    ':authority and another host': plain('GET', [['host', 'evil.example']]),
    ':authority and two hosts': plain('GET', [
      ['host', host],
      ['host', host],
    ]),
    ':authority with a person in it': instead(':authority', `admin@${host}`),
  })
})
