// The certificate of a listener ends while the gateway runs: clients refuse it, the operator is told, and a renewed one is at
// work without a restart.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'

t.test('a certificate of four seconds', async t => {
  const upstream = await startUpstream(t)
  const authority = await startAuthority(t)
  const short = await authority.server(['localhost'], ['127.0.0.1'], { days: 4 / 86_400 })
  const keystore = ({ certFile, keyFile }: typeof short) => `{ certificate: ${certFile}, key: ${keyFile} }`
  const ends = Date.now() + 5_000
  const gateway = await startTestGateway(t, {
    authority,
    keystore: keystore(short),
    yaml: `
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const admin = gateway.gateway.listeners.find(({ name }) => name === 'admin')?.urls[0] ?? ''
  t.equal((await gateway.ask('/x')).status, 200)
  await pause(ends - Date.now())
  await t.rejects(gateway.ask('/x'), { code: 'CERT_HAS_EXPIRED' }, 'clients refuse it')
  const ready = await fetch(`${admin}/readyz`)
  t.match(
    [ready.status, await ready.json()],
    [503, { parts: { 'certificate web': 'expired' } }],
    'the operator is told',
  )

  const outcome = await gateway.reload({ keystore: keystore(await authority.server(['localhost'], ['127.0.0.1'])) })
  t.ok(outcome.ok)
  t.equal((await gateway.ask('/x')).status, 200, 'a renewed one is at work')
})
