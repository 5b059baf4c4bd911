// Client certificates that are odd in one way each: who is let in by them, and what everybody else is told.
// Source: CVE-2021-44532 (names), CVE-2026-33896 (a leaf that signs), RFC 5280 6.1, IHE ATNA ITI-19.
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { type OddName, oddCertificateTools, oddNames, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

/** Who it is, as the upstream reads it; or the reason why it is nobody. */
const expected: Readonly<Record<OddName, { readonly name: string } | string>> = {
  sound: { name: 'alice' },
  'any-purpose': 'certificate-wrong-use',
  expired: 'certificate-expired',
  'not-yet-valid': 'certificate-not-yet-valid',
  'for-servers-only': 'certificate-wrong-use',
  'no-extended-usage': { name: 'alice' },
  'may-not-sign': 'certificate-wrong-use',
  'signed-with-md5': 'certificate-too-weak',
  'signed-with-sha1': 'certificate-too-weak',
  'rsa-1024': 'certificate-too-weak',
  'an-authority': 'certificate-wrong-use',
  'unknown-critical-extension': 'certificate-not-trusted',
  'by-a-leaf': 'certificate-not-trusted',
  'by-a-silent-leaf': 'certificate-not-trusted',
  'by-an-unsaid-authority': 'certificate-not-trusted',
  'path-too-long': 'certificate-not-trusted',
  'path-as-long-as-allowed': { name: 'alice' },
  'by-an-expired-authority': 'certificate-not-trusted',
  'mail-outside-the-constraint': 'certificate-not-trusted',
  'mail-inside-the-constraint': { name: 'alice' },
  'upn-outside-the-constraint': 'certificate-not-trusted',
  'in-a-loop': 'certificate-not-trusted',
  'cross-signed': { name: 'alice' },
  'cross-signed-the-other-way-first': 'certificate-not-trusted',
  'cross-signed-elsewhere': 'certificate-not-trusted',
  'intermediate-not-sent': 'certificate-not-trusted',
  'by-a-stranger': 'certificate-not-trusted',
  'by-a-namesake': 'certificate-not-trusted',
  'by-a-namesake-unmarked': 'certificate-not-trusted',
  'chain-of-2': { name: 'alice' },
  'chain-of-3': { name: 'alice' },
  'chain-of-4': { name: 'alice' },
  'two-names': 'certificate-without-one-name',
  'two-names-in-one-rdn': 'certificate-without-one-name',
  'name-with-nul': 'certificate-without-one-name',
  'name-with-newline': 'certificate-without-one-name',
  // One name with odd characters in it, which stays one name all the way to the upstream.
  'name-with-comma': { name: 'alice%2C CN%3Dadmin' },
  'name-with-slash': { name: 'admin%2FCN%3Duser' },
  'name-with-plus': { name: 'alice%2BCN%3Dadmin' },
  'multi-valued-name': { name: 'alice' },
  'look-alike': { name: '%D0%B0lice' },
  'bmp-string': { name: 'alice' },
  'empty-subject': 'certificate-without-one-name',
  'no-common-name': 'certificate-without-one-name',
  'self-signed': 'certificate-not-trusted',
  'self-signed-for-servers': 'certificate-wrong-use',
  'self-signed-authority': 'certificate-not-trusted',
}

t.test('a certificate', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const odd = await startOddCertificates(t)
  const upstream = await startUpstream(t, ({ header }) => reply({ body: header('x-remote-user') ?? 'nobody' }))
  const yaml = `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`
  const truststore = [odd.caPem]
  const optional = await startTestGateway(t, { truststore, yaml })
  const required = await startTestGateway(t, {
    truststore,
    yaml,
    certificate: 'required',
    authority: optional.authority,
  })
  /** A client that is as careless as it can be: what is refused is refused by us. */
  const tls = { ciphers: 'DEFAULT:@SECLEVEL=0' }

  for (const name of oddNames) {
    await t.test(name, async t => {
      const wanted = expected[name]
      const client = odd.get(name)
      const before = upstream.received.length
      for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
        const asked = await optional.ask('/', { client, tls, protocol })
        const demanded = await required.ask('/', { client, tls, protocol })
        if (typeof wanted === 'object') {
          t.match([asked.status, asked.text], [200, wanted.name])
          t.match([demanded.status, demanded.text], [200, wanted.name])
          continue
        }
        t.match(
          [asked.status, JSON.parse(asked.text).reason],
          [401, wanted],
          'it proves nothing, and the reason is told',
        )
        t.match([demanded.status, JSON.parse(demanded.text).reason], [400, wanted], 'it is turned away by name')
      }
      t.equal(upstream.received.length - before, typeof wanted === 'object' ? 4 : 0)
    })
  }

  await t.test('that is refused is written down, with OpenSSL’s own word where it has one', async t => {
    const reasons = new Set(Object.values(expected).filter(one => typeof one === 'string'))
    const lines = () => optional.audit().filter(({ kind }) => kind === 'certificate-refused')
    t.ok(await within(2_000, () => new Set(lines().map(({ reason }) => reason)).size === reasons.size))
    const told = lines()
    t.same(new Set(told.map(({ reason }) => reason)), reasons)
    t.ok(told.every(({ detail, address }) => detail !== '' && address === '127.0.0.1'))
  })
})
