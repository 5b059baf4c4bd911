// What `certs show` says of a certificate, held against what openssl says.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import { makeAuthority } from '../../src/issuer/authority.ts'
import { issueClient } from '../../src/issuer/leaf.ts'
import { openLedger } from '../../src/issuer/ledger.ts'
import { listener, place, secret } from './certs-place.ts'
import { modeOf } from './command.ts'

t.test('show prints what openssl says, from PEM, DER and PKCS#12', async t => {
  const { certs, openssl, put } = await place(t)
  put('password', `${secret}\n`)
  await certs(['server', 'imaging.example.org', '--ip', '192.0.2.10', '--password-file', 'password'])
  openssl('x509', '-in', 'certs/server.pem', '-outform', 'DER', '-out', 'server.der')
  const sha1 = openssl('x509', '-in', 'certs/server.pem', '-noout', '-fingerprint', '-sha1').trim().split('=')[1] ?? ''
  t.match(sha1, /^([0-9A-F]{2}:){19}[0-9A-F]{2}$/)

  const pem = await certs(['show', 'certs/server.pem'])
  t.match(pem, { code: 0, stderr: '' })
  for (const part of [
    'certificate 1 of 2 CN=imaging.example.org',
    '  names    DNS imaging.example.org, IP 192.0.2.10',
    '(397 days left)',
    '  issuer   CN=Test CA',
    `  SHA-1    ${sha1}`,
    '  SPKI pin spki-sha256:',
    'certificate 2 of 2 CN=Test CA',
    'chain      CN=imaging.example.org <- CN=Test CA\n',
  ]) {
    t.ok(pem.stdout.includes(part), part)
  }
  const der = await certs(['show', 'server.der'])
  t.match(der, { code: 0, stdout: 'chain      CN=imaging.example.org <- CN=Test CA (not in the file)\n' })
  t.match(der.stdout, sha1)

  const given = await certs(['show', 'certs/server.p12', '--password-file', 'password'])
  t.match(given, { code: 0, stdout: sha1 })
  t.match(await certs(['show', 'certs/server.p12'], { input: `${secret}\n` }), { code: 0, stdout: sha1 })
  t.match(await certs(['show', 'certs/server.p12'], { input: 'wrong\n' }), {
    code: 1,
    stdout: '',
    stderr: /the password does not open the PKCS#12 file\nhint: /,
  })
  t.match(await certs(['show', 'certs/server.p12']), { code: 2, stderr: /no password came/ })

  const json = JSON.parse((await certs(['show', 'certs/server.pem', '--json'])).stdout)
  t.match(json, {
    certificates: [{ sha1, daysLeft: 397, dns: ['imaging.example.org'] }, { isAuthority: true }],
    chain: [String, String],
  })
})

t.test('show reads what a listener shows, with the password that the configuration names', async t => {
  const { certs, put } = await place(t)
  put('secret', `${secret}\n`)
  await certs(['server', 'localhost', '--password-file', 'secret'])
  const keystore = '{ certificate: certs/server.p12, password: { file: secret } }'
  put('a.yaml', listener('web', keystore))
  t.match(await certs(['show', '--listener', 'web', '--config', 'a.yaml']), {
    code: 0,
    stdout: /CN=localhost/,
    stderr: '',
  })
  put('b.yaml', listener('web', '{ certificate: certs/server.p12, password: { env: P12 } }'))
  const config = ['--config', 'b.yaml']
  t.match(await certs(['show', '--listener', 'web', ...config], { env: { P12: secret } }), {
    code: 0,
    stdout: /CN=localhost/,
  })
  t.match(await certs(['show', '--listener', 'web', ...config]), {
    code: 2,
    stderr: /environment variable P12 is not set/,
  })
  t.match(await certs(['show', '--listener', 'wbe', ...config]), {
    code: 2,
    stderr: /no listener is called "wbe"; known: web/,
  })
  t.match(await certs(['show', '--listener', 'web']), {
    code: 2,
    stderr: /there is no configuration.*\nhint: .*--config/,
  })
})

