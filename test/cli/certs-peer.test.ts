// `certs fetch` and `certs verify`: what a remote server presents, and whether it would be believed. The options are
// those that OMERO clients have as IceSSL properties (seed 000).
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import yargs from 'yargs'
import { peerLines } from '../../src/cli/certs-line-peer.ts'
import type { Run } from '../../src/cli/command.ts'
import { CommandEnd, type Report } from '../../src/cli/report.ts'
import { parsePin } from '../../src/config/pins.ts'
import { startAuthority } from '../fixture/authority.ts'
import { runCommand } from '../fixture/command.ts'
import { requireReal } from '../fixture/real.ts'
import { authorityWish, labTools, sha1Of, sha256Of, spkiOf, startPeerLab, startTlsPeer } from '../tls/peer-lab.ts'

if (!requireReal(t, labTools)) process.exit(0)

interface Said {
  readonly code: 0 | 1 | 2
  readonly out: string
  readonly value: Record<string, unknown>
  /** Errors, hints and warnings. */
  readonly err: string
}

/** The command lines as main.ts runs them, without a process of their own. */
async function sallyport(...args: readonly string[]): Promise<Said> {
  let [out, err, value]: [string, string, Record<string, unknown>] = ['', '', {}]
  let code: 0 | 1 | 2 = 0
  const report: Report = {
    json: false,
    result(text, result) {
      out = text
      value = JSON.parse(JSON.stringify(result))
    },
    note(text) {
      err += `${text}\n`
    },
    warn(text) {
      err += `warning: ${text}\n`
    },
    fail(exitCode, text, cure) {
      code = exitCode
      err += `error: ${text}\n${cure === undefined ? '' : `hint: ${cure}\n`}`
    },
    progress: () => ({ step: () => undefined, done: () => undefined }),
    get exitCode() {
      return code
    },
  }
  const run: Run = handler => async given => handler(given, report)
  const line = yargs([...args])
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new CommandEnd(2, message)
    })
  try {
    await peerLines(line, run).parseAsync()
  } catch (thrown) {
    if (!(thrown instanceof CommandEnd)) throw thrown
    report.fail(thrown.exitCode, thrown.message, thrown.cure)
  }
  return { code, out, value, err }
}

const lab = startPeerLab(t)
const root = lab.make(authorityWish('/CN=Peer Root'))
const inner = lab.make(authorityWish('/CN=Peer Inner', root))
const lines = ['basicConstraints=critical,CA:FALSE', 'extendedKeyUsage=serverAuth']
const named = lab.make({
  subject: '/O=Lab/CN=pacs.test',
  extensions: [...lines, 'subjectAltName=DNS:pacs.test,IP:127.0.0.1'],
  by: inner,
})
const omero = lab.make({ subject: '/L=OMERO/O=OMERO.server/CN=localhost' })
const deep = await startTlsPeer(t, { cert: named.cert + inner.cert, key: named.key })
const own = await startTlsPeer(t, { cert: omero.cert, key: omero.key })
const at = ({ port }: { port: number }) => `127.0.0.1:${port}`
const ca = lab.put('ca.pem', root.cert)

t.test('certs fetch shows what is sent, calls it unauthenticated, and writes pins that can be configured', async t => {
  const { code, out, value } = await sallyport('fetch', at(deep))
  t.equal(code, 0)
  t.match(out, new RegExp(`^UNAUTHENTICATED: what ${at(deep)} presents \\(TLSv1\\.3, `))
  t.match(out, /^certificate 1 of 2 CN=pacs\.test,O=Lab$/m)
  t.match(out, /^certificate 2 of 2 CN=Peer Inner$/m)
  t.match(out, /^chain {6}CN=pacs\.test,O=Lab <- CN=Peer Inner <- CN=Peer Root \(not sent\)$/m)
  t.match(out, `  SHA-1    ${sha1Of(named.cert)}`)
  t.match(out, `pins: ["sha256:${sha256Of(named.cert)}"]`)
  t.ok(out.includes(`pins: ["spki-sha256:${spkiOf(named.cert)}"]`))
  t.match(value, { server: at(deep), authenticated: false, chain: ['CN=pacs.test,O=Lab', 'CN=Peer Inner'] })
  for (const pin of value['pins'] as string[]) {
    // a list of text, by certs-fetch.ts
    t.notMatch(parsePin(pin), { mistake: /./ })
    t.equal((await sallyport('verify', at(deep), '--pin', pin)).code, 0, `${pin} is what verify takes`)
  }
  t.equal(deep.received, '', 'nothing was said to it')
})

