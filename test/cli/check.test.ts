// `sallyport check` reads everything, binds nothing, and prints what would be in force.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../fixture/command.ts'
import { requireReal } from '../fixture/real.ts'
import { makeSite } from '../fixture/site.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json } from '../fixture/upstream-answers.ts'

const yaml = (url = 'http://127.0.0.1:9') => `upstreams: { app: { kind: generic, url: "${url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`

t.test('a configuration that is right is fine, with the terms of the handshake that are in force', async t => {
  const site = await makeSite(t, {
    listener: 'tls: { minimum: 1.3 }',
    listeners: 'plain: { bind: 127.0.0.1:0, redirect: web }',
    yaml: yaml(),
  })
  const { exitCode, stdout, stderr } = await runCommand(['check', '--config', site.file], { cwd: site.dir })
  t.equal(exitCode, 0, stderr)
  t.equal(stderr, '')
  t.match(stdout, /^listener web: 127\.0\.0\.1:0, client certificates optional$/m)
  t.match(stdout, /^ {2}floor +mozilla-intermediate: Mozilla .*; overridden: minimum$/m)
  t.match(stdout, /^ {2}protocols +TLS 1\.3$/m)
  t.match(stdout, /^ {2}TLS 1\.3 +TLS_AES_/m)
  t.match(stdout, /^ {2}groups +X25519MLKEM768, /m)
  t.match(stdout, /^listener plain: 127\.0\.0\.1:0, plain, sends people to web$/m)
  t.match(stdout, /sallyport\.yaml is fine\n$/)
  t.notOk(existsSync(join(site.dir, 'state')), 'nothing was made')

  const machine = await runCommand(['check', '--config', site.file, '--json'], { cwd: site.dir })
  t.match(JSON.parse(machine.stdout), {
    ok: true,
    file: site.file,
    problems: [],
    listeners: { web: { minimum: 'TLSv1.3' } },
  })
})

t.test('a warning is shown and is no error', async t => {
  const site = await makeSite(t, { yaml: `cors: { origins: ["http://other.example.org"] }\n${yaml()}` })
  const { exitCode, stdout, stderr } = await runCommand(['check', '--config', site.file])
  t.equal(exitCode, 0)
  t.match(stderr, /^warning: .*sallyport\.yaml:\d+:\d+: cors\.origins\[0\]: this site is unencrypted/m)
  t.match(stdout, /is fine, with a warning\n$/)
})

t.test('every problem is printed, and the exit code is 2', async t => {
  const site = await makeSite(t, { yaml: `drain: soon\nnonsense: 1\n${yaml()}` })
  const { exitCode, stdout, stderr } = await runCommand(['check', '--config', site.file])
  t.equal(exitCode, 2)
  t.equal(stdout, '')
  t.match(stderr, /drain: write a number and a unit/)
  t.match(stderr, /unknown key "nonsense"/)
  const machine = await runCommand(['check', '--config', site.file, '--json'])
  t.equal(machine.exitCode, 2)
  t.match(JSON.parse(machine.stdout), {
    ok: false,
    problems: [
      { path: 'drain', severity: 'error', line: Number },
      { path: 'nonsense', severity: 'error', line: Number },
    ],
  })
})

t.test('without a file there is nothing to check, and the usual place is looked at', async t => {
  const site = await makeSite(t, { yaml: yaml() })
  const none = await runCommand(['check'], { cwd: site.dir })
  t.equal(none.exitCode, 2)
  t.match(none.stderr, 'config/sallyport.yaml')
  const dir = t.testdir({ config: { 'sallyport.yaml': readFileSync(site.file, 'utf8') } })
  t.match(await runCommand(['check'], { cwd: dir }), { exitCode: 0, stdout: /config\/sallyport\.yaml is fine/ })
})

t.test('--online connects to each upstream and to the directory, and tells each outcome', async t => {
  if (!requireReal(t, slapdTools)) return
  const { certPem, keyPem } = await (await import('../fixture/authority.ts'))
    .startAuthority(t)
    .then(one => one.server(['localhost'], ['127.0.0.1']))
  const stranger = await startUpstream(t, undefined, { tls: { cert: certPem, key: keyPem } })
  const up = await startUpstream(t, () => json({}))
  const closed = await startUpstream(t, () => json({}, 401))
  const slapd = await startSlapd(t)
  const directory = (password: string) => `realms:
  directory:
    enabled: true
    urls: [${slapd.url}]
    username: ${slapd.reader.dn}
    password: { file: ${password} }
    base: ${slapd.base}
    newUserGroup: ":query:(member=@{dn})"`
  const site = await makeSite(t, {
    yaml: `upstreams:
  up: { kind: generic, url: "${up.url}" }
  down: { kind: generic, url: "http://127.0.0.1:9" }
  stranger: { kind: generic, url: "${stranger.url}" }
  closed: { kind: orthanc, url: "${closed.url}", credentials: { username: gatekeeper, password: { file: reader } } }
routes: [{ path: /, upstream: up, access: everyone }]`,
  })
  const text = readFileSync(site.file, 'utf8')
  const use = (change: (text: string) => string) =>
    writeFileSync(site.file, change(text).replace(/^realms: .*$/m, directory('reader')))
  writeFileSync(join(site.dir, 'reader'), slapd.reader.password, { mode: 0o600 })

  use(all => all)
  const mixed = await runCommand(['check', '--config', site.file, '--online'], { cwd: site.dir })
  t.equal(mixed.exitCode, 1, 'a fault was found')
  t.match(mixed.stdout, /^ok {4} upstream up \(\d+ ms\): answers with status 200$/m)
  t.match(mixed.stdout, /^FAILED upstream down \(\d+ ms\): .*upstream-unreachable.*ECONNREFUSED/m)
  t.match(mixed.stdout, /^FAILED upstream stranger \(\d+ ms\): .*upstream-untrusted/m)
  t.match(mixed.stdout, /^FAILED upstream closed \(\d+ ms\): it answers, but refuses the credentials \(401\)$/m)
  t.match(mixed.stdout, /^ok {4} directory ldap:\/\/127\.0\.0\.1:\d+ \(\d+ ms\): .*\d+ ms/m)
  t.match(mixed.stderr, /3 connections failed/)
  t.notMatch(mixed.stdout, 'is fine')
  t.notMatch(mixed.stdout + mixed.stderr, slapd.reader.password)

  use(all => all.replace(/^ {2}(down|stranger|closed): .*\n/gm, ''))
  const fine = await runCommand(['check', '--config', site.file, '--online'], { cwd: site.dir })
  t.equal(fine.exitCode, 0, fine.stdout)
  t.match(fine.stdout, /is fine/)

  writeFileSync(join(site.dir, 'reader'), 'not the password', { mode: 0o600 })
  const refused = await runCommand(['check', '--config', site.file, '--online', '--json'], { cwd: site.dir })
  t.equal(refused.exitCode, 1)
  const { ok, online } = JSON.parse(refused.stdout)
  t.equal(ok, false)
  t.match(
    online.find(({ what }: { what: string }) => what.startsWith('directory')),
    { ok: false, detail: /reader \d+ ms failed: the directory does not know the reader account .*; cure: / },
  )
  t.notMatch(refused.stdout, 'not the password')
})
