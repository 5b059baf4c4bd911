// S03: where a request came from, and where it goes, is told by the connection and never by its headers.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, statuses, stillAnswers, talk, valuesOf } from './raw-request.ts'

const upstream = await startUpstream(t)
const routes = (url: string) => `
upstreams: { app: { kind: generic, url: "${url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /admin, upstream: app, access: [{ groups: [admins], may: everything }] }
`
const gateway = await startTestGateway(t, { yaml: routes(upstream.url) })

/** Each is believed by some server, framework or proxy. */
const believed = [
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-Protocol',
  'X-Forwarded-Ssl',
  'X-Forwarded-Port',
  'X-Forwarded-Prefix',
  'X-Forwarded-Uri',
  'X-Forwarded-Path',
  'X-Forwarded-Server',
  'X-Forwarded-Scheme',
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Groups',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Access-Token',
  'X-Forwarded-Client-Cert',
  'X-Forwarded-Tls-Client-Cert',
  'X-Forwarded',
  'Forwarded',
  'X-Real-IP',
  'X-Client-IP',
  'X-Cluster-Client-IP',
  'True-Client-IP',
  'Client-IP',
  'Front-End-Https',
  'X-Original-URL',
  'X-Original-URI',
  'X-Original-Host',
  'X-Original-Method',
  'X-Rewrite-URL',
  'X-HTTP-Method-Override',
  'X-HTTP-Method',
  'X-Method-Override',
  'X-SSL-Client-Cert',
  'X-SSL-Client-Verify',
  'SSL-Client-Cert',
  'X-Client-Cert',
  'X-Client-Verify',
  'X-Remote-User',
  'Remote-User',
  'X-Auth-Request-User',
  'X-WebAuth-User',
  'X-Script-Name',
  'X-Host',
  'Script-Name',
  'Path-Info',
  'Proxy',
]

t.test('what other servers believe does not pass, in any spelling (CVE-2026-40575)', async t => {
  for (const name of believed) {
    for (const spelling of [
      name,
      name.toUpperCase(),
      name.replaceAll('-', '_'),
      name.toUpperCase().replaceAll('-', '_'),
    ]) {
      const { text } = await talk(gateway, head(gateway, 'GET /open HTTP/1.1', [`${spelling}: evil`]), {
        until: 'upstream"}',
      })
      t.same(statuses(text), [200])
      t.notMatch(upstream.received.at(-1)?.rawHead, /evil/, spelling)
    }
  }
  await stillAnswers(t, gateway)
})

t.test('none of them moves a request to another route, or out of a closed one', async t => {
  const from = upstream.received.length
  for (const name of believed) {
    for (const value of ['/open', 'GET', 'localhost', '127.0.0.1', 'admin', 'SUCCESS']) {
      const { status } = await gateway.ask('/admin/x', { headers: { [name]: value } })
      t.equal(status, 401, `${name}: ${value}`)
    }
  }
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('a stranger’s chain of addresses is neither forwarded nor written down', async t => {
  await gateway.ask('/open', {
    headers: { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1', 'x-real-ip': '192.0.2.1' },
  })
  const request = upstream.received.at(-1)
  t.same(request && valuesOf(request, 'x-forwarded-for'), ['127.0.0.1'])
  t.match(request?.header('forwarded'), /^for=127\.0\.0\.1;/)
  t.notMatch(JSON.stringify([gateway.log(), gateway.audit()]), /192\.0\.2\.1/)
})

t.test('a trusted proxy’s chain is kept, and the peer comes last; one that is no chain is not believed', async t => {
  const trusting = await startTestGateway(t, { yaml: `trustedProxies: [127.0.0.0/8]${routes(upstream.url)}` })
  const chainFor = async (value: string | string[]) => {
    await trusting.ask('/open', { headers: { 'x-forwarded-for': value } })
    const request = upstream.received.at(-1)
    return request && valuesOf(request, 'x-forwarded-for')
  }
  t.same(await chainFor('192.0.2.1'), ['192.0.2.1, 127.0.0.1'])
  t.same(await chainFor(['192.0.2.1', '192.0.2.2']), ['192.0.2.1, 192.0.2.2, 127.0.0.1'])
  for (const value of ['evil', '192.0.2.1, evil', '192.0.2.1;evil', '"192.0.2.1"', '192.0.2.1:80', '999.1.1.1']) {
    t.same(await chainFor(value), ['127.0.0.1'], value)
  }
})