t.test('certs fetch reaches servers that are judged by nobody: self-signed, old versions', async t => {
  t.match((await sallyport('fetch', at(own))).value, { chain: ['CN=localhost,O=OMERO.server,L=OMERO'] })
  const old = await startTlsPeer(t, {
    ...{ cert: omero.cert, key: omero.key, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
    ciphers: 'DEFAULT:@SECLEVEL=0',
  })
  t.match((await sallyport('fetch', at(old))).value, { protocol: 'TLSv1.1' })
  t.match(await sallyport('verify', at(old), '--pin', sha256Of(omero.cert)), {
    code: 1,
    err: /no TLS version is allowed on both sides/,
  })
  const allowed = await sallyport(
    'verify',
    at(old),
    '--pin',
    sha256Of(omero.cert),
    '--protocols',
    'tls1_0,tls1_1,tls1_2',
  )
  t.match(allowed, { code: 0, value: { protocol: 'TLSv1.1' } })
})

const wrong = `sha256:${'AB:'.repeat(32).slice(0, -1)}`
const rows: Record<string, readonly [code: 0 | 1, args: readonly string[], said: RegExp]> = {
  '000 CAs': [0, ['--ca', ca], /^chain {5}ok .*CN=pacs\.test,O=Lab is vouched for by .*ca\.pem$/m],
  '000 CAs that do not vouch': [1, ['--ca', omero.certFile], /not trusted: nothing in .*\.crt vouches for it/],
  '000 UsePlatformCAs': [1, ['--platform-cas'], /nothing in the trust store of this machine vouches/],
  'neither: the platform': [1, [], /nothing in the trust store of this machine vouches/],
  '000 CheckCertName=1: the host': [0, ['--ca', ca], /^name {6}ok {5}127\.0\.0\.1$/m],
  '000 CheckCertName=1: another name': [0, ['--ca', ca, '--name', 'pacs.test'], /^name {6}ok {5}pacs\.test$/m],
  '000 CheckCertName=1: a wrong one': [1, ['--ca', ca, '--name', 'evil.test'], /evil\.test is expected/],
  '000 CheckCertName=0': [0, ['--ca', ca, '--no-name'], /^name {6}off/m],
  '000 VerifyDepthMax=0': [0, ['--ca', ca, '--depth', '0'], /^depth {5}off {4}no limit$/m],
  '000 VerifyDepthMax=3, leaf and root counted': [0, ['--ca', ca, '--depth', '3'], /^depth {5}ok {5}3 in it/m],
  '000 VerifyDepthMax=2': [1, ['--ca', ca, '--depth', '2'], /too long: 3 in it/],
  '000 TrustOnly': [0, ['--ca', ca, '--only', 'CN=a;CN=pacs.test'], /^only {6}ok/m],
  '000 TrustOnly, rejected': [1, ['--ca', ca, '--only', 'CN=pacs.test;!O=Lab'], /does not admit CN=pacs\.test,O=Lab/],
  '000 Protocols tls1_2': [0, ['--ca', ca, '--protocols', 'tls1_2'], /^protocol {2}TLSv1\.2$/m],
  '000 Protocols TLS1_2,TLS1_3': [0, ['--ca', ca, '--protocols', 'TLS1_2,TLS1_3'], /^protocol {2}TLSv1\.3$/m],
  '003 a pin, upper case, no colons': [
    0,
    ['--pin', sha1Of(named.cert).replaceAll(':', '')],
    /SHA-1, of which forgeries/,
  ],
  '003 fingerprint mismatch': [
    1,
    ['--pin', wrong],
    new RegExp(`fingerprint mismatch: expected ${wrong}, actual sha256:${sha256Of(named.cert)}`),
  ],
  'any pin of several': [0, ['--pin', wrong, '--pin', sha256Of(named.cert)], /^pin {7}ok/m],
  'ca and pin': [1, ['--ca', ca, '--pin', wrong], /^chain {5}ok[\s\S]*fingerprint mismatch/m],
}
for (const [title, [code, args, expected]] of Object.entries(rows)) {
  t.test(`certs verify: ${title}`, async t => {
    const said = await sallyport('verify', at(deep), ...args)
    t.equal(said.code, code, said.err)
    t.match(`${said.out}\n${said.err}`, expected)
    t.match(said.out, /^cipher {4}TLS_/m)
    t.match(said.out, /^presents {2}CN=pacs\.test,O=Lab <- CN=Peer Inner/m)
    t.equal(said.value['ok'], code === 0)
    if (code === 1) t.match(said.err, `hint: see what it presents: sallyport certs fetch ${at(deep)}`)
    t.equal(deep.received, '', 'nothing was said to it')
  })
}

const unwritten: Record<string, readonly [args: readonly string[], said: RegExp]> = {
  'no port': [['verify', 'localhost'], /"localhost" is no host and port/],
  'a URL': [['fetch', 'https://localhost:1'], /is no host and port/],
  'a pin that is none': [['verify', 'a:1', '--pin', 'AB'], /^error: --pin: "AB" is no fingerprint/],
  'a rule that is none': [['verify', 'a:1', '--only', 'CN'], /^error: --only: "=" is missing/],
  'a depth without a chain': [['verify', 'a:1', '--pin', wrong, '--depth', '2'], /^error: --depth: pins alone/],
  'ca and platform': [['verify', 'a:1', '--ca', ca, '--platform-cas'], /^error: --platform-cas: name either/],
  'a ca that is not there': [
    ['verify', 'a:1', '--ca', '/nowhere.pem'],
    /^error: --ca: there is no file \/nowhere\.pem/,
  ],
  'a key alone': [['verify', 'a:1', '--key', ca], /^error: --certificate: a key needs its certificate/],
  'a version that is none': [['verify', 'a:1', '--protocols', 'tls9'], /^error: --protocols: .*no TLS version/],
  'a hole between versions': [['verify', 'a:1', '--protocols', 'tls1_0,tls1_3'], /^error: --protocols: .*missing/],
  'SSL 3': [['verify', 'a:1', '--protocols', 'ssl3'], /^error: --protocols: .*broken/],
}
for (const [title, [args, said]] of Object.entries(unwritten)) {
  t.test(`exit code 2: ${title}`, async t => {
    t.match(await sallyport(...args), { code: 2, err: said })
  })
}

t.test('a client certificate is shown, and a server that wants another one says so', async t => {
  const authority = await startAuthority(t)
  const client = await authority.client('gateway', { p12Password: 'sesame' })
  const password = join(lab.dir, 'password')
  writeFileSync(password, 'sesame\n', { mode: 0o600 })
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const there = await startTlsPeer(t, {
      ...{ cert: omero.cert, key: omero.key, ca: authority.caPem, requestCert: true },
      ...{ minVersion: version, maxVersion: version },
    })
    const verify = (...more: readonly string[]) =>
      sallyport('verify', at(there), '--pin', `sha256:${sha256Of(omero.cert)}`, ...more)
    t.match(await verify(), { code: 1, err: /wants a client certificate, or does not take the one/ }, version)
    t.match(await verify('--certificate', client.certFile, '--key', client.keyFile), { code: 0 }, version)
    const p12 = ['--certificate', client.p12File, '--password-file', password]
    t.match(await verify(...p12), { code: 0 }, `${version}, PKCS#12`)
    t.match(await verify('--certificate', client.p12File), { code: 2, err: /--password-file: .*give its password/ })
  }
})