t.test('show reads every keystore of a listener, and those of a stream', async t => {
  const { certs, file, put } = await place(t)
  for (const dir of ['one', 'two']) await certs(['server', `${dir}.example.org`, '--dir', dir])
  const pair = (dir: string) => `{ certificate: ${dir}/server.pem, key: ${dir}/server.key }`
  const stream = `streams: { nodes: { bind: "127.0.0.1:2762", protocol: raw, upstream: tcp://127.0.0.1:4242, access: everyone, keystore: ${pair('two')} } }\n`
  put('many.yaml', listener('web', `[${pair('one')}, ${pair('two')}]`) + stream)
  const both = await certs(['show', '--listener', 'web', '--config', 'many.yaml'])
  t.match(both, {
    code: 0,
    stdout: /^one\/server\.pem\ncertificate 1 of 2 CN=one\.example\.org\n[\s\S]*\n\ntwo\/server\.pem\n[\s\S]*CN=two/,
  })
  const json = JSON.parse((await certs(['show', '--listener', 'web', '--config', 'many.yaml', '--json'])).stdout)
  t.match(json, {
    listener: 'web',
    file: file('one/server.pem'),
    keystores: [{ file: file('one/server.pem') }, { file: file('two/server.pem') }],
  })
  t.match(await certs(['show', '--listener', 'nodes', '--config', 'many.yaml']), { code: 0, stdout: /CN=two/ })
})

t.test('show says that a certificate from an ACME authority has not come yet', async t => {
  const { certs, put } = await place(t)
  const acme = '{ acme: { directory: "https://acme.example.org/dir", names: [a.example.org] } }'
  put(
    'acme.yaml',
    `${listener('web', acme).trimEnd().slice(0, -1)}, plain: { bind: "127.0.0.1:8080", redirect: web } }\n`,
  )
  t.match(await certs(['show', '--listener', 'web', '--config', 'acme.yaml']), {
    code: 1,
    stderr: /no certificate for a\.example\.org has come from acme\.example\.org yet\nhint: /,
  })
  t.match(await certs(['show', '--listener', 'plain', '--config', 'acme.yaml']), {
    code: 2,
    stderr: /only sends people to "web"/,
  })
})

t.test('show says what it cannot read, and what is over', async t => {
  const { certs, put, file } = await place(t)
  put('text', 'hello')
  t.match(await certs(['show', 'text']), {
    code: 1,
    stdout: '',
    stderr: /^error: text: there is no certificate in it\nhint: /,
  })
  t.match(await certs(['show', 'missing']), { code: 2, stdout: '', stderr: /there is no file missing\nhint: / })
  t.match(await certs(['show', 'certs']), { code: 2, stderr: /is a folder/ })
  t.match(await certs(['show']), { code: 2, stderr: /name either a file or a listener\nhint: / })

  const then = new Date(Date.now() - 100 * 86_400_000)
  const old = await makeAuthority(file('old'), { now: then })
  using ledger = openLedger(file('ledger.db'))
  put('over.pem', (await issueClient(old, ledger, { name: 'late', days: 30, now: then })).certificatePem)
  t.match(await certs(['show', 'over.pem']), { code: 0, stdout: /\(EXPIRED 70 days ago\)/ })
})

t.test('an RC2 container is answered with the command that converts it, and that command does', async t => {
  const { certs, cwd, file, openssl, put } = await place(t)
  put('new', `${secret}\n`)
  t.match(await certs(['client', 'alice', '--password-file', 'new']), { code: 0 })
  const files = ['-in', 'certs/alice.pem', '-inkey', 'certs/alice.key', '-out', "alice's old.p12"]
  openssl('pkcs12', '-export', '-legacy', ...files, '-passout', 'pass:old')
  const refused = await certs(['show', "alice's old.p12"])
  t.match(refused, { code: 1, stdout: '', stderr: /^error: alice's old\.p12: .* encrypted with RC2, RC4 or DES/ })
  const [, command = ''] = /\nhint: convert it: (.*)\n$/.exec(refused.stderr) ?? []
  // The passwords that openssl would ask for at a terminal.
  const answered = command
    .replace(' -nodes ', ' -nodes -passin pass:old ')
    .replace(' -export ', ` -export -passout 'pass:${secret}' `)
  const { status, stderr } = spawnSync('sh', ['-c', answered], { cwd, encoding: 'utf8' })
  t.equal(status, 0, stderr)
  t.match(await certs(['show', "alice's old-new.p12", '--password-file', 'new']), { code: 0, stdout: /CN=alice/ })
  t.equal(modeOf(file("alice's old-new.p12")), '0600')
  t.notOk(existsSync(file('all.pem')), 'the key does not stay behind in the clear')
})
