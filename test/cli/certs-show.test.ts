// What `certs show` says of a certificate, held against what openssl says.
import t from 'tap'
import { makeAuthority } from '../../src/issuer/authority.ts'
import { issueClient } from '../../src/issuer/leaf.ts'
import { listener, place, secret } from './certs-place.ts'

// Each command is a process of its own, and a busy machine starts them slowly.
t.setTimeout(120_000)

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
  put('over.pem', (await issueClient(old, { name: 'late', days: 30, now: then })).certificatePem)
  t.match(await certs(['show', 'over.pem']), { code: 0, stdout: /\(EXPIRED 70 days ago\)/ })
})
