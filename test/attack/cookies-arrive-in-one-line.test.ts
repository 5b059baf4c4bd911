// RFC 9113 8.2.3: HTTP/2 sends cookies in crumbs, and a server behind us that speaks HTTP/1.1 must get one Cookie line.
// Two would be joined by a comma (WSGI) or lose all but the first, and with them the CSRF token or the session.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, statuses, talk, valuesOf } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse' } },
  yaml: `
upstreams: { app: { kind: omero-web, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
})
const arrived = () => {
  const request = upstream.received.at(-1)
  return request === undefined ? [] : valuesOf(request, 'cookie')
}

t.test('crumbs of HTTP/2 arrive as one line, ours left out', async t => {
  const session = await gateway.signIn('alice', 'correct horse')
  for (const cookie of [
    ['csrftoken=a', 'sessionid=b'],
    ['csrftoken=a', session, 'sessionid=b'],
    [session, 'csrftoken=a', 'sessionid=b', '__Host-sallyport-pre=x'],
    ['csrftoken=a; sessionid=b'],
  ]) {
    t.equal((await gateway.ask('/x', { protocol: 'HTTP/2', headers: { cookie } })).status, 200)
    t.same(arrived(), ['csrftoken=a; sessionid=b'])
  }
  await gateway.ask('/x', { protocol: 'HTTP/2', headers: { cookie: [session] } })
  t.same(arrived(), [])
})

t.test('two Cookie lines of HTTP/1.1 arrive as one', async t => {
  const { text } = await talk(gateway, head(gateway, 'GET /x HTTP/1.1', ['Cookie: a=b', 'Cookie: c=d']), {
    until: 'upstream"}',
  })
  t.same(statuses(text), [200])
  t.same(arrived(), ['a=b; c=d'])
})
