// P05: HEAD and OPTIONS need the same proof as GET, and only listed sites get a yes to a preflight.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'
import { stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: {
    alice: { password: 'correct horse', groups: ['radiology'] },
    carol: { password: 'battery staple', groups: [] },
  },
  yaml: `
cors: { origins: ["https://friend.example"] }
upstreams:
  app: { kind: generic, url: "${upstream.url}" }
  orthanc: { kind: orthanc, url: "${upstream.url}" }
routes:
  - { path: /app, upstream: app, access: [{ groups: [radiology], may: read }] }
  - { path: /gets, upstream: app, access: [{ groups: [radiology], may: [GET] }] }
  - { path: /dicom-web, upstream: orthanc, access: [{ groups: [radiology], may: read }] }
  - { path: /open, upstream: app, access: everyone }
`,
})
const methods = ['GET', 'HEAD', 'OPTIONS'] as const
const protocols = ['HTTP/1.1', 'HTTP/2'] as const

t.test('without a proof all three are 401, with the wrong groups 403', async t => {
  const from = upstream.received.length
  for (const path of ['/app/x', '/gets/x', '/dicom-web/studies']) {
    for (const method of methods) {
      for (const protocol of protocols) {
        t.equal((await gateway.ask(path, { method, protocol })).status, 401, `${method} ${path}`)
        t.equal(
          (await gateway.ask(path, { method, protocol, basic: 'carol:battery staple' })).status,
          403,
          `${method} ${path}`,
        )
      }
    }
  }
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('HEAD goes where GET goes, with no body, and OPTIONS only where the rule names it', async t => {
  for (const protocol of protocols) {
    const got = await gateway.ask('/app/x', { method: 'HEAD', basic: 'alice:correct horse', protocol })
    t.match({ status: got.status, text: got.text }, { status: 200, text: '' })
    t.equal((await gateway.ask('/gets/x', { method: 'HEAD', basic: 'alice:correct horse', protocol })).status, 200)
    t.equal((await gateway.ask('/gets/x', { method: 'OPTIONS', basic: 'alice:correct horse', protocol })).status, 403)
  }
})

t.test('Orthanc never sees HEAD or OPTIONS, which it takes for WebDAV', async t => {
  const from = upstream.received.length
  for (const protocol of protocols) {
    t.equal(
      (await gateway.ask('/dicom-web/studies', { method: 'HEAD', basic: 'alice:correct horse', protocol })).status,
      200,
    )
    t.equal(
      (await gateway.ask('/dicom-web/studies', { method: 'OPTIONS', basic: 'alice:correct horse', protocol })).status,
      204,
    )
    t.equal(
      (await gateway.ask('/dicom-web/studies', { method: 'PROPFIND', basic: 'alice:correct horse', protocol })).status,
      403,
    )
  }
  t.same(new Set(upstream.received.slice(from).map(({ method }) => method)), new Set(['GET']))
})

t.test('a preflight gets a yes for a listed site only, and reaches no upstream', async t => {
  const from = upstream.received.length
  const asked = { 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' }
  for (const path of ['/app/x', '/dicom-web/studies', '/-/login', '/-/logout']) {
    for (const protocol of protocols) {
      for (const origin of [
        'https://evil.example',
        'null',
        'https://friend.example.evil',
        'http://friend.example',
        'https://friend.example:444',
        'https://friend.example/',
        'https://FRIEND.example',
        gateway.url,
        '*',
        '',
      ]) {
        const { status, headers } = await gateway.ask(path, {
          method: 'OPTIONS',
          protocol,
          headers: { ...asked, origin },
        })
        t.equal(headers['access-control-allow-origin'], undefined, `${path} ${origin}`)
        t.equal(headers['access-control-allow-credentials'], undefined)
        t.ok(status >= 400 || status === 204, String(status))
      }
      const { status, headers } = await gateway.ask(path, {
        method: 'OPTIONS',
        protocol,
        headers: { ...asked, origin: 'https://friend.example' },
      })
      t.match(
        { status, ...headers },
        { status: 204, 'access-control-allow-origin': 'https://friend.example', vary: 'Origin' },
      )
    }
  }
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('an answer may be read by a listed site only, whatever the upstream says', async t => {
  const other = await startUpstream(t, () => reply({ headers: [['Access-Control-Allow-Origin', '*']], body: 'x' }))
  const house = await startTestGateway(t, {
    yaml: `
cors: { origins: ["https://friend.example"] }
upstreams: { app: { kind: generic, url: "${other.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
  })
  const friend = await house.ask('/x', { headers: { origin: 'https://friend.example' } })
  t.equal(friend.headers['access-control-allow-origin'], 'https://friend.example')
  const evil = await house.ask('/x', { headers: { origin: 'https://evil.example' } })
  t.not(evil.headers['access-control-allow-origin'], 'https://evil.example')
  t.equal(evil.headers['access-control-allow-credentials'], undefined)
  await stillAnswers(t, gateway)
})
