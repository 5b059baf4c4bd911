/**
 * OMERO's Glacier2 with TLS at the gate: a real Ice client with the IceSSL properties that OMERO's documentation names
 * (seed 000), a real router and server behind.
 *
 * Source: OMERO "Client server SSL verification"; ZeroC IceSSL properties of Ice 3.7.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { iceTools, runIceClient, startGlacier2 } from '../fixture/ice.ts'
import { requireReal } from '../fixture/real.ts'
import { startStream } from '../fixture/stream.ts'

t.test('clients of Glacier2 come in over TLS', async t => {
  if (!requireReal(t, iceTools)) return
  t.jobs = 2
  const authority = await startAuthority(t)
  const glacier2 = await startGlacier2(t)
  const { port: upstream, server } = glacier2
  const alice = await authority.client('alice', { p12Password: 'secret' })
  const old = await authority.client('alice', { p12Password: 'secret', format: 'compat' })
  const rogue = await authority.rogueClient('alice', { p12Password: 'secret' })
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-icessl-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const rogueCa = join(dir, 'rogue.pem')
  writeFileSync(rogueCa, rogue.chainPem)

  const verifies = {
    'IceSSL.VerifyPeer': '1',
    'IceSSL.CAs': authority.caFile,
    'IceSSL.CheckCertName': '1',
    'IceSSL.VerifyDepthMax': '0',
  }
  const all = {
    session: true,
    greeting: 'good day, gate',
    callback: 'the client said: I heard you',
    failure: undefined,
  }
  const open = '{ protocol: raw, access: everyone }'

  const welcome: [what: string, properties: Record<string, string>, more?: { host?: string; cipher?: RegExp }][] = [
    ['IceSSL.VerifyPeer=1, CAs cacert.pem, CheckCertName=1, VerifyDepthMax=0', {}],
    ['Protocols tls1_2', { 'IceSSL.Protocols': 'tls1_2' }, { cipher: /^ECDHE/ }],
    ['Protocols tls1_3', { 'IceSSL.Protocols': 'tls1_3' }, { cipher: /^TLS_/ }],
    ['Protocols tls1_2,tls1_3', { 'IceSSL.Protocols': 'tls1_2,tls1_3' }, { cipher: /^TLS_/ }],
    ['Ciphers HIGH', { 'IceSSL.Ciphers': 'HIGH', 'IceSSL.Protocols': 'tls1_2' }, { cipher: /^ECDHE/ }],
    ['a family of ciphers, AES256', { 'IceSSL.Ciphers': 'AES256', 'IceSSL.Protocols': 'tls1_2' }, { cipher: /AES256/ }],
    ['the address in the certificate', {}, { host: '127.0.0.1' }],
    ['TrustOnly=CN=localhost', { 'IceSSL.TrustOnly': 'CN=localhost' }],
    ['TrustOnly=CN=other;CN=localhost', { 'IceSSL.TrustOnly': 'CN=omero.example.org;CN=localhost' }],
    [
      'DefaultDir, and CAs relative to it',
      { 'IceSSL.DefaultDir': join(authority.caFile, '..'), 'IceSSL.CAs': 'ca.pem' },
    ],
    ['VerifyPeer=0, as OMERO clients have it by default', { 'IceSSL.VerifyPeer': '0' }],
  ]
  for (const [what, properties, { host = 'localhost', cipher = /./ } = {}] of welcome) {
    void t.test(`a session, a call, a call back and a large argument: ${what}`, { buffered: true }, async t => {
      const stream = await startStream(t, { upstream, authority, yaml: open })
      // The large argument once for each version: it takes its time.
      const bulk = /tls1_\d$/.test(what) ? 20_000_000 : 1_000
      const outcome = await runIceClient({
        ...{ port: stream.port, server, host, bulk },
        properties: { ...verifies, ...properties },
      })
      t.match(outcome, { ...all, bulk, cipher }, 'all steps', { log: glacier2.log() })
      const line = await stream.ended()
      t.match(line, { stream: 's', ending: undefined })
      t.ok(Number(line['toUpstream']) > bulk)
      t.match(stream.events, [{ kind: 'stream', stream: 's' }])
    })
  }

  const unwelcome: [what: string, properties: Record<string, string>, host?: string][] = [
    ['a CA that did not issue our certificate', { 'IceSSL.CAs': rogueCa }],
    ['TrustOnly with another name', { 'IceSSL.TrustOnly': 'CN=omero.example.org' }],
    ['TrustOnly that rejects ours', { 'IceSSL.TrustOnly': '!CN=localhost' }],
    ['CheckCertName, and an address that is not in the certificate', {}, '127.0.0.2'],
  ]
  for (const [what, properties, host = 'localhost'] of unwelcome) {
    void t.test(`the client turns away: ${what}`, { buffered: true }, async t => {
      const yaml = host === 'localhost' ? open : '{ bind: "0.0.0.0:0", protocol: raw, access: everyone }'
      const stream = await startStream(t, { upstream, authority, yaml })
      const outcome = await runIceClient({
        port: stream.port,
        server,
        host,
        properties: { ...verifies, ...properties },
      })
      t.match(outcome, { session: undefined, failure: /SecurityException|ProtocolException|ConnectionLost/ })
    })
  }
  const refused: [what: string, properties: Record<string, string>][] = [
    [
      'anonymous ciphers, as OMERO had them by default (ADH)',
      { 'IceSSL.VerifyPeer': '0', 'IceSSL.Ciphers': 'ADH:@SECLEVEL=0', 'IceSSL.Protocols': 'tls1_2' },
    ],
    ['Protocols tls1_1', { 'IceSSL.Protocols': 'tls1_1', 'IceSSL.Ciphers': 'HIGH:@SECLEVEL=0' }],
  ]
  for (const [what, properties] of refused) {
    void t.test(`the gate turns away: ${what}`, { buffered: true }, async t => {
      const stream = await startStream(t, { upstream, authority, yaml: open })
      const outcome = await runIceClient({ port: stream.port, server, properties: { ...verifies, ...properties } })
      t.match(outcome, { session: undefined, failure: /./ })
      t.same(stream.events, [])
      t.match((await stream.metrics.trouble.get()).values, [{ labels: { listener: 'streams.s', kind: 'handshake' } }])
    })
  }

  const pem = (pair: typeof alice) => ({ 'IceSSL.CertFile': pair.certFile, 'IceSSL.KeyFile': pair.keyFile })
  const p12 = (pair: typeof alice) => ({ 'IceSSL.CertFile': pair.p12File, 'IceSSL.Password': pair.p12Password })
  const mutual: [what: string, properties: Record<string, string>, event: object][] = [
    ['CertFile in PEM', pem(alice), { kind: 'stream', who: { name: 'alice', proof: 'certificate' } }],
    ['CertFile as PKCS#12, and its Password', p12(alice), { kind: 'stream', who: { name: 'alice' } }],
    ['CertFile as PKCS#12 in the older format', p12(old), { kind: 'stream', who: { name: 'alice' } }],
    ['no certificate', {}, { kind: 'stream-denial', reason: 'certificate-missing' }],
    ['a rogue certificate', pem(rogue), { kind: 'stream-denial', reason: 'certificate-not-trusted' }],
  ]
  for (const [what, properties, event] of mutual) {
    for (const version of ['tls1_2', 'tls1_3']) {
      void t.test(`a client certificate is asked for: ${what}, ${version}`, { buffered: true }, async t => {
        const stream = await startStream(t, {
          ...{ upstream, authority, clients: 'required' },
          yaml: '{ protocol: raw, access: [{ people: [alice] }] }',
        })
        const outcome = await runIceClient({
          ...{ port: stream.port, server },
          properties: { ...verifies, ...properties, 'IceSSL.Protocols': version },
        })
        if ('who' in event) t.match(outcome, { ...all, bulk: 1_000 }, 'all steps', { log: glacier2.log() })
        else t.match(outcome, { session: undefined, failure: /ConnectionLost|SecurityException|ProtocolException/ })
        t.match(stream.events, [event])
        t.equal(stream.events.length, 1)
      })
    }
  }
})
