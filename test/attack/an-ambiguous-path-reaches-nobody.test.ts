// P01: there is one path, which rules and upstream both see; what could be read in two ways is refused.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { pseudo, talkHttp2 } from './raw-http2.ts'
import { head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /admin, upstream: app, access: [{ groups: [admins], may: everything }] }
  - { path: /api/admin, upstream: app, access: [{ groups: [admins], may: everything }] }
`,
})

/** Target -> 400: refused; 401: the closed route; a path: what arrives, byte for byte. */
const outcomes: readonly (readonly [target: string, outcome: 400 | 401 | string])[] = [
  ['/admin', 401],
  ['/admin/', 401],
  ['/admin?', 401],
  ['/admin?x=/open', 401],
  ['/admin/x', 401],
  ['/%61dmin', 401],
  ['/%61%64%6D%69%6e', 401],
  ['/adm%69n/x', 401],
  ['/admin%2Fx', 400],
  ['/admin/%2e%2e/', 400],
  ['/admin/..', 400],
  ['/open/../admin', 400],
  ['/open/%2e%2e/admin', 400],
  ['/open/.%2e/admin', 400],
  ['/open/%2E./admin', 400],
  ['/open/..;/admin', 400],
  ['/open/..;x=1/admin', 400],
  ['/open/..%3b/admin', 400],
  ['/open/.;/admin', 400],
  ['/./admin', 400],
  ['/.', 400],
  ['/..', 400],
  ['/%2e/admin', 400],
  ['//admin', 400],
  ['///admin', 400],
  ['/open//admin', 400],
  ['//localhost/admin', 400],
  ['/%2fadmin', 400],
  ['/%2Fadmin', 400],
  ['/open/%2f/admin', 400],
  ['/open%2fadmin', 400],
  ['/a%5cadmin', 400],
  ['/a\\admin', 400],
  ['/open/..\\admin', 400],
  ['/open/..%5cadmin', 400],
  ['/admin%00', 400],
  ['/admin%00.png', 400],
  ['/admin%0a', 400],
  ['/admin%0d%0aX-Remote-User:%20evil', 400],
  ['/admin%09', 400],
  ['/admin%7f', 400],
  ['/admin%c2%85', 400],
  ['/%u002e%u002e/admin', 400],
  ['/%u0061dmin', 400],
  ['/open/%c0%ae%c0%ae/admin', 400],
  ['/%c0%afadmin', 400],
  ['/open/%e0%80%ae/admin', 400],
  ['/open/%ff', 400],
  ['/open/%252e%252e/admin', 400],
  ['/open/%252fadmin', 400],
  ['/%255cadmin', 400],
  ['/admin%2500', 400],
  ['/%2561dmin', 400],
  ['/adm%2569n/x', 400],
  ['/admin%', 400],
  ['/admin%2', 400],
  ['/admin%zz', 400],
  ['/admin#x', 400],
  ['/open#/../admin', 400],
  ['/admin;x=1', 400],
  ['/admin;x=1/y', 400],
  ['/admin%3bx=1', 400],
  ['/admin;', 400],
  ['/api;x/admin', 400],
  ['/;/admin', 400],
  ['/;x=1/admin', 400],
  // Some servers drop dots at the end of a name.
  ['/admin.', 400],
  ['/admin%2e', 400],
  ['/admin./x', 400],
  ['/api%2e/admin', 400],
  ['/...', 400],
  ['/.../admin', 400],
  // Another resource to every server that knows capitals: the rules of "/" hold, and the same bytes arrive.
  ['/ADMIN', '/ADMIN'],
  ['/admin%20', '/admin%20'],
  ['/adminx', '/adminx'],
  ['/api/%41dmin', '/api/Admin'],
  ['/%7Euser/a%2Db', '/~user/a-b'],
  ['/a%c3%a9b', '/a%C3%A9b'],
  ['/open;x=1/y', '/open;x=1/y'],
  ['/.hidden', '/.hidden'],
  ['/a/b/', '/a/b/'],
  ['/open?next=//evil&x=%00%2e%2e/', '/open?next=//evil&x=%00%2e%2e/'],
]

t.test('HTTP/1.1: each is refused, judged by the closed route, or arrives as it was judged', async t => {
  for (const [target, outcome] of outcomes) {
    const from = upstream.received.length
    const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`), { until: /\r\n\r\n[\s\S]*\}/ })
    t.same(statuses(text), [typeof outcome === 'number' ? outcome : 200], target)
    t.same(
      upstream.received.slice(from).map(request => request.target),
      typeof outcome === 'number' ? [] : [outcome],
      target,
    )
  }
  t.same(upstream.malformed, [])
  await stillAnswers(t, gateway)
})

t.test('HTTP/2: the same', async t => {
  for (const [target, outcome] of outcomes) {
    const from = upstream.received.length
    await talkHttp2(gateway, pseudo(gateway, 'GET', target))
    t.same(
      upstream.received.slice(from).map(request => request.target),
      typeof outcome === 'number' ? [] : [outcome],
      target,
    )
  }
  t.same(upstream.malformed, [])
  await stillAnswers(t, gateway)
})

t.test('a WebSocket handshake goes by the same path', async t => {
  for (const [target, outcome] of outcomes) {
    if (typeof outcome !== 'number') continue
    const from = upstream.received.length
    const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`, webSocketLines), { until: '\r\n\r\n' })
    t.same(statuses(text), [outcome], target)
    t.equal(upstream.received.length, from, target)
  }
})

t.test('bytes that belong in no path are refused', async t => {
  const from = upstream.received.length
  for (const target of [
    '/a\x00b',
    '/a\x01b',
    '/a\x7fb',
    '/a\x80',
    '/\xe9',
    '/a\tb',
    'admin',
    '*',
    '',
    'http://',
    'http:/admin',
    '/a b',
  ]) {
    const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`), { until: '\r\n\r\n', timeout: 500 })
    t.same(statuses(text), [400], JSON.stringify(target))
  }
  for (const target of ['', 'admin', '*', '/a\tb', '/a b', '/\x80', '/a\r\nb', '/a\0', 'http://localhost/admin']) {
    await talkHttp2(gateway, pseudo(gateway, 'GET', target))
  }
  t.equal(upstream.received.length, from, 'nothing arrived')
  await stillAnswers(t, gateway)
})

t.test('an absolute target is the same path, and its host must be the one in Host', async t => {
  const host = `localhost:${gateway.port}`
  for (const [target, outcome] of [
    [`https://${host}/admin`, 401],
    [`https://${host}/open`, 200],
    [`HTTPS://${host.toUpperCase()}/open`, 200],
    [`https://${host}//admin`, 400],
    [`https://${host}/open/../admin`, 400],
    [`https://evil/open`, 400],
    [`https://evil@${host}/open`, 400],
    [`https://${host}@evil/open`, 400],
    [`https://${host}\\@evil/open`, 400],
    [`ftp://${host}/open`, 400],
    [`//${host}/open`, 400],
  ] as const) {
    const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`), { until: /\r\n\r\n[\s\S]*\}/ })
    t.same(statuses(text), [outcome], target)
  }
})
