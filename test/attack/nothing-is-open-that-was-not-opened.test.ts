// S07: without a proof there is the login page and what belongs to it, and nothing else, by whatever name it is asked for.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  yaml: `
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" }, orthanc: { kind: orthanc, url: "${upstream.url}" } }
routes:
  - { path: /app, upstream: app, access: authenticated }
  - { path: /dicom-web, upstream: orthanc, access: [{ groups: [radiology], may: read }] }
  - { host: other.example, path: /, upstream: app, access: [{ groups: [radiology], may: read }] }
`,
})

/** The whole list of what strangers get with a 200. */
const open = new Set(['/-/login', '/-/portal.css', '/-/icon.svg'])

const paths = [
  ...['/', '/app', '/app/', '/app/x', '/dicom-web/studies', '/dicom-web', '/other', '/favicon.ico', '/robots.txt'],
  ...['/healthz', '/readyz', '/metrics', '/-/healthz', '/-/readyz', '/-/metrics', '/-/board', '/-/certificates'],
  ...[
    '/-',
    '/-/',
    '/-/home',
    '/-/login',
    '/-/login/',
    '/-/login/x',
    '/-/LOGIN',
    '/-/login;x=1',
    '/-/portal.css',
    '/-/icon.svg',
  ],
  ...[
    '/-/__proto__',
    '/-/constructor',
    '/-/toString',
    '/__proto__',
    '/.well-known/acme-challenge/x',
    '/-login',
    '/-/../app',
  ],
  ...[
    '/app/-/login',
    '/app?next=/-/login',
    '/app;/-/login',
    '/-/login/../../app',
    '/-%2flogin',
    '/%2d/home',
    '/server-status',
  ],
]

t.test('a stranger gets nothing but the login page and what belongs to it, with every method', async t => {
  for (const path of paths) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE']) {
      for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
        const { status } = await gateway.ask(path, { method, protocol })
        if (open.has(path) && /GET|HEAD/.test(method)) t.equal(status, 200, `${method} ${path}`)
        else t.ok(status >= 300 && status < 500, `${method} ${path}: ${status}`)
      }
    }
  }
  t.equal(upstream.received.length, 0, 'nothing arrived at an upstream')
})

t.test('a host that a route names is as closed as the rest', async t => {
  for (const host of [
    'other.example',
    'OTHER.example',
    'other.example.',
    'other.example:8443',
    `other.example:${gateway.port}`,
  ]) {
    const { status } = await gateway.ask('/x', { headers: { host } })
    t.equal(status, 401, host)
  }
  t.equal(upstream.received.length, 0)
})

t.test('a WebSocket handshake opens nothing either', async t => {
  for (const path of ['/app', '/dicom-web/studies', '/metrics', '/-/home', '/-/login', '/nowhere']) {
    const { text } = await talk(gateway, head(gateway, `GET ${path} HTTP/1.1`, webSocketLines), { until: '\r\n\r\n' })
    const [status = 0] = statuses(text)
    t.ok(status >= 200 && status < 500 && status !== 101, `${path}: ${status}`)
  }
  t.equal(upstream.received.length, 0)
})

t.test('an upstream that has done its check-up is no open door', async t => {
  const admin = gateway.gateway.listeners.find(({ name }) => name === 'admin')?.urls[0] ?? ''
  const ready = await fetch(`${admin}/readyz`)
  t.notMatch(await ready.text(), `127.0.0.1:${upstream.port}`, 'no address of an upstream in it')
  for (const path of ['/app', '/-/login', '/dicom-web/studies', '/healthz/../metrics/../app']) {
    const { status } = await fetch(`${admin}${path}`)
    t.equal(status, 404, `${path} on the admin listener`)
  }
  t.notOk(upstream.received.some(({ target }) => target.startsWith('/app') || target.startsWith('/dicom-web')))
  await stillAnswers(t, gateway)
})
