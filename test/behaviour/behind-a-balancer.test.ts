// A real HAProxy of layer 4 in front of the gateway: clients behind it are told apart by the PROXY header that it sends,
// in the audit trail, the log and the throttle, by HTTP and DICOM; and what it must be told to send is told.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import type { Answered } from '../fixture/front-door.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { haproxyAddress, haproxyTools, startHaproxy } from '../fixture/haproxy.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { requireReal } from '../fixture/real.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { accept, request } from '../stream/pdus.ts'
import { within } from './app.ts'

if (!requireReal(t, [...haproxyTools, ...curlTools])) process.exit(0)

const authority = await startAuthority(t)
const upstream = await startUpstream(t)
const archive = await startTcpUpstream(t)
const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])
const truststore = join(authority.dir, 'nodes.pem')
writeFileSync(truststore, authority.caPem)

const gateway = await startTestGateway(t, {
  authority,
  listener: 'proxyProtocol: v2',
  accounts: { bob: { password: 'right', groups: ['radiology'] } },
  yaml: `
trustedProxies: [${haproxyAddress}]
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /closed, upstream: app, access: [{ groups: [radiology], may: read }] }
realms:
  basic: true
  local: { file: state-users.yaml }
  certificate: { groups: [modalities] }
  throttle: { address: { failures: 2 } }
streams:
  dicom:
    bind: 127.0.0.1:0
    proxyProtocol: v2
    protocol: dicom
    keystore: { certificate: ${certFile}, key: ${keyFile} }
    clients: { certificate: required, truststore: ${truststore} }
    upstream: tcp://127.0.0.1:${archive.port}
    access: [{ groups: [modalities] }]`,
})
const dicom = Number(new URL(gateway.gateway.listeners.find(({ name }) => name === 'dicom')?.urls[0] ?? '').port)
const haproxy = await startHaproxy(t, [
  { port: gateway.port, settings: 'send-proxy-v2' },
  { port: gateway.port, settings: 'send-proxy-v2-ssl proxy-v2-options crc32c,unique-id check inter 100 rise 1 fall 1' },
  { port: dicom, settings: 'send-proxy-v2' },
  { port: gateway.port, settings: 'send-proxy' },
  { port: gateway.port, settings: '' },
])
const [plain = 0, checked = 0, toDicom = 0, version1 = 0, silent = 0] = haproxy.ports

const asked = (
  path: string,
  { port = plain, from, basic }: { port?: number; from: string; basic?: string },
): Promise<Answered> =>
  gateway.ask(path, {
    tls: { port, localAddress: from },
    headers: { 'x-forwarded-for': '192.0.2.1', host: `localhost:${gateway.port}` },
    ...(basic === undefined ? {} : { basic }),
  })
const forwardedFor = () => upstream.received.at(-1)?.header('x-forwarded-for')

t.test('upstream and access log have the client, and nothing that it says of itself', async t => {
  t.equal((await asked('/x', { from: '127.0.0.21' })).status, 200)
  t.equal(forwardedFor(), '127.0.0.21')
  t.ok(gateway.log().some(({ client }) => client === '127.0.0.21'))
  t.notMatch(JSON.stringify([gateway.log(), gateway.audit()]), /192\.0\.2\.1"/)
})

t.test('over HTTP/2 and IPv6 too', async t => {
  const { status, version } = await curl([
    ...['--http2', '--cacert', authority.caFile, '--connect-to', `localhost:${gateway.port}:[::1]:${plain}`],
    `https://localhost:${gateway.port}/x`,
  ])
  t.same([status, version, forwardedFor()], [200, '2', '::1'])
})

t.test('who guesses passwords is stopped, and nobody else behind the same balancer', async t => {
  for (const _ of [1, 2]) await asked('/closed', { from: '127.0.0.22', basic: 'bob:wrong' })
  t.equal((await asked('/closed', { from: '127.0.0.22', basic: 'bob:right' })).status, 429)
  t.equal((await asked('/closed', { from: '127.0.0.23', basic: 'bob:right' })).status, 200)
  t.ok(await within(2_000, () => gateway.audit().some(({ address }) => address === '127.0.0.22')))
})

t.test('a header that is sealed and carries more is read, and its health checks are no trouble', async t => {
  const troubles = () => gateway.log().filter(({ message }) => message === 'client trouble').length
  const before = troubles()
  t.equal((await asked('/x', { port: checked, from: '127.0.0.24' })).status, 200)
  t.equal(forwardedFor(), '127.0.0.24')
  await new Promise(resolve => setTimeout(resolve, 350))
  t.notMatch(haproxy.log(), /DOWN/)
  t.equal((await asked('/x', { port: checked, from: '127.0.0.24' })).status, 200)
  t.equal(troubles(), before)
})

t.test('a DICOM node behind it is itself in the audit trail', async t => {
  const scanner = await authority.client('ct')
  using line = await rawTls(toDicom, {
    ...{ ca: authority.caPem, cert: scanner.chainPem, key: scanner.keyPem, localAddress: '127.0.0.25' },
  })
  await line.write(request())
  const came = await archive.next()
  t.same(await came.has(request().length), request(), 'and its bytes are all that the archive gets')
  came.socket.write(accept())
  await line.read({ until: /1\.2\.3$/ })
  t.ok(
    await within(2_000, () =>
      gateway.audit().some(({ kind, address }) => kind === 'stream' && address === '127.0.0.25'),
    ),
  )
})

t.test('a balancer that sends version 1, or nothing, is cut, and the operator is told what it lacks', async t => {
  const from = upstream.received.length
  await t.rejects(asked('/x', { port: version1, from: '127.0.0.26' }))
  await t.rejects(asked('/x', { port: silent, from: '127.0.0.26' }))
  t.equal(upstream.received.length, from)
  const told = gateway.log().filter(({ kind, address }) => kind === 'proxy-header' && address === haproxyAddress)
  t.match(
    told.find(({ level }) => level === 'warn'),
    { detail: /version 1 \(text\).*send-proxy-v2/ },
  )
  t.ok(told.some(({ detail }) => /^TLS without a PROXY header.*send-proxy-v2/.test(String(detail))))
})
