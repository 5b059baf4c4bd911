// Certificates that OpenSSL takes and our reader of details does not: refused, on either side, and the gateway goes on.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

t.test('an alternative name of X.400, which is valid and hardly anybody reads', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-unreadable-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  // subjectAltName: SEQUENCE { [3] { SEQUENCE {} } }, as RFC 5280 4.2.1.6 has it for x400Address.
  const run = (name: string, ...more: string[]) => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
    execFileSync('openssl', ['req', '-x509', ...key, '-subj', `/CN=${name}`, ...files, ...more], {
      cwd: dir,
      stdio: 'pipe',
    })
    return {
      chainPem: readFileSync(join(dir, `${name}.crt`), 'utf8'),
      keyPem: readFileSync(join(dir, `${name}.key`), 'utf8'),
    }
  }
  const x400 = ['-addext', 'subjectAltName=DER:3004A3023000']
  const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE']
  const ca = run('ca', '-addext', 'keyUsage=critical,keyCertSign')
  const odd = run('odd', ...leaf, ...x400, '-CA', 'ca.crt', '-CAkey', 'ca.key')

  const server = run('server', ...leaf, ...x400, '-CA', 'ca.crt', '-CAkey', 'ca.key')
  const strange = await startUpstream(t, undefined, { tls: { cert: server.chainPem, key: server.keyPem } })
  const good = await startUpstream(t, () => reply({ body: 'good' }))
  const gateway = await startTestGateway(t, {
    truststore: [ca.chainPem],
    files: { 'ca.pem': ca.chainPem },
    yaml: `
realms: { certificate: { name: dns } }
upstreams:
  good: { kind: generic, url: "${good.url}" }
  strange: { kind: generic, url: "${strange.url}", tls: { ca: ca.pem, checkName: false } }
routes:
  - { path: /, upstream: good, access: everyone }
  - { path: /in, upstream: good, access: authenticated }
  - { path: /strange, upstream: strange, access: everyone }
`,
  })

  await t.test('proves nothing for a client, and does not keep it from signing in', async t => {
    const answer = await gateway.ask('/in', { client: odd })
    t.match([answer.status, JSON.parse(answer.text).reason], [401, 'certificate-unreadable'])
    t.equal((await gateway.ask('/-/login', { client: odd })).status, 200)
    const told = () => gateway.audit().find(({ kind }) => kind === 'certificate-refused')
    t.ok(await within(2_000, () => told() !== undefined))
    t.match(told(), { reason: 'certificate-unreadable' })
  })

  await t.test('of an upstream ends at most that request', async t => {
    const answer = await gateway.ask('/strange')
    t.ok([200, 502].includes(answer.status), `${answer.status}`)
    t.match(await gateway.ask('/'), { status: 200, text: 'good' })
  })

  await t.test('in a truststore is told by its place, and what ran before goes on', async t => {
    t.match(await gateway.reload({ truststore: [ca.chainPem, odd.chainPem] }), { ok: false })
    t.ok(gateway.log().some(({ message }) => /certificate 2 of .* cannot be read here/.test(String(message))))
    t.match(await gateway.ask('/'), { status: 200 })
  })
})
