// `sallyport serve` starts on a configuration that is right, says all that is wrong with one that is not, and nothing in between.

import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCommand } from '../fixture/command.ts'
import { askSite, makeSite, type Site, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'

const good = `upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }
routes: [{ path: /, upstream: app, access: everyone }]`

const rewrite = ({ file }: Site, change: (text: string) => string) =>
  writeFileSync(file, change(readFileSync(file, 'utf8')))
/** 1-based number of the line that holds this. */
const lineOf = ({ file }: Site, part: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .findIndex(line => line.includes(part)) + 1

async function refused(t: Test, { dir, file }: Site) {
  const { exitCode, stdout, stderr } = await runCommand(['serve', '--config', file], { cwd: dir })
  t.equal(exitCode, 2, stderr)
  t.equal(stdout, '', 'nothing listens')
  t.equal(existsSync(join(dir, 'state')), false, 'and nothing was made')
  return stderr
}

t.test(
  'unknown keys and wrong values are told together, each with its path and line, and nothing is bound',
  async t => {
    const site = await makeSite(t, {
      yaml: `${good}\ndrain: 30\nsesions: { idle: 5 min }\ntrustedProxies: [somewhere]`,
    })
    rewrite(site, text => text.replace('certificate: optional', 'certificate: sometimes'))
    const stderr = await refused(t, site)
    t.match(stderr, `${site.file}:${lineOf(site, 'drain: 30')}:1: drain: write a number and a unit`)
    t.match(stderr, `${site.file}:${lineOf(site, 'sesions')}:1: sesions: unknown key "sesions"`)
    t.match(stderr, new RegExp(`:${lineOf(site, 'sometimes')}:\\d+: listeners\\.web\\.clients\\.certificate: `))
    t.match(stderr, new RegExp(`:${lineOf(site, 'somewhere')}:\\d+: trustedProxies\\[0\\]: write an IP address`))
    t.match(stderr, /error: .* has 4 problems/)
  },
)

t.test('wrong references are told together, with what would be right', async t => {
  const site = await makeSite(t, {
    listeners: 'plain: { bind: 127.0.0.1:0, redirect: wep }',
    yaml: `upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }
routes:
  - { path: /a, upstream: ap, access: everyone }
  - { path: /b, upstream: app, access: everyone }
  - { path: /b, upstream: app, access: authenticated }`,
  })
  const stderr = await refused(t, site)
  t.match(
    stderr,
    new RegExp(`:${lineOf(site, 'path: /a')}:\\d+: routes\\[0\\]\\.upstream: no upstream is called "ap"; known: app`),
  )
  t.match(
    stderr,
    new RegExp(`:${lineOf(site, 'access: authenticated')}:\\d+: routes\\[2\\]\\.path: routes\\[1\\] already has`),
  )
  t.match(
    stderr,
    new RegExp(
      `:${lineOf(site, 'wep')}:\\d+: listeners\\.plain\\.redirect: no listener with TLS is called "wep"; known: web`,
    ),
  )
})

t.test('files that are missing, empty or do not fit are told together', async t => {
  const site = await makeSite(t, {
    yaml: `upstreams:
  app: { kind: generic, url: "http://127.0.0.1:9", credentials: { username: gatekeeper, password: { file: no-such-secret } } }
  viewer: { kind: ohif, root: no-such-viewer }
  far: { kind: generic, url: "https://127.0.0.1:9", tls: { ca: no-such-ca.pem } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const other = await site.authority.server(['localhost'])
  writeFileSync(join(site.dir, 'nobody.pem'), '')
  rewrite(site, text =>
    text.replace(/key: [^ }]+/, `key: ${other.keyFile}`).replace(/truststore: [^ }]+/, 'truststore: nobody.pem'),
  )
  const stderr = await refused(t, site)
  const keystoreLine = lineOf(site, 'keystore:')
  t.match(
    stderr,
    new RegExp(
      `:${keystoreLine}:\\d+: listeners\\.web\\.keystore\\.\\w+: .*(does not (fit|belong|match)|another)`,
      'i',
    ),
  )
  t.match(
    stderr,
    new RegExp(`:${lineOf(site, 'truststore:')}:\\d+: listeners\\.web\\.clients\\.truststore: .*nobody\\.pem`),
  )
  t.match(
    stderr,
    new RegExp(`:${lineOf(site, 'no-such-secret')}:\\d+: upstreams\\.app\\.credentials\\.password: .*no-such-secret`),
  )
  t.match(
    stderr,
    new RegExp(`:${lineOf(site, 'no-such-viewer')}:\\d+: upstreams\\.viewer\\.root: .*sallyport viewer install`),
  )
  t.match(stderr, new RegExp(`:${lineOf(site, 'no-such-ca')}:\\d+: upstreams\\.far\\.tls\\.ca: .*no-such-ca`))
})

t.test('text that is no YAML, and a file that is not there, are told with their place', async t => {
  const site = await makeSite(t, { yaml: good })
  rewrite(site, text => `${text}\n  broken: [`)
  t.match(await refused(t, site), /sallyport\.yaml:\d+:\d+: not valid YAML/)
  const missing = await runCommand(['serve', '--config', join(site.dir, 'none.yaml')])
  t.equal(missing.exitCode, 2)
  t.match(missing.stderr, /none\.yaml: there is no such file/)
})

t.test('a port that is taken is a fault with a clear sentence, and the audit trail has no start', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : 0
  const site = await makeSite(t, { yaml: good })
  rewrite(site, text => text.replace('bind: 127.0.0.1:0', `bind: 127.0.0.1:${port}`))
  const { exitCode, stdout, stderr } = await runCommand(['serve', '--config', site.file], { cwd: site.dir })
  t.equal(exitCode, 1)
  t.equal(stdout, '')
  t.match(stderr, `error: 127.0.0.1:${port} is already in use`)
  t.match(stderr, /hint: /)
  t.notMatch(stderr, /^ {4}at /m, 'no stack')
  t.equal(readFileSync(join(site.dir, 'state', 'audit.jsonl'), 'utf8'), '')
})

t.test('one line on stdout for each bound address, and everything else on stderr', async t => {
  const upstream = await startUpstream(t)
  const site = await makeSite(t, {
    listeners: 'plain: { bind: [127.0.0.1:0, "[::1]:0"], redirect: web }',
    yaml: `admin: { bind: 127.0.0.1:0 }\n${good.replace('http://127.0.0.1:9', upstream.url)}`,
  })
  const served = await serveSite(t, site)
  await served.shows(/\(admin\)$/m)
  const lines = served
    .stdout()
    .trimEnd()
    .split('\n')
    .map(line => line.replace(/\d+ /, 'PORT '))
  t.same(lines, [
    'listening https://127.0.0.1:PORT (web)',
    'listening http://127.0.0.1:PORT (plain)',
    'listening http://[::1]:PORT (plain)',
    'listening http://127.0.0.1:PORT (admin)',
  ])
  t.equal((await askSite(site, served, '/x')).statusCode, 200)
  const line = await served.shows(/^\{.*"msg":"exchange".*\}$/m)
  t.match(
    JSON.parse(line[0]),
    { path: '/x', status: 200, route: 'routes[0]' },
    'the log is JSON where stderr is no terminal',
  )
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)
  t.equal(served.stdout().trimEnd().split('\n').length, 4)
})
