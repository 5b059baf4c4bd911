// A cache that answers one request with the answer to another shows strangers what is not theirs (cache deception), or
// everybody what one of them has planted (cache poisoning). Here each request is answered with what it asked for itself.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import type { Received } from '../fixture/received.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { closeDelimited, type Fields, reply } from '../fixture/upstream-answers.ts'

const instance = '/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5'
const octets = ['Content-Type', 'application/octet-stream'] as const
/** What an upstream may take into its answer, as a client sent it. */
const echo = ({ target, rawHeaders }: Received) =>
  reply({
    headers: [octets],
    body: JSON.stringify([target, ...rawHeaders.filter(([name]) => !/^x-request-id$/i.test(name))]),
  })

t.test('nothing that one client sends comes out in what another one gets', async t => {
  const upstream = await startUpstream(t, echo)
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}", cache: { memory: 8 MB } } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const planted = 'planted.example'
  /** To whom it is passed it may mean another answer. */
  const mayMean = new Set(['x-anything', 'cookie', 'range', 'if-range', 'if-match', 'x-api-key'])
  const frame = `${instance}/frames/1`
  for (const headers of [
    { 'x-forwarded-host': planted },
    { 'x-forwarded-for': '203.0.113.9' },
    { forwarded: `host=${planted}` },
    { 'x-original-url': `/${planted}` },
    { 'x-anything': planted },
    { 'user-agent': planted },
    { referer: `https://${planted}/` },
    { 'accept-language': planted },
    { cookie: `theme=${planted}` },
    { cookie: `i18next=en; theme=${planted}` },
    { range: 'bytes=0-1' },
    { 'if-range': planted },
    { 'if-match': `"${planted}"` },
    { 'if-none-match': `"${planted}"` },
    { 'accept-encoding': planted },
    { authorization: `Bearer ${planted}` },
    { 'x-api-key': planted },
    { te: 'trailers', connection: 'te, x-anything' },
  ]) {
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      if (protocol === 'HTTP/2' && 'connection' in headers) continue
      const path = `${frame}?${Object.keys(headers)[0]}=${protocol}`
      await gateway.ask(path, { protocol, headers })
      for (const [name, value] of Object.entries(headers))
        if (mayMean.has(name))
          t.equal(upstream.received.at(-1)?.header(name), value, `${name} reaches the upstream, past it`)
      const clean = await gateway.ask(path, { protocol })
      t.equal(clean.status, 200)
      t.notMatch(clean.text, /planted|203\.0\.113|bytes=|"for=/, `${Object.keys(headers)} over ${protocol}`)
      t.equal(JSON.parse(clean.text)[0], path)
    }
  }
})

t.test('another Host, Accept or query is another entry; another spelling of a path is none', async t => {
  const upstream = await startUpstream(t, echo)
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams: { app: { kind: orthanc, url: "${upstream.url}", cache: { memory: 8 MB } } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const seen = new Map<string, string>()
  const requests = ['', '?window=40,400,linear', '?window=40,400,linear&x=1', '?x=1&window=40,400,linear', '?'].flatMap(
    query =>
      ['image/jpeg', 'image/png', '*/*'].flatMap(accept =>
        ['localhost', '127.0.0.1'].map(host => ({
          path: `${instance}/rendered${query}`,
          accept,
          host: `${host}:${gateway.port}`,
        })),
      ),
  )
  for (const turn of ['first', 'second']) {
    for (const { path, accept, host } of requests) {
      const { text } = await gateway.ask(path, { headers: { accept, host }, tls: { servername: '' } })
      const [target, ...headers] = JSON.parse(text)
      const of = Object.fromEntries(headers)
      t.same([target, of.accept, of.host], [path, accept, host], turn)
      seen.set(`${path} ${accept} ${host}`, text)
    }
  }
  t.equal(upstream.received.length, requests.length, 'and each was asked for once')
  for (const spelled of [
    '/dicom-web//studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5/rendered',
    `${instance}/x/../rendered`,
    `${instance}%2frendered`,
    `${instance}/rendered%00`,
  ])
    t.equal((await gateway.ask(spelled)).status, 400, spelled)
  const escaped = await gateway.ask(`${instance}/%72endered`, {
    headers: { accept: 'image/jpeg', host: `localhost:${gateway.port}` },
  })
  t.equal(escaped.text, seen.get(`${instance}/rendered image/jpeg localhost:${gateway.port}`), 'one canonical path')
  for (const other of [
    `${instance}/rendered;x=1`,
    `${instance}/rendered/`,
    `${instance}/rendered/a.css`,
    `${instance}/rendered?viewport=1&annotation=patient`,
    instance,
    `${instance}/metadata`,
    `${instance}/bulk/00100010`,
  ]) {
    const before = upstream.received.length
    for (let times = 0; times < 2; times++) await gateway.ask(other)
    t.equal(upstream.received.length, before + 2, `${other} is never kept`)
  }
})

t.test('an answer that is for one person, or not whole, is never kept', async t => {
  const answers: Record<string, Fields> = {
    'set-cookie': [['Set-Cookie', 'id=1']],
    'no-store': [['Cache-Control', 'no-store']],
    private: [['Cache-Control', 'max-age=60, Private="x"']],
    'no-cache': [['Cache-Control', 'No-Cache']],
    old: [['Cache-Control', 's-maxage=0']],
    'vary-all': [['Vary', '*']],
    'vary-cookie': [['Vary', 'Accept, Cookie']],
    packed: [['Content-Encoding', 'gzip']],
    part: [['Content-Range', 'bytes 0-3/9']],
  }
  const upstream = await startUpstream(t, ({ target }) => {
    const asked = target.split('?')[1] ?? ''
    if (asked === 'cut') return closeDelimited('whole?', [octets])
    if (asked === 'page') return reply({ headers: [['Content-Type', 'text/html']], body: 'page' })
    if (asked === 'two') return reply({ headers: [octets, ['Content-Type', 'text/html']], body: 'page' })
    if (/^\d+$/.test(asked)) return reply({ status: Number(asked), headers: [octets], body: 'error' })
    return reply({ headers: [octets, ...(answers[asked] ?? [])], body: 'frame' })
  })
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}", cache: { memory: 8 MB } } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const statuses = ['201', '203', '206', '301', '404', '410', '500', '503']
  for (const query of [...Object.keys(answers), ...statuses, 'cut', 'page', 'two']) {
    const before = upstream.received.length
    for (let times = 0; times < 2; times++) await gateway.ask(`${instance}/frames/1?${query}`)
    t.equal(upstream.received.length, before + 2, query)
  }
  await gateway.ask(`${instance}/frames/1?fine`)
  const before = upstream.received.length
  await gateway.ask(`${instance}/frames/1?fine`)
  t.equal(upstream.received.length, before)
})

t.test('an upstream that asks who it is gets to know, and what it says to one is not said to another', async t => {
  const upstream = await startUpstream(t, request => {
    const who = request.header('x-remote-user')
    return reply(who === undefined ? { status: 403, body: 'who?' } : { headers: [octets], body: `for ${who}` })
  })
  const gateway = await startTestGateway(t, {
    accounts: { alice: { password: 'correct horse' }, bob: { password: 'battery staple' } },
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}", cache: { memory: 8 MB } } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const frame = `${instance}/frames/1`
  const asked = await Promise.all(
    ['alice:correct horse', 'bob:battery staple', 'alice:correct horse'].map(basic => gateway.ask(frame, { basic })),
  )
  t.same(
    asked.map(({ text }) => text),
    ['for alice', 'for bob', 'for alice'],
  )
})
