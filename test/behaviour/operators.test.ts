// What operators look at stands on an address of its own: health, readiness, metrics. A plain address only redirects.
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'

async function start(t: Test) {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
admin: { bind: 127.0.0.1:0 }
upstreams: { orthanc: { kind: orthanc, url: "${upstream.url}" } }
routes: [{ path: /, upstream: orthanc, access: authenticated }]`,
  })
  const admin = gateway.gateway.listeners.find(({ name }) => name === 'admin')?.urls[0] ?? ''
  return { upstream, gateway, admin }
}

t.test('healthz says that the process lives, readyz that it can do its work', async t => {
  const { upstream, admin, gateway } = await start(t)
  t.match(admin, /^http:\/\/127\.0\.0\.1:\d+$/)
  const health = await fetch(`${admin}/healthz`)
  t.same([health.status, await health.text()], [200, 'ok\n'])
  const ready = await fetch(`${admin}/readyz`)
  t.same(
    [ready.status, await ready.json()],
    [200, { ready: true, parts: { 'certificate web': 'ok', 'upstream orthanc': 'ok' } }],
  )
  t.equal((await fetch(`${admin}/nothing`)).status, 404)

  await upstream.close()
  // An answer is kept for two seconds.
  await new Promise(resolve => setTimeout(resolve, 2_100))
  const unready = await fetch(`${admin}/readyz`)
  const text = await unready.text()
  t.equal(unready.status, 503)
  t.match(JSON.parse(text), { ready: false, parts: { 'upstream orthanc': 'does not answer' } })
  t.notMatch(text, /127\.0\.0\.1|ECONN/)
  t.equal((await fetch(`${admin}/healthz`)).status, 200, 'the gateway itself is well')

  const answer = await gateway.ask('/metrics', { basic: 'alice:alice-password' })
  t.equal(answer.status, 502, 'on the public address these are paths like any other')
  t.equal((await gateway.ask('/-/healthz')).status, 404)
})

const names = [
  'sallyport_exchanges_total',
  'sallyport_exchange_seconds',
  'sallyport_exchanges_in_flight',
  'sallyport_sent_bytes_total',
  'sallyport_connections',
  'sallyport_tunnels',
  'sallyport_denials_total',
  'sallyport_faults_total',
  'sallyport_client_trouble_total',
  'sallyport_logins_total',
  'sallyport_upstream_up',
  'sallyport_certificate_expiry_seconds',
  'sallyport_audit_failures_total',
  'sallyport_reloads_total',
  'sallyport_configuration_current',
  'sallyport_state_up',
  'sallyport_revocation_list_expiry_seconds',
  'sallyport_streams_total',
  'sallyport_stream_connections',
  'sallyport_stream_bytes_total',
  'sallyport_cache_answers_total',
  'sallyport_cache_fills_total',
  'sallyport_cache_bytes',
  'sallyport_upstream_server_in_service',
  'sallyport_workers',
  'sallyport_worker_deaths_total',
]

t.test('every metric has its name, and no label names a person, a path or an address', async t => {
  const { gateway, admin } = await start(t)
  await gateway.ask('/studies/1.2.3/a-path', { basic: 'alice:alice-password' })
  await gateway.ask('/studies/1.2.3/a-path')
  await gateway.ask('/%2f')
  await gateway.signIn('alice', 'alice-password')
  await t.rejects(gateway.signIn('alice', 'not this one'))
  const text = await (await fetch(`${admin}/metrics`)).text()
  t.same([...text.matchAll(/^# TYPE (sallyport_\S+) /gm)].map(([, name]) => name).toSorted(), names.toSorted())
  t.match(text, 'sallyport_exchanges_total{listener="web",route="routes[0]",status="200",ending="complete"} 1')
  t.match(text, 'sallyport_exchanges_total{listener="web",route="none",status="400",ending="complete"} 1')
  t.match(text, 'sallyport_logins_total{outcome="signed-in"} 1')
  t.match(text, 'sallyport_logins_total{outcome="wrong-credentials"} 1')
  t.match(text, 'sallyport_denials_total{reason="no-identity"} 1')
  t.match(text, 'sallyport_upstream_up{upstream="orthanc"} 1')
  t.match(text, /^sallyport_certificate_expiry_seconds\{listener="web"\} \d+/m)
  t.match(text, /^process_resident_memory_bytes \d+/m, "and Node's own are there")
  t.notMatch(text.replace(/^nodejs_version_info.*$/m, ''), /alice|a-path|1\.2\.3|127\.0\.0\.1|localhost/)
})

t.test('a plain listener sends everybody to https and does nothing else', async t => {
  const upstream = await startUpstream(t)
  const site = await makeSite(t, {
    listeners: 'plain: { bind: 127.0.0.1:0, redirect: web }',
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  const [, port = ''] = await served.shows(/^listening http:\/\/127\.0\.0\.1:(\d+) \(plain\)$/m)
  const ask = async (path: string, method = 'GET', headers = {}) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { host: `localhost:${port}`, ...headers },
      agent: false,
    }).end()
    const [answer] = await once(sent, 'response')
    answer.resume()
    return { status: answer.statusCode, location: answer.headers.location }
  }
  t.same(await ask('/a/b?c=d'), { status: 301, location: `${served.url}/a/b?c=d` })
  t.same(await ask('/a', 'HEAD'), { status: 301, location: `${served.url}/a` })
  t.same(await ask('/a', 'POST'), { status: 308, location: `${served.url}/a` }, 'the method is kept')
  t.same(await ask('//evil.example/x'), { status: 301, location: `${served.url}//evil.example/x` }, 'still here')
  t.same(await ask('/a', 'GET', { host: 'bad host' }), { status: 400, location: undefined })
  t.same(await ask('/a', 'GET', { host: 'evil.example/@x' }), { status: 400, location: undefined })
  const upgrade = connect(Number(port), '127.0.0.1')
  t.teardown(() => upgrade.destroy())
  upgrade.end('GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const parts = await Array.fromAsync(upgrade as AsyncIterable<Buffer>) // no encoding is set
  t.match(Buffer.concat(parts).toString(), /^HTTP\/1\.1 301 /)
  t.equal(upstream.received.length, 0, 'nothing of it reaches an upstream')
})
