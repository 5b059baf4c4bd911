// What a listener asks of certificates beyond trust: depth, `only`, and the realm that takes their issuer.
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { oddCertificateTools, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

t.test('a listener', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const odd = await startOddCertificates(t)
  const upstream = await startUpstream(t, ({ header }) =>
    reply({ body: `${header('x-remote-user')}: ${header('x-remote-groups') ?? ''}` }),
  )
  const app = `upstreams: { app: { kind: generic, url: "${upstream.url}" } }`
  const open = `${app}\nroutes: [{ path: /, upstream: app, access: authenticated }]`
  const gateway = await startTestGateway(t, { truststore: [odd.caPem], yaml: open })
  const outcome = async (client: { chainPem: string; keyPem: string }) => {
    const { status, text } = await gateway.ask('/', { client })
    return status === 200 ? text : JSON.parse(text).reason
  }

  await t.test('counts the certificates of a chain, the client’s own and the root included', async t => {
    for (const [depth, two, three, four] of [
      [0, 'alice', 'alice', 'alice'],
      [4, 'alice', 'alice', 'alice'],
      [3, 'alice', 'alice', 'certificate-chain-too-long'],
      [2, 'alice', 'certificate-chain-too-long', 'certificate-chain-too-long'],
      [1, 'certificate-chain-too-long', 'certificate-chain-too-long', 'certificate-chain-too-long'],
    ] as const) {
      t.same(await gateway.reload({ clients: `depth: ${depth}` }), { ok: true })
      t.match(await outcome(odd.get('chain-of-2')), two, `depth ${depth}, two certificates`)
      t.match(await outcome(odd.get('chain-of-3')), three, `depth ${depth}, three certificates`)
      t.match(await outcome(odd.get('chain-of-4')), four, `depth ${depth}, four certificates`)
    }
  })

  await t.test('admits and rejects by subject, as IceSSL.TrustOnly does', async t => {
    for (const [only, said] of [
      ['CN=alice', 'alice'],
      ['CN=bob', 'certificate-not-admitted'],
      ['CN=bob;CN=alice', 'alice'],
      ['!CN=alice', 'certificate-not-admitted'],
      ['CN=alice;!CN=alice', 'certificate-not-admitted'],
      ['!CN=mallory', 'alice'],
      ['CN=*', 'certificate-not-admitted'],
      ['CN=Alice', 'certificate-not-admitted'],
    ] as const) {
      t.same(await gateway.reload({ clients: `only: "${only}"` }), { ok: true })
      t.match(await outcome(odd.get('sound')), said, only)
    }
    t.match(await gateway.reload({ clients: 'only: "CN=alice;;"' }), { ok: false })
    t.same(await gateway.reload({ clients: 'depth: 0' }), { ok: true })
  })

  await t.test('gives a certificate to the first realm whose issuer fits', async t => {
    const printOf = (pem: string) => new X509Certificate(pem).fingerprint256
    const single = odd.get('self-signed')
    const trusted = { truststore: [odd.caPem, odd.otherCaPem, single.certPem] }
    const realms = (...lines: string[]) =>
      `${open}\nrealms: { certificate: [${lines.map(line => `{ ${line} }`).join(', ')}] }`
    const ours = 'issuers: ["O=Lab,CN=Lab Authority"], groups: [staff]'
    const theirs = 'id: devices, issuers: ["CN=Other Authority"], groups: [modalities]'
    for (const [title, yaml, certificate, said] of [
      ['ours', realms(ours, theirs), 'sound', 'alice: staff'],
      ['theirs', realms(ours, theirs), 'by-a-stranger', 'alice: modalities'],
      ['the first that fits', realms('groups: [all]', ours), 'sound', 'alice: all'],
      ['none that fits', realms(theirs), 'sound', 'certificate-without-realm'],
      ['part of the name', realms('issuers: ["O=Lab"], groups: [lab]'), 'sound', 'alice: lab'],
      ['its root', realms(ours), 'chain-of-3', 'alice: staff'],
      ['a fingerprint', realms(`issuers: ["sha256:${printOf(odd.caPem)}"], groups: [one]`), 'sound', 'alice: one'],
      ['another one', realms(`issuers: ["sha256:${printOf(odd.otherCaPem)}"]`), 'sound', 'certificate-without-realm'],
      ['one by one', realms(ours, `people: { "sha256:${printOf(single.certPem)}": ct-1 }`), 'self-signed', 'ct-1: '],
      [
        'one by one, before others',
        realms('groups: [all]', `people: { "sha256:${printOf(single.certPem)}": ct-1 }, groups: [ct]`),
        'self-signed',
        'ct-1: ct',
      ],
      ['one by one, of no realm', realms(ours), 'self-signed', 'certificate-without-realm'],
      ['one by one, by its own name', realms(ours, 'groups: [rest]'), 'self-signed', 'alice: rest'],
    ] as const) {
      t.same(await gateway.reload({ ...trusted, yaml }), { ok: true })
      t.equal(await outcome(odd.get(certificate)), said, title)
    }
  })

  await t.test('takes an intermediate by name only right below the one authority that there is', async t => {
    const realms = (issuer: string) => `${open}\nrealms: { certificate: { issuers: ["${issuer}"], groups: [inner] } }`
    const one = { truststore: [odd.caPem] }
    t.same(await gateway.reload({ ...one, yaml: realms('CN=Inner Authority') }), { ok: true })
    t.equal(await outcome(odd.get('chain-of-3')), 'alice: inner')
    t.equal(await outcome(odd.get('sound')), 'certificate-without-realm')
    t.same(await gateway.reload({ ...one, yaml: realms('CN=lab authority') }), { ok: true })
    t.equal(await outcome(odd.get('sound')), 'certificate-without-realm', 'another case is another name')
    t.same(await gateway.reload({ ...one, yaml: realms('CN=Innermost Authority') }), { ok: true })
    t.equal(
      await outcome(odd.get('chain-of-4')),
      'certificate-without-realm',
      'whoever stands between could name it so',
    )

    const two = { truststore: [odd.caPem, odd.otherCaPem], yaml: realms('CN=Inner Authority') }
    t.match(await gateway.reload(two), { ok: false }, 'of two authorities each could sign one of that name')
    t.ok(gateway.log().some(({ message }) => /put its certificate into the truststore/.test(String(message))))
    const inner = odd.authority('inner').certPem
    t.same(await gateway.reload({ ...two, truststore: [...two.truststore, inner] }), { ok: true })
    t.equal(await outcome(odd.get('chain-of-3')), 'alice: inner')
  })

  await t.test('keeps a name that two authorities give apart, where a rule asks for the realm', async t => {
    const rule = (realm: string) => `
${app}
realms: { certificate: [{ id: staff, issuers: ["CN=Lab Authority"] }, { id: devices, issuers: ["CN=Other Authority"] }] }
routes: [{ path: /, upstream: app, access: [{ people: [alice], realms: [${realm}], may: read }] }]`
    t.same(await gateway.reload({ yaml: rule('staff') }), { ok: true })
    t.equal(await outcome(odd.get('sound')), 'alice: ')
    t.equal(await outcome(odd.get('by-a-stranger')), 'not-a-member', 'the same name, from elsewhere')
    t.same(await gateway.reload({ yaml: rule('devices') }), { ok: true })
    t.equal(await outcome(odd.get('sound')), 'not-a-member')
    t.equal(await outcome(odd.get('by-a-stranger')), 'alice: ')
    t.match(await gateway.reload({ yaml: rule('stuff') }), { ok: false })
  })
})
