// `check --online` holds each upstream with TLS against what the configuration says of it, and tells every check.
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { runCommand } from '../fixture/command.ts'
import { requireReal } from '../fixture/real.ts'
import { makeSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json } from '../fixture/upstream-answers.ts'
import { labTools, sha1Of, sha256Of, spkiOf } from '../tls/peer-lab.ts'

if (!requireReal(t, labTools)) process.exit(0)

const authority = await startAuthority(t)
const pair = await authority.server(['localhost'])
const ended = await authority.server(['localhost'], [], { now: new Date(Date.now() - 90 * 86_400_000), days: 30 })
const client = await authority.client('gateway')
const listening = (cert: string, key: string, more = {}) =>
  startUpstream(t, () => json({ from: 'upstream' }), { tls: { cert, key, ...more } })
const sound = await listening(pair.chainPem, pair.keyPem)
const late = await listening(ended.chainPem, ended.keyPem)
const choosy = await listening(pair.chainPem, pair.keyPem, { ca: authority.caPem, requestCert: true })
const plain = await startUpstream(t)

const ca = authority.caFile
const pin = `sha256:${sha256Of(pair.certPem)}`
const wrong = `sha256:${'AB:'.repeat(32).slice(0, -1)}`
const at = ({ port }: { port: number }) => `https://localhost:${port}`

/** What is written under `tls`, and what `check --online` says of it. */
const rows: Record<string, readonly [url: string, tls: string, ok: boolean, said: RegExp]> = {
  authority: [
    at(sound),
    `{ ca: ${ca} }`,
    true,
    /TLSv1\.3, chain ok \(CN=localhost is vouched for by .*ca\.pem\), name ok \(localhost\); answers with status 200/,
  ],
  everything: [
    at(sound),
    `{ ca: ${ca}, pins: ["${pin}"], only: "CN=localhost", depth: 2 }`,
    true,
    /chain ok .*pin ok .*name ok .*depth ok .*only ok .*status 200/,
  ],
  pinned: [
    at(late),
    `{ pins: ["spki-sha256:${spkiOf(ended.certPem)}"] }`,
    true,
    /pin ok .*warning: it expired on .*status 200/,
  ],
  mismatch: [
    at(sound),
    `{ pins: ["${wrong}"] }`,
    false,
    new RegExp(
      `upstream-untrusted: mismatch.*fingerprint mismatch: expected ${wrong}, actual ${pin}; what it presents: sallyport certs fetch localhost:`,
    ),
  ],
  several: [
    at(sound),
    `{ ca: ${ca}, pins: ["${wrong}"], only: "CN=pacs", name: pacs.test }`,
    false,
    /fingerprint mismatch.*pacs\.test is expected.*does not admit CN=localhost/,
  ],
  unknown: [at(sound), '{ platformCas: true }', false, /nothing in the trust store of this machine vouches for it/],
  expired: [at(late), `{ ca: ${ca} }`, false, /it expired on .*held against .*ca\.pem/],
  choosy: [at(choosy), `{ ca: ${ca} }`, false, /upstream-broken: choosy: the server wants a client certificate/],
  shown: [
    at(choosy),
    `{ ca: ${ca}, certificate: ${client.certFile}, key: ${client.keyFile} }`,
    true,
    /answers with status 200/,
  ],
  plain: [at(plain), `{ ca: ${ca} }`, false, /that port does not speak TLS/],
  closed: ['https://localhost:1', `{ ca: ${ca} }`, false, /upstream-unreachable: closed: nobody listens there/],
}

const site = await makeSite(t, {
  yaml: `upstreams:
${Object.entries(rows)
  .map(([name, [url, tls]]) => `  ${name}: { kind: generic, url: "${url}", tls: ${tls} }`)
  .join('\n')}
routes: [{ path: /, upstream: authority, access: everyone }]`,
})
const checked = await runCommand(['check', '--config', site.file, '--online', '--json'], { cwd: site.dir })
const { online } = JSON.parse(checked.stdout || '{}') as { online?: { what: string; ok: boolean; detail: string }[] } // as check prints it

for (const [name, [, , ok, said]] of Object.entries(rows)) {
  t.test(`an upstream, ${name}: ${ok ? 'fine' : 'told with its cause'}`, async t => {
    const found = online?.find(({ what }) => what === `upstream ${name}`)
    t.equal(found?.ok, ok, found?.detail ?? checked.stderr)
    t.match(found?.detail, said)
  })
}

t.test('the authorities of the machine are those that the operating system has', async t => {
  const own = await makeSite(t, {
    yaml: `upstreams:
  said: { kind: generic, url: "${at(sound)}", tls: { platformCas: true } }
  unsaid: { kind: generic, url: "${at(sound)}" }
routes: [{ path: /, upstream: said, access: everyone }]`,
  })
  const check = (env: NodeJS.ProcessEnv) =>
    runCommand(['check', '--config', own.file, '--online'], { cwd: own.dir, env: { ...process.env, ...env } })
  const known = await check({ SSL_CERT_FILE: ca, SSL_CERT_DIR: own.dir })
  t.equal(known.exitCode, 0, known.stdout + known.stderr)
  t.match((await check({})).stdout, /FAILED upstream said .*\n?.*FAILED upstream unsaid/)
})

t.test('SHA-1 pins are warned of by check', async t => {
  writeFileSync(
    site.file,
    `listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: ${pair.certFile}, key: ${pair.keyFile} } } }
upstreams: { old: { kind: generic, url: "${at(sound)}", tls: { pins: ["${sha1Of(pair.certPem)}"] } } }
routes: [{ path: /, upstream: old, access: everyone }]
`,
  )
  const { exitCode, stdout, stderr } = await runCommand(['check', '--config', site.file], { cwd: site.dir })
  t.equal(exitCode, 0)
  t.match(
    stdout + stderr,
    /sallyport\.yaml:2:\d+: upstreams\.old\.tls\.pins: .* is SHA-1, of which forgeries can be made/,
  )
})
