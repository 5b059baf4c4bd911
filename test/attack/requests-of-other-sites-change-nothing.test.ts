// The matrix of Origin and Sec-Fetch-Site, for every proof that a browser adds by itself: an unsafe method from another
// site gets 403 before the upstream; a safe one, and a program without either header, goes on.
import t from 'tap'
import { type Ask, startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const yaml = (listener = '') => `
cors: { origins: ["https://friend.example"] }
upstreams: { app: { kind: generic, url: "${upstream.url}" }, orthanc: { kind: orthanc, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: authenticated }
  - { path: /open, upstream: app, access: everyone }
  - { path: /orthanc, upstream: orthanc, strip: true, access: [{ people: [alice], may: everything }] }
${listener}`
const accounts = { alice: { password: 'correct horse', groups: ['radiology'] } }
const gateway = await startTestGateway(t, { accounts, yaml: yaml() })
const session = await gateway.signIn('alice', 'correct horse')
const client = await gateway.authority.client('alice')

type Site = Readonly<Record<string, string | string[]>>
const friend = 'https://friend.example'
const here = { origin: gateway.url }
const welcome: readonly Site[] = [
  {},
  here,
  { ...here, 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'none' },
  { origin: friend },
  { origin: friend, 'sec-fetch-site': 'cross-site' },
  { origin: friend, 'sec-fetch-site': 'same-site' },
]
const foreign: readonly Site[] = [
  { origin: 'https://evil.example' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'none' },
  { origin: 'null' },
  { origin: 'null', 'sec-fetch-site': 'same-origin' },
  { origin: '' },
  { origin: ' ' },
  { origin: 'file://' },
  { origin: 'about:blank' },
  { origin: gateway.url.replace('https', 'http') },
  { origin: 'https://localhost' },
  { origin: `https://127.0.0.1:${gateway.port}` },
  { origin: `${gateway.url}.evil.example` },
  { origin: `https://evil.example/${gateway.url}` },
  { origin: `https://sister.localhost:${gateway.port}` },
  { origin: 'https://friend.example.evil' },
  { origin: 'http://friend.example' },
  { origin: `${friend}:8443` },
  { origin: `${gateway.url}, https://evil.example` },
  { origin: `${gateway.url} https://evil.example` },
  { origin: [gateway.url, gateway.url] },
  { origin: [friend, 'https://evil.example'] },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { ...here, 'sec-fetch-site': 'cross-site' },
  { ...here, 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': ['same-origin', 'cross-site'] },
  { 'x-forwarded-host': 'evil.example', origin: 'https://evil.example' },
  { 'x-forwarded-proto': 'http', origin: gateway.url.replace('https', 'http') },
]

const proofs: Readonly<Record<string, { ask: Ask; path: string }>> = {
  session: { ask: { cookie: session }, path: '/x' },
  Basic: { ask: { basic: 'alice:correct horse' }, path: '/x' },
  certificate: { ask: { client }, path: '/x' },
  'certificate over Orthanc': { ask: { client }, path: '/orthanc/instances' },
  nothing: { ask: {}, path: '/open' },
}
const unsafe = ['POST', 'PUT', 'DELETE', 'PROPFIND']

for (const [proof, { ask, path }] of Object.entries(proofs)) {
  t.test(`proof: ${proof}`, async t => {
    let asked = 0
    const wrong: string[] = []
    const expect = async (wish: Ask, status: number, arrives: boolean) => {
      const from = upstream.received.length
      const answer = await gateway.ask(path, { ...ask, ...wish })
      const came = upstream.received.length - from
      asked++
      if (answer.status === status && came === Number(arrives)) return
      wrong.push(`${wish.protocol} ${wish.method} ${JSON.stringify(wish.headers)}: ${answer.status}, ${came} arrived`)
    }
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      for (const site of foreign) {
        // nghttp2 leaves out a field whose value is blank, and no browser sends one.
        if (site['origin'] === ' ' && protocol === 'HTTP/2') continue
        for (const method of protocol === 'HTTP/1.1' ? unsafe : ['POST']) {
          await expect({ method, protocol, headers: site }, 403, false)
        }
        await expect({ method: 'GET', protocol, headers: site }, 200, true)
      }
      for (const site of welcome) {
        for (const method of ['GET', 'POST', 'DELETE']) await expect({ method, protocol, headers: site }, 200, true)
      }
    }
    t.same(wrong, [], `${asked} requests`)
    t.ok(asked > 200)
  })
}

t.test('with a public address that one is ours as well, and only that', async t => {
  const known = await startTestGateway(t, { accounts, yaml: yaml(), listener: 'publicUrl: https://imaging.example' })
  const ask = { method: 'POST', basic: 'alice:correct horse' }
  const host = 'imaging.example'
  t.equal((await known.ask('/x', { ...ask, headers: { host, origin: 'https://imaging.example' } })).status, 200)
  t.equal(
    (await known.ask('/x', { ...ask, headers: { host: `${host}:443`, origin: 'https://imaging.example' } })).status,
    200,
  )
  t.equal((await known.ask('/x', { ...ask, headers: { host, origin: 'https://evil.example' } })).status, 403)
  t.equal(
    (await known.ask('/x', { ...ask, headers: { host: 'evil.example', origin: 'https://evil.example' } })).status,
    421,
  )
})

t.test('a refusal is written down with the origin that was said', async t => {
  await gateway.ask('/x', { client, method: 'POST', headers: { origin: 'https://evil.example' } })
  t.match(
    gateway.audit().filter(line => JSON.stringify(line).includes('cross-site')).length > 0,
    true,
    'the audit trail holds it',
  )
  await stillAnswers(t, gateway)
})
