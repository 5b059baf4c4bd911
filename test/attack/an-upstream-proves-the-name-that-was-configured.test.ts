// An upstream over TLS must prove the name in the configuration. The Host of a client goes on to the upstream, and must
// not become the name that is looked for: else whoever has any certificate of the same authority could stand in for it.
import t, { type Test } from 'tap'
import { startAuthority, type TestPair } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream, type Upstream } from '../fixture/upstream.ts'
import { json, upgradeEcho } from '../fixture/upstream-answers.ts'
import { head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

const authority = await startAuthority(t)
const honest = await authority.server(['localhost'], ['127.0.0.1'])
const named = await authority.server(['pacs.test'])
const impostor = await authority.server(['impostor.test'], ['127.0.0.2'])

/** A gateway in front of an upstream that shows this certificate. */
async function behind(
  t: Pick<Test, 'teardown' | 'fail'>,
  { chainPem, keyPem }: TestPair,
  { host = 'localhost', trust = '' } = {},
): Promise<{ gateway: TestGateway; upstream: Upstream }> {
  const upstream = await startUpstream(
    t,
    request => (request.header('upgrade') === undefined ? json({ from: 'upstream' }) : upgradeEcho()),
    { tls: { cert: chainPem, key: keyPem } },
  )
  const gateway = await startTestGateway(t, {
    authority,
    yaml: `
upstreams:
  app: { kind: generic, url: "https://${host}:${upstream.port}", tls: { ca: ${authority.caFile}${trust} } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
  })
  return { gateway, upstream }
}

/** Names that a client may say: the one that was configured, those in the certificates, any, none that is a name. */
const hosts = ['localhost', 'LOCALHOST', 'impostor.test', 'impostor.test:443', 'pacs.test', '127.0.0.1', '127.0.0.2']
const protocols = ['HTTP/1.1', 'HTTP/2'] as const

const faults = (gateway: TestGateway) =>
  new Set(gateway.log().flatMap(({ fault }) => (fault === undefined ? [] : [String(fault)])))
const ask = (gateway: TestGateway, host: string, protocol: (typeof protocols)[number]) =>
  gateway.ask('/x', { protocol, headers: protocol === 'HTTP/2' ? { ':authority': host } : { host } })
const handshake = async (gateway: TestGateway, host: string) => {
  const bytes = head(gateway, 'GET /x HTTP/1.1', [...webSocketLines, `Host: ${host}`])
  return statuses((await talk(gateway, bytes, { until: '\r\n\r\n' })).text)
}

const wrong: Readonly<Record<string, readonly [TestPair, { host?: string; trust?: string }]>> = {
  'a name in the URL': [impostor, {}],
  'an address in the URL': [impostor, { host: '127.0.0.1' }],
  'an address in the URL, and a certificate for a name only': [named, { host: '127.0.0.1' }],
  'a name of its own in the configuration': [honest, { trust: ', name: pacs.test' }],
  'a name of its own beside an address': [honest, { host: '127.0.0.1', trust: ', name: pacs.test' }],
}
for (const [title, [pair, terms]] of Object.entries(wrong)) {
  t.test(`${title}: a certificate for another name is refused, whatever Host a client says`, async t => {
    const { gateway, upstream } = await behind(t, pair, terms)
    for (const host of hosts) {
      for (const protocol of protocols) t.equal((await ask(gateway, host, protocol)).status, 502, `${host} ${protocol}`)
      t.same(await handshake(gateway, host), [502], `${host}, WebSocket`)
    }
    t.same(upstream.received, [], 'nothing of a request arrived')
    t.same(upstream.malformed, [])
    t.same([...faults(gateway)], ['upstream-untrusted'])
    await stillAnswers(t, gateway)
  })
}

const right: Readonly<Record<string, readonly [TestPair, { host?: string; trust?: string }]>> = {
  'a name in the URL': [honest, {}],
  'an address in the URL': [honest, { host: '127.0.0.1' }],
  'a name of its own in the configuration': [named, { trust: ', name: pacs.test' }],
  'a name of its own beside an address': [named, { host: '127.0.0.1', trust: ', name: pacs.test' }],
}
for (const [title, [pair, terms]] of Object.entries(right)) {
  t.test(`${title}: the right server is reached, whatever Host a client says, and over one connection`, async t => {
    const { gateway, upstream } = await behind(t, pair, terms)
    for (const host of hosts) {
      for (const protocol of protocols) t.equal((await ask(gateway, host, protocol)).status, 200, `${host} ${protocol}`)
    }
    t.equal(upstream.received.length, 2 * hosts.length)
    t.equal(upstream.connections, 1, 'another Host does not make another connection')
    for (const host of hosts) t.same(await handshake(gateway, host), [101], `${host}, WebSocket`)
    t.same([...faults(gateway)], [])
    t.same(
      new Set(upstream.received.map(request => request.header('host')?.toLowerCase())).size > 1,
      true,
      'Host goes on',
    )
  })
}
