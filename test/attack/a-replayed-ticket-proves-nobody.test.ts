// A TLS session says nothing about who is calling: one that was opened without a certificate proves nobody when it is
// used again, and one that was opened with a certificate proves nobody without it (nodejs/node#35317, CVE-2025-23419).
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import type { RawTlsOptions } from '../fixture/raw-tls.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, openRaw, statuses, stillAnswers } from './raw-request.ts'

const upstream = await startUpstream(t)
const yaml = `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: [{ people: [alice], may: read, proof: [certificate] }] }
  - { path: /open, upstream: app, access: everyone }
`

/** One request; what came, the session to use again, and whether this one was used again. */
async function visit(gateway: TestGateway, path: string, options: RawTlsOptions) {
  using line = await openRaw(gateway, options)
  const tickets: Buffer[] = []
  line.socket.on('session', ticket => tickets.push(ticket))
  await line.write(head(gateway, `GET ${path} HTTP/1.1`))
  const { text } = await line.read({ until: '\r\n\r\n' })
  // In TLS 1.3 tickets come when they like.
  if (tickets.length === 0) await Promise.race([once(line.socket, 'session'), pause(150)])
  const session = tickets.at(-1) ?? line.socket.getSession()
  return { status: statuses(text)[0], session, reused: line.socket.isSessionReused() }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  const range = { minVersion: version, maxVersion: version }
  const again = (session: Buffer | undefined) => ({ tls: { ...range, ...(session === undefined ? {} : { session }) } })

  t.test(`${version}: on a listener that asks for certificates nothing is resumed`, async t => {
    const gateway = await startTestGateway(t, { yaml, certificate: 'optional' })
    const { chainPem, keyPem } = await gateway.authority.client('alice')
    const alice = { cert: chainPem, key: keyPem }
    const rogue = await gateway.authority.rogueClient('alice')
    const from = upstream.received.length

    const nobody = await visit(gateway, '/x', { tls: range })
    t.equal(nobody.status, 401)
    const nobodyAgain = await visit(gateway, '/x', again(nobody.session))
    t.match(nobodyAgain, { status: 401, reused: false }, 'opened without a certificate')
    const forged = await visit(gateway, '/x', { ...again(nobody.session), cert: rogue.chainPem, key: rogue.keyPem })
    t.match(forged, { status: 401, reused: false }, 'with a certificate of another authority')
    t.equal(upstream.received.length, from, 'nothing arrived')

    const proved = await visit(gateway, '/x', { tls: range, ...alice })
    t.match(proved, { status: 200, reused: false })
    const without = await visit(gateway, '/x', again(proved.session))
    t.match(without, { status: 401, reused: false }, 'opened with a certificate, used again without')
    const late = await visit(gateway, '/x', { ...again(nobody.session), ...alice })
    t.match(late, { status: 200, reused: false }, 'a full handshake counts')
    t.equal(upstream.received.length, from + 2)
    await stillAnswers(t, gateway)
  })

  t.test(`${version}: a session of a listener that asks for none proves nobody, there and elsewhere`, async t => {
    const open = await startTestGateway(t, { yaml, certificate: 'none' })
    const { chainPem, keyPem } = await open.authority.client('alice')
    const first = await visit(open, '/open', { tls: range, cert: chainPem, key: keyPem })
    t.equal(first.status, 200)
    const resumed = await visit(open, '/x', { ...again(first.session), cert: chainPem, key: keyPem })
    t.equal(resumed.status, 401, `reused: ${resumed.reused}`)

    // The same certificate, key and authority, on a listener that does ask.
    const asking = await startTestGateway(t, { yaml, certificate: 'required', authority: open.authority })
    const foreign = await visit(asking, '/x', again(first.session))
    t.match(foreign, { status: 400, reused: false })
  })
}

t.test('a ticket that was changed on the way gives a full handshake', async t => {
  const gateway = await startTestGateway(t, { yaml, certificate: 'none' })
  const { session } = await visit(gateway, '/open', { tls: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } })
  const changed = Buffer.from(session ?? '')
  for (let at = Math.floor(changed.length / 3); at < changed.length; at += 7)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
  const { status } = await visit(gateway, '/open', { tls: { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } })
  t.equal(status, 200)
  await visit(gateway, '/open', { tls: { session: changed, maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } }).catch(
    () => undefined,
  )
  await stillAnswers(t, gateway)
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  const range = { minVersion: version, maxVersion: version, checkServerIdentity: () => undefined }
  const again = (session: Buffer | undefined, servername: string) => ({
    tls: { ...range, servername, ...(session === undefined ? {} : { session }) },
  })

  t.test(`${version}: a session of one name is worth nothing under another`, async t => {
    for (const certificate of ['none', 'optional', 'required'] as const) {
      const authority = await startAuthority(t)
      const pairs = [await authority.server(['localhost'], ['127.0.0.1']), await authority.server(['b.example.org'])]
      const keystore = `[${pairs.map(({ certFile, keyFile }) => `{ certificate: ${certFile}, key: ${keyFile} }`).join(', ')}]`
      const gateway = await startTestGateway(t, { yaml, authority, certificate, keystore })
      const { chainPem, keyPem } = await authority.client('alice')
      const alice = certificate === 'none' ? {} : { cert: chainPem, key: keyPem }
      const first = await visit(gateway, '/open', { ...again(undefined, 'localhost'), ...alice })
      t.match(first, { status: 200, reused: false })
      for (const name of ['b.example.org', 'localhost', 'B.example.org'])
        t.match(await visit(gateway, '/open', again(first.session, name)), { reused: false }, `${certificate}: ${name}`)
    }
  })

  t.test(`${version}: no session of before a reload is taken up after it`, async t => {
    const gateway = await startTestGateway(t, { yaml, certificate: 'none' })
    const first = await visit(gateway, '/open', again(undefined, 'localhost'))
    t.match(await visit(gateway, '/open', again(first.session, 'localhost')), { reused: true }, 'before')
    const { certFile, keyFile } = await gateway.authority.server(['localhost'], ['127.0.0.1'])
    t.same(await gateway.reload({ keystore: `{ certificate: ${certFile}, key: ${keyFile} }` }), { ok: true })
    t.match(await visit(gateway, '/open', again(first.session, 'localhost')), { reused: false }, 'another certificate')
    const second = await visit(gateway, '/open', again(undefined, 'localhost'))
    t.same(await gateway.reload({ certificate: 'required' }), { ok: true })
    t.match(
      await visit(gateway, '/open', again(second.session, 'localhost')),
      { status: 400, reused: false },
      'certificates are demanded now',
    )
  })
}
