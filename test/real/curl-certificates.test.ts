// curl comes in by certificate, or is told why it does not.
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { startUpstream } from '../fixture/upstream.ts'

async function start(t: Test, certificate: 'optional' | 'required' = 'optional') {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    certificate,
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /app, upstream: app, access: authenticated }]`,
  })
  const ask = (...args: string[]) => curl(['--cacert', gateway.authority.caFile, ...args, `${gateway.url}/app/x`])
  return { upstream, gateway, ask }
}

const protocols = [
  ['--http1.1', '1.1'],
  ['--http2', '2'],
] as const

for (const [flag, version] of protocols) {
  t.test(`over HTTP/${version} nobody gets 401 with a Basic challenge, and a trusted certificate 200`, async t => {
    if (!requireReal(t, curlTools)) return
    const { upstream, gateway, ask } = await start(t)

    const nobody = await ask(flag)
    t.match(nobody, { status: 401, version, headers: { 'content-type': 'application/problem+json' } })
    t.equal(nobody.headers['www-authenticate'], 'Basic realm="sallyport", charset="UTF-8"')
    t.match(JSON.parse(nobody.text), { status: 401, reason: 'no-identity', type: 'urn:sallyport:no-identity' })
    t.equal(upstream.received.length, 0, 'nothing has reached the upstream')

    const alice = await gateway.authority.client('alice')
    const answer = await ask(flag, '--cert', alice.certFile, '--key', alice.keyFile)
    t.match(answer, { status: 200, version, text: '{"from":"upstream"}' })
    t.equal(upstream.received[0]?.header('x-remote-user'), 'alice')
    t.equal(upstream.received[0]?.header('x-remote-proof'), 'certificate')
  })

  t.test(
    `over HTTP/${version} a rogue certificate gets 401 with the reason where certificates are optional`,
    async t => {
      if (!requireReal(t, curlTools)) return
      const { upstream, gateway, ask } = await start(t)
      const rogue = await gateway.authority.rogueClient('alice')
      const answer = await ask(flag, '--cert', rogue.certFile, '--key', rogue.keyFile)
      t.match(answer, { status: 401, version })
      t.match(JSON.parse(answer.text), { reason: 'certificate-not-trusted' })
      t.equal(upstream.received.length, 0)
      const refusal = () => gateway.audit().find(line => line['kind'] === 'certificate-refused')
      t.ok(await within(1_000, () => refusal() !== undefined), 'it is in the audit trail')
      t.match(refusal(), { reason: 'certificate-not-trusted', address: '127.0.0.1' })
    },
  )

  t.test(
    `over HTTP/${version} a listener that requires a certificate answers 400 to a rogue one and to none`,
    async t => {
      if (!requireReal(t, curlTools)) return
      const { upstream, gateway, ask } = await start(t, 'required')
      const rogue = await gateway.authority.rogueClient('alice')
      const refused = await ask(flag, '--cert', rogue.certFile, '--key', rogue.keyFile)
      t.match(refused, { status: 400, version })
      t.match(JSON.parse(refused.text), { reason: 'certificate-not-trusted' })
      const refusal = () => gateway.audit().find(line => line['kind'] === 'certificate-refused')
      t.ok(await within(1_000, () => refusal() !== undefined), 'it is in the audit trail')
      t.match(refusal(), { reason: 'certificate-not-trusted' })

      const none = await ask(flag)
      t.match(none, { status: 400, version })
      t.match(JSON.parse(none.text), { reason: 'certificate-missing' })
      t.equal(upstream.received.length, 0)

      const alice = await gateway.authority.client('alice')
      t.match(await ask(flag, '--cert', alice.certFile, '--key', alice.keyFile), { status: 200, version })
    },
  )
}

t.test('a PKCS#12 file of ours is what curl takes with --cert-type P12', async t => {
  if (!requireReal(t, curlTools)) return
  const { upstream, gateway, ask } = await start(t)
  for (const format of ['modern', 'compat'] as const) {
    const person = await gateway.authority.client(`person-${format}`, { format, p12Password: 'a p12 pass:word' })
    const answer = await ask('--cert-type', 'P12', '--cert', `${person.p12File}:a p12 pass:word`)
    t.equal(answer.status, 200, `${format}: ${answer.complaint}`)
    t.equal(upstream.received.at(-1)?.header('x-remote-user'), `person-${format}`)
  }
})

t.test('an expired certificate is told that it has expired', async t => {
  if (!requireReal(t, curlTools)) return
  const { gateway, ask } = await start(t)
  const old = await gateway.authority.client('alice', { days: 1, now: new Date(Date.now() - 30 * 86_400_000) })
  const answer = await ask('--cert', old.certFile, '--key', old.keyFile)
  t.equal(answer.status, 401)
  t.match(JSON.parse(answer.text), { reason: 'certificate-expired' })
})

t.test('curl without our authority refuses the gateway', async t => {
  if (!requireReal(t, curlTools)) return
  const { gateway, upstream } = await start(t)
  const answer = await curl([`${gateway.url}/app/x`])
  t.match(answer, { status: 0, exitCode: 60 })
  t.equal(upstream.received.length, 0)
})
