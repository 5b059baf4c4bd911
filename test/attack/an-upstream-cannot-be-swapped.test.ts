// An upstream with a pin is that upstream on every connection: not one that came between two requests with another
// certificate of the same authority, and not one that a resumed TLS session speaks for (Node does not call
// checkServerIdentity then). Who asks is told that it failed, and not which fingerprints were compared.
import { createSecureContext } from 'node:tls'
import t, { type Test } from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { sha1Of, sha256Of, spkiOf } from '../tls/peer-lab.ts'
import { head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

const authority = await startAuthority(t)
const honest = await authority.server(['localhost'])
const swapped = await authority.server(['localhost'])

/** An upstream that closes behind each answer, and the gateway in front of it. */
async function swappable(t: Pick<Test, 'teardown' | 'fail'>, { tls = {}, trust }: { tls?: object; trust: string }) {
  let shown = createSecureContext({ cert: honest.chainPem, key: honest.keyPem })
  const upstream = await startUpstream(
    t,
    request =>
      request.header('upgrade') === undefined
        ? reply({ headers: [['Connection', 'close']], body: 'from the upstream' })
        : upgradeEcho(),
    // Asked by name at every handshake.
    { tls: { cert: honest.chainPem, key: honest.keyPem, SNICallback: (_name, done) => done(null, shown), ...tls } },
  )
  const gateway = await startTestGateway(t, {
    authority,
    yaml: `
upstreams:
  app: { kind: generic, url: "https://localhost:${upstream.port}", tls: ${trust} }
routes: [{ path: /, upstream: app, access: everyone }]
`,
  })
  const swap = () => {
    shown = createSecureContext({ cert: swapped.chainPem, key: swapped.keyPem })
  }
  return { gateway, upstream, swap }
}

const handshake = async (gateway: TestGateway) => {
  const answer = await talk(gateway, head(gateway, 'GET /x HTTP/1.1', webSocketLines), { until: '\r\n\r\n' })
  return { statuses: statuses(answer.text), text: answer.text }
}
const logged = (gateway: TestGateway) => JSON.stringify(gateway.log())

const pins: Record<string, readonly [expected: string, actual: string]> = {
  'SHA-256': [`sha256:${sha256Of(honest.certPem)}`, `sha256:${sha256Of(swapped.certPem)}`],
  'SHA-1, as Check Point shows it': [sha1Of(honest.certPem), sha1Of(swapped.certPem)],
  'the key': [`spki-sha256:${spkiOf(honest.certPem)}`, `spki-sha256:${spkiOf(swapped.certPem)}`],
}
for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const [kind, [expected, actual]] of Object.entries(pins)) {
    for (const ca of [`ca: ${authority.caFile}, `, '']) {
      const title = `${version}, ${kind}, ${ca === '' ? 'pin alone' : 'ca and pin'}`
      t.test(`${title}: another certificate between two requests is refused before a byte`, async t => {
        const tls = { minVersion: version, maxVersion: version }
        const { gateway, upstream, swap } = await swappable(t, { tls, trust: `{ ${ca}pins: ["${expected}"] }` })
        for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
          t.match(await gateway.ask('/x', { protocol }), { status: 200, text: 'from the upstream' })
        }
        t.same((await handshake(gateway)).statuses, [101])
        t.equal(upstream.connections, 3, 'a connection for each')
        const before = upstream.received.length

        swap()
        for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
          const answer = await gateway.ask('/x', { protocol })
          t.equal(answer.status, 502, protocol)
          const said = JSON.stringify(answer.headers) + answer.text
          t.notMatch(said, /mismatch|fingerprint|certs fetch/)
          for (const digest of [expected, actual, `:${upstream.port}`]) t.notOk(said.includes(digest), digest)
        }
        const refused = await handshake(gateway)
        t.same(refused.statuses, [502], 'WebSocket')
        t.notMatch(refused.text, /mismatch|fingerprint/)
        t.equal(upstream.received.length, before, 'nothing of a request arrived')
        t.same(upstream.malformed, [])
        t.ok(logged(gateway).includes(`fingerprint mismatch: expected ${expected}, actual ${actual}`))
        t.match(logged(gateway), 'upstream-untrusted')
        t.match(logged(gateway), `sallyport certs fetch localhost:${upstream.port}`)
        await stillAnswers(t, gateway)
      })
    }
  }
}

t.test('an open connection goes on, and the next one is judged', async t => {
  const { gateway, upstream } = await swappable(t, {
    trust: `{ ca: ${authority.caFile}, pins: ["sha256:${sha256Of(swapped.certPem)}"] }`,
  })
  for (let times = 0; times < 3; times++) t.equal((await gateway.ask('/x')).status, 502)
  t.same((await handshake(gateway)).statuses, [502])
  t.same([upstream.received, upstream.malformed], [[], []])
})

const refusals: Record<string, readonly [trust: string, logged: RegExp]> = {
  'the authority is named that does not vouch for it': [
    '{ platformCas: true }',
    /not trusted: nothing in the trust store/,
  ],
  only: [`{ ca: ${authority.caFile}, only: "CN=pacs" }`, /the rule of .*only.* does not admit CN=localhost/],
  depth: [`{ ca: ${authority.caFile}, depth: 1 }`, /the chain of certificates is too long: 2 in it/],
  name: [`{ ca: ${authority.caFile}, name: pacs.test }`, /is for DNS:localhost, and pacs\.test is expected/],
}
for (const [title, [trust, said]] of Object.entries(refusals)) {
  t.test(`502 by ${title}: requests and tunnels alike, and the log says why`, async t => {
    const { gateway, upstream } = await swappable(t, { trust })
    t.equal((await gateway.ask('/x')).status, 502)
    t.same((await handshake(gateway)).statuses, [502])
    t.same([upstream.received, upstream.malformed], [[], []])
    t.match(logged(gateway), said)
  })
}

t.test('an upstream of which nothing is said must prove itself to the platform', async t => {
  const upstream = await startUpstream(t, undefined, { tls: { cert: honest.chainPem, key: honest.keyPem } })
  const gateway = await startTestGateway(t, {
    authority,
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
  })
  t.equal((await gateway.ask('/x')).status, 502)
  t.same((await handshake(gateway)).statuses, [502])
  t.same(upstream.received, [])
  t.match(logged(gateway), /not trusted: nothing in the trust store of this machine/)
})