t.test('where there is no TLS, it says what is there instead', async t => {
  const plain = createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>(resolve => plain.listen(0, '127.0.0.1', resolve))
  t.teardown(() => plain.close())
  const address = plain.address()
  const port = address === null || typeof address === 'string' ? 0 : address.port
  for (const command of ['fetch', 'verify']) {
    t.match(await sallyport(command, `127.0.0.1:${port}`), { code: 1, err: /that port does not speak TLS/ })
    t.match(await sallyport(command, '127.0.0.1:1'), { code: 1, err: /nobody listens there \(ECONNREFUSED\)/ })
  }
})

t.test('the real command: results on stdout, reasons on stderr', async t => {
  const run = (...args: readonly string[]) => runCommand(['certs', ...args], { cwd: lab.dir })
  const fetched = await run('fetch', at(deep), '--json')
  t.match(fetched, { exitCode: 0, stderr: '' })
  const { pins } = JSON.parse(fetched.stdout) as { pins: string[] } // as certs-fetch.ts prints it
  t.match(await run('verify', at(deep), '--ca', ca, '--pin', wrong, '--pin', pins[1] ?? '', '--no-name'), {
    exitCode: 0,
  })
  const refused = await run('verify', at(deep), '--pin', wrong, '--json')
  t.match(refused, { exitCode: 1, stderr: /^error: .*fingerprint mismatch: expected .*, actual / })
  t.match(JSON.parse(refused.stdout), { ok: false, reason: /fingerprint mismatch/ })
  t.match(await run('verify', at(deep), '--ca', ca, '--ca', ca), { exitCode: 2, stdout: '' })
})
