// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Orthanc look like that
/**
 * `sallyport import orthanc`: the draft on stdout or in a new file, what a person must decide on stderr.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { startAuthority } from '../fixture/authority.ts'
import { runCommand } from '../fixture/command.ts'

const text =
  '{ // made by hand\n  "HttpPort": ${PORT_OF_ORTHANC:-8050},\n  "RemoteAccessAllowed": true,\n  "RegisteredUsers": { "alice": "s3cret" },\n}\n'

function place(files: Readonly<Record<string, string>>) {
  const dir = t.testdir()
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content)
  return dir
}

t.test('the draft goes to stdout, the decisions with file and line to stderr', async t => {
  const cwd = place({ 'orthanc.json': text })
  const { exitCode, stdout, stderr } = await runCommand(['import', 'orthanc', 'orthanc.json'], { cwd })
  t.equal(exitCode, 0, stderr)
  t.match(stdout, /^# A draft, made by "sallyport import orthanc" from orthanc\.json/)
  t.match(stdout, /^ {4}url: http:\/\/127\.0\.0\.1:8050/m)
  t.match(stderr, /^To be decided or done:$/m)
  t.match(stderr, /^ {2}orthanc\.json:4: RegisteredUsers\.alice: sallyport users add alice/m)
  t.match(stderr, /^To be changed in the configuration of Orthanc:$/m)
  t.notMatch(stdout + stderr, /s3cret/)
})

t.test('variables come from the environment', async t => {
  const cwd = place({ 'orthanc.json': text })
  const env = { PORT_OF_ORTHANC: '8051' }
  const { stdout } = await runCommand(['import', 'orthanc', 'orthanc.json'], { cwd, env })
  t.match(stdout, /127\.0\.0\.1:8051/)
})

t.test('a folder is all its .json files, as for Orthanc; so are several names', async t => {
  const cwd = place({
    'http.json': '{ "HttpPort": 8052 }',
    'users.JSON': '{ "AuthenticationEnabled": true }',
    'x.txt': '?',
  })
  mkdirSync(join(cwd, 'folder.json'))
  for (const named of [['.'], ['http.json', 'users.JSON', 'http.json']]) {
    const { exitCode, stdout, stderr } = await runCommand(['import', 'orthanc', ...named], { cwd })
    t.equal(exitCode, 0, stderr)
    t.match(stdout, /127\.0\.0\.1:8052/)
    t.match(stdout, /basic: true/)
  }
})

t.test('--out writes a new file and never replaces one', async t => {
  const cwd = place({ 'orthanc.json': text })
  const args = ['import', 'orthanc', 'orthanc.json', '--out', 'sallyport.yaml']
  const first = await runCommand(args, { cwd })
  t.equal(first.exitCode, 0, first.stderr)
  t.equal(first.stdout, 'draft written: sallyport.yaml\n')
  const written = readFileSync(join(cwd, 'sallyport.yaml'), 'utf8')
  t.match(written, /^listeners:$/m)
  const again = await runCommand(args, { cwd })
  t.equal(again.exitCode, 1)
  t.match(again.stderr, /sallyport\.yaml exists and is not overwritten/)
  t.equal(readFileSync(join(cwd, 'sallyport.yaml'), 'utf8'), written)
})

t.test('--json holds draft and decisions in one object, and nothing goes to stderr', async t => {
  const cwd = place({ 'orthanc.json': text })
  const { stdout, stderr } = await runCommand(['import', 'orthanc', 'orthanc.json', '--json'], { cwd })
  t.equal(stderr, '')
  t.match(JSON.parse(stdout), {
    ok: true,
    draft: /^# A draft/,
    decisions: [{ kind: 'decide', option: 'HttpPort', file: join(cwd, 'orthanc.json'), line: 2, message: String }],
  })
})

t.test('check takes a draft, and misses only the files that it names', async t => {
  const cwd = place({ 'orthanc.json': text })
  await runCommand(['import', 'orthanc', 'orthanc.json', '--out', 'sallyport.yaml'], { cwd })
  const { exitCode, stdout } = await runCommand(['check', '--config', 'sallyport.yaml', '--json'], { cwd })
  t.equal(exitCode, 2)
  const { problems } = JSON.parse(stdout)
  t.ok(problems.length > 0)
  for (const { message } of problems) t.match(message, /there is no file/)
})

t.test('a draft of everything is fine once the files are there', async t => {
  const authority = await startAuthority(t)
  const server = await authority.server(['localhost'])
  const client = await authority.client('gateway')
  const settings = {
    SslEnabled: true,
    SslCertificate: 'combined.pem',
    SslMinimumProtocolVersion: 4,
    SslCiphersAccepted: ['ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    SslVerifyPeers: true,
    SslTrustedClientCertificates: authority.caFile,
    RemoteAccessAllowed: true,
    RegisteredUsers: { alice: 's3cret' },
    HttpsCACertificates: authority.caFile,
    OrthancPeers: {
      a: { Url: 'https://a:8042/', CertificateFile: client.certFile, CertificateKeyFile: client.keyFile },
      b: ['https://b:8042/', 'user', 's3cret'],
    },
    DicomTlsEnabled: true,
    DicomTlsCertificate: server.certFile,
    DicomTlsPrivateKey: server.keyFile,
    DicomTlsTrustedCertificates: authority.caFile,
    DicomTlsCiphersAccepted: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
    DicomModalities: { ct1: ['CT1', '127.0.0.1', 104] },
  }
  const cwd = place({ 'orthanc.json': JSON.stringify(settings), 'combined.pem': server.keyPem + server.chainPem })
  chmodSync(join(cwd, 'combined.pem'), 0o600)
  mkdirSync(join(cwd, 'secrets'))
  for (const name of ['orthanc-gateway', 'b']) writeFileSync(join(cwd, 'secrets', name), 'a-password', { mode: 0o600 })
  const imported = await runCommand(['import', 'orthanc', 'orthanc.json', '--out', 'sallyport.yaml'], { cwd })
  t.equal(imported.exitCode, 0, imported.stderr)
  const { exitCode, stdout, stderr } = await runCommand(['check', '--config', 'sallyport.yaml'], { cwd })
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  t.match(stdout, /^sallyport\.yaml is fine$/m)
})

t.test('what Orthanc itself would not take is left out, told, and exit code 1', async t => {
  const cwd = place({ 'orthanc.json': '{\n"OrthancPeers": {\n"a": ["http://a", "u"] } }' })
  const { exitCode, stdout, stderr } = await runCommand(['import', 'orthanc', 'orthanc.json'], { cwd })
  t.equal(exitCode, 1)
  t.match(stdout, /^upstreams:$/m)
  t.match(
    stderr,
    /^Orthanc itself would not take this; the draft leaves it out:\n {2}orthanc\.json:3: OrthancPeers\.a: names a user/m,
  )
  t.match(stderr, /^error: Orthanc itself would not take one thing in there$/m)
})

t.test('what cannot be read makes nothing, and exit code 2', async t => {
  const cwd = place({ 'broken.json': '{\n  "A": 1\n  "B": 2\n}', 'worse.json': '[]' })
  mkdirSync(join(cwd, 'empty'))
  const rows: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [
      ['broken.json', 'worse.json'],
      /^broken\.json:3:3: a comma or \} is missing here\nworse\.json:1:1: a configuration of Orthanc begins with/m,
    ],
    [['none.json'], /none\.json cannot be read: there is no such file or folder/],
    [['empty'], /empty holds no \.json file/],
    [[], /Not enough non-option arguments/],
  ]
  for (const [args, said] of rows) {
    const got = await runCommand(['import', 'orthanc', ...args, '--out', 'x.yaml'], { cwd })
    t.equal(got.exitCode, 2, args.join(' '))
    t.equal(got.stdout, '')
    t.match(got.stderr, said)
  }
  t.notOk(existsSync(join(cwd, 'x.yaml')))
  const machine = await runCommand(['import', 'orthanc', 'broken.json', '--json'], { cwd })
  t.match(JSON.parse(machine.stdout), { ok: false, problems: [{ line: 3, column: 3, message: /comma/ }] })
})

t.test('neither names in a file nor the name of the file bring control characters to the terminal', async t => {
  const name = 'o\u001b[31m\n.json'
  const odd = '"a\\u001b[31m\\nb": 1'
  const cwd = place({ [name]: `{ ${odd}, ${odd}, "X": "${'${MY_SECRET}'}" }`, [`broken${name}`]: '{' })
  for (const named of [name, `broken${name}`, `none${name}`]) {
    const { stdout, stderr } = await runCommand(['import', 'orthanc', named], { cwd, env: { MY_SECRET: 's3cret' } })
    t.notMatch(stdout + stderr, /\u001b|s3cret/, JSON.stringify(named))
    t.match(stderr, /o\?\[31m\?\.json/, 'the name of the file, on one line')
    if (named === name) t.match(stderr, /"a\\u001b\[31m\\nb"/, 'the name of the option, written out')
  }
})

t.test('a draft that is written beside goes by the state and the authority of here', async t => {
  const dir = place({ 'orthanc.json': '{ "HttpPort": 8042 }' })
  mkdirSync(join(dir, 'config'))
  const { exitCode, stderr } = await runCommand(
    ['import', 'orthanc', 'orthanc.json', '--out', 'config/sallyport.yaml'],
    { cwd: dir },
  )
  t.equal(exitCode, 0, stderr)
  const loaded = loadConfig(join(dir, 'config', 'sallyport.yaml'))
  const config = loaded.ok ? loaded.config : loaded.draft?.config
  t.equal(config?.state, join(dir, 'state'))
  t.equal(config?.authority.dir, join(dir, 'certs', 'authority'))
})
