// What looks like a host and is none is the client's mistake, never a fault of ours: on the way in, and in what is made
// of it on the way out.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'
import { head, statuses, talk, webSocketLines } from './raw-request.ts'

const upstream = await startUpstream(t, () =>
  reply({ status: 302, headers: [['Location', 'https://elsewhere.example/x']] }),
)
const yaml = `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }, { host: other.example, path: /, upstream: app, access: everyone }]
`
const houses = {
  'without a public address': await startTestGateway(t, { yaml }),
  'with a public address': await startTestGateway(t, { yaml, listener: 'publicUrl: https://imaging.example' }),
}
const impossible = [
  ...[
    '256.256.256.256',
    '1.2.3.4.5',
    '1.2.3.400',
    '0x7f.1.1.1.1',
    '999',
    '4294967296',
    '0x100000000',
    '1.2.3.4.',
    'a..b',
    '.a',
    '-',
  ],
  ...[
    'xn--',
    'xn--a',
    'xn--a.b',
    'a_b..c',
    '[::1',
    '::1',
    '[::g]',
    '[v1.x]',
    '[::1]x',
    'a:b',
    'a:99999',
    'a:-1',
    'a:',
    'a:1:2',
    ':1',
  ],
  ...[
    'user@host',
    'host/x',
    'host?x',
    'host#x',
    'host\\x',
    'a b',
    'a,b',
    '%61',
    'a%00',
    '*',
    'h\xf6st',
    '',
    '__proto__',
    'constructor',
  ],
]

for (const [title, gateway] of Object.entries(houses)) {
  t.test(`${title}: each is answered, and none is a fault`, async t => {
    for (const host of impossible) {
      for (const lines of [[], webSocketLines]) {
        const { text } = await talk(gateway, head(gateway, 'GET /x HTTP/1.1', [`Host: ${host}`, ...lines]), {
          until: '\r\n\r\n',
        })
        t.match(String(statuses(text)[0]), /^(302|400|421)$/, JSON.stringify(host))
      }
      if (!/^[\x21-\x7e]+$/.test(host)) continue
      const status = await gateway.ask('/x', { protocol: 'HTTP/2', headers: { ':authority': host } }).then(
        answer => answer.status,
        () => 400, // a stream that is reset is an answer too
      )
      t.match(String(status), /^(302|400|421)$/, JSON.stringify(host))
    }
    t.same(
      gateway.log().filter(line => line['fault'] !== undefined),
      [],
    )
    const { status } = await gateway.ask('/-/login', { headers: { host: 'imaging.example' } })
    t.equal(status, 200, 'the gateway still answers')
  })
}

t.test('no Host, or two, is a bad request', async t => {
  const gateway = houses['without a public address']
  const from = upstream.received.length
  for (const bytes of [
    'GET /x HTTP/1.1\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost : a\r\n\r\n',
  ]) {
    t.same(statuses((await talk(gateway, bytes, { until: '\r\n\r\n' })).text), [400])
  }
  t.equal(upstream.received.length, from)
})
