// S05: what proves a client to us is not shown to upstreams, and what upstreams say about proofs is not shown to clients.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Fields, json, reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { basic, head, statuses, stillAnswers, talk, valuesOf, webSocketLines } from './raw-request.ts'

let answerHeaders: Fields = []
const upstream = await startUpstream(t, request => {
  if (request.header('upgrade') !== undefined) return upgradeEcho(answerHeaders)
  return answerHeaders.length === 0 ? json({ from: 'upstream' }) : reply({ headers: answerHeaders, body: 'x' })
})
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  files: { secret: 'upstream-password' },
  yaml: `
upstreams:
  app: { kind: generic, url: "${upstream.url}" }
  own: { kind: generic, url: "${upstream.url}", credentials: { username: gateway, password: { file: secret } } }
  pass: { kind: generic, url: "${upstream.url}", authorization: pass }
routes:
  - { path: /, upstream: app, access: authenticated }
  - { path: /own, upstream: own, access: authenticated }
  - { path: /pass, upstream: pass, access: everyone }
`,
})
const session = await gateway.signIn('alice', 'correct horse')
const last = () => upstream.received.at(-1)
const clientsOwn = Buffer.from('alice:correct horse').toString('base64')

t.test('the client’s Authorization stays here', async t => {
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    t.equal((await gateway.ask('/x', { basic: 'alice:correct horse', protocol })).status, 200)
    t.equal(last()?.header('authorization'), undefined)
    t.equal((await gateway.ask('/own', { basic: 'alice:correct horse', protocol })).status, 200)
    t.equal(last()?.header('authorization'), `Basic ${Buffer.from('gateway:upstream-password').toString('base64')}`)
    t.equal(
      (await gateway.ask('/own', { cookie: session, protocol, headers: { authorization: 'Bearer evil' } })).status,
      200,
    )
    t.equal(last()?.header('authorization'), `Basic ${Buffer.from('gateway:upstream-password').toString('base64')}`)
  }
  const bytes = head(gateway, 'GET /x HTTP/1.1', [...webSocketLines, basic('alice:correct horse')])
  t.same(statuses((await talk(gateway, bytes, { until: '\r\n\r\n' })).text), [101])
  t.equal(last()?.header('authorization'), undefined)
  t.notOk(
    upstream.received.some(({ rawHead }) => rawHead.includes(clientsOwn)),
    'the password never went on',
  )
})

t.test('where Authorization passes it is the application’s, and never tried on our accounts', async t => {
  await gateway.ask('/pass', { basic: 'alice:wrong' })
  t.equal(last()?.header('authorization'), `Basic ${Buffer.from('alice:wrong').toString('base64')}`)
  t.equal(last()?.header('x-remote-user'), undefined)
  await gateway.ask('/pass', { basic: 'alice:correct horse' })
  t.equal(last()?.header('x-remote-user'), undefined)
  t.notMatch(JSON.stringify(gateway.audit()), /login-refused/)
})

t.test('our cookies stay here, whatever stands around them', async t => {
  const [name = '', id = ''] = session.split('=')
  for (const cookie of [
    session,
    `a=b; ${session}`,
    `${session}; a=b`,
    `a=b;${session};c=d`,
    `a=b;\t${session} ;c=d`,
    `a=b; ; ${session}`,
    `${name}-pre=x; ${name}-out=1; ${session}`,
  ]) {
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      const { status } = await gateway.ask('/x', { cookie, protocol })
      if (cookie.includes('-out=')) t.ok(status)
      else t.equal(status, 200, cookie)
      t.notMatch(last()?.rawHead, id)
      t.notMatch(last()?.rawHead, /sallyport/i)
    }
  }
  const crumbs = { protocol: 'HTTP/2' as const, headers: { cookie: ['a=b', session, 'c=d'] } }
  t.equal((await gateway.ask('/x', crumbs)).status, 200)
  t.notMatch(last()?.rawHead, id)
  await gateway.ask('/x', { cookie: `__host-SALLYPORT=1; a=b`, basic: 'alice:correct horse' })
  t.equal(last()?.header('cookie'), 'a=b')
  const bytes = head(gateway, 'GET /x HTTP/1.1', [
    ...webSocketLines,
    `Cookie: a=b; ${session}`,
    `Origin: ${gateway.url}`,
  ])
  t.same(statuses((await talk(gateway, bytes, { until: '\r\n\r\n' })).text), [101])
  t.equal(last()?.header('cookie'), 'a=b')
})

t.test('an upstream cannot plant a cookie under our name', async t => {
  const planted = [
    '__Host-sallyport=evil; Path=/; Secure; HttpOnly',
    ' __Host-sallyport=evil; Path=/; Secure',
    '\t__Host-sallyport=evil',
    '__HOST-SALLYPORT=evil; Path=/; Secure',
    '__Host-sallyport-pre=evil; Path=/; Secure',
    '__Host-sallyport-out=1; Path=/; Secure',
    '__Secure-sallyport=evil; Secure',
    // A cookie without a name is sent back as its value alone, and would look like one with a name.
    '=__Host-sallyport=evil; Path=/; Secure',
    ' = __Host-sallyport=evil; Path=/; Secure',
    '==__Host-sallyport=evil',
  ]
  answerHeaders = [...planted.map(value => ['Set-Cookie', value] as const), ['Set-Cookie', 'mine=1; Path=/']]
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    const { cookies } = await gateway.ask('/x', { cookie: session, protocol })
    t.same(cookies, ['mine=1; Path=/'])
  }
  const bytes = head(gateway, 'GET /x HTTP/1.1', [...webSocketLines, basic('alice:correct horse')])
  const { text } = await talk(gateway, bytes, { until: '\r\n\r\n' })
  t.notMatch(text, /evil/)
  answerHeaders = []
})

t.test('what an upstream says about its own proofs is not told to clients', async t => {
  answerHeaders = [
    ['WWW-Authenticate', 'Basic realm="evil"'],
    ['Authorization', 'Basic ZXZpbA=='],
    ['Proxy-Authenticate', 'Basic realm="evil"'],
    ['X-Request-Id', 'evil'],
    ['Strict-Transport-Security', 'max-age=0'],
    ['Alt-Svc', 'h3="evil:443"'],
  ]
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    const { headers } = await gateway.ask('/x', { cookie: session, protocol })
    t.notMatch(JSON.stringify(headers), /evil|ZXZpbA/)
    t.equal(headers['strict-transport-security'], 'max-age=63072000')
  }
  const passed = await gateway.ask('/pass')
  t.equal(passed.headers['www-authenticate'], 'Basic realm="evil"', 'where Authorization passes, so does the challenge')
  answerHeaders = []
})

t.test('a personal answer is for no cache, unless the upstream says more', async t => {
  const { headers } = await gateway.ask('/x', { cookie: session })
  t.equal(headers['cache-control'], 'private, no-store')
  await stillAnswers(t, gateway)
  t.same(last() && valuesOf({ rawHeaders: last()?.rawHeaders ?? [] }, 'x-remote-proof'), ['session'])
})
