// `certs omero`: the files and the settings. That a real router loads them is shown in test/real.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import t from 'tap'
import { place, secret } from './certs-place.ts'
import { modeOf } from './command.ts'

const prefix = 'omero config set omero.glacier2.IceSSL.'

t.test('it makes the four files, and prints the settings in their order, fit for a shell', async t => {
  const { certs, file, issued, openssl } = await place(t)
  const names = ['--name', 'omero.example.org', '--name', 'omero', '--ip', '192.0.2.20', '--ip', '::1']
  const { code, stdout, stderr } = await certs(['omero', ...names])
  t.equal(code, 0, stderr)
  const lines = stdout.trimEnd().split('\n')
  const settings = lines.filter(line => !line.startsWith('#'))
  const password = /^[a-z0-9]{4}(-[a-z0-9]{4}){5}$/
  t.same(
    settings.map(line => line.replace(/(?<=Password ).*/, word => (password.test(word) ? 'SECRET' : word))),
    [
      `${prefix}DefaultDir ${file('certs/omero')}`,
      `${prefix}CertFile server.p12`,
      `${prefix}Password SECRET`,
      `${prefix}CAs cacert.pem`,
      `${prefix}Ciphers 'HIGH:!DHE:!aNULL:!eNULL'`,
      `${prefix}Protocols TLS1_2,TLS1_3`,
    ],
  )
  for (const what of ['omero admin restart', '"omero config get"', '"omero certificates"', 'IceSSL.CheckCertName=1'])
    t.match(stderr, what)

  t.same(readdirSync(file('certs/omero')).sort(), ['cacert.pem', 'server.key', 'server.p12', 'server.pem'])
  t.same(
    ['', '/cacert.pem', '/server.key', '/server.p12', '/server.pem'].map(path => modeOf(file(`certs/omero${path}`))),
    ['0700', '0644', '0600', '0600', '0644'],
  )
  t.same(readFileSync(file('certs/omero/cacert.pem')), readFileSync(file('certs/authority/ca.pem')))
  const leaf = new X509Certificate(readFileSync(file('certs/omero/server.pem')))
  for (const name of ['omero.example.org', 'omero']) t.equal(leaf.checkHost(name), name)
  for (const address of ['192.0.2.20', '::1']) t.equal(leaf.checkIP(address), address)
  t.match(leaf.publicKey.asymmetricKeyDetails, { modulusLength: 2048 }, 'RSA, as OMERO itself makes')
  t.equal(
    openssl('verify', '-CAfile', 'certs/omero/cacert.pem', '-purpose', 'sslserver', 'certs/omero/server.pem').trim(),
    'certs/omero/server.pem: OK',
  )
  t.match(issued(), [{ kind: 'server', name: 'omero.example.org', serial: leaf.serialNumber }])
})

t.test('a second run renews the certificate and keeps the key, whatever PEM form it has', async t => {
  const { certs, file, openssl, issued } = await place(t)
  mkdirSync(file('certs/omero'))
  for (const form of ['rsa', 'pkcs8'] as const) {
    const options = form === 'rsa' ? ['-traditional'] : []
    openssl('genrsa', ...options, '-out', 'certs/omero/server.key', '2048')
    chmodSync(file('certs/omero/server.key'), 0o600)
    const key = readFileSync(file('certs/omero/server.key'), 'utf8')
    t.match(
      await certs(['omero', '--name', 'omero.example.org', '--json']),
      { code: 0, stdout: /"keyKept": true/ },
      form,
    )
    t.equal(readFileSync(file('certs/omero/server.key'), 'utf8'), key, 'not one byte of it is touched')
    const leaf = new X509Certificate(readFileSync(file('certs/omero/server.pem')))
    t.ok(leaf.checkPrivateKey(createPrivateKey(key)))
  }
  t.equal(issued().length, 2, 'and both certificates can be taken back')
})

t.test('without a name it is this machine', async t => {
  const { certs } = await place(t)
  const { dns, addresses } = JSON.parse((await certs(['omero', '--json'])).stdout)
  t.ok(dns.includes('localhost'))
  t.ok(dns.includes(hostname().toLowerCase()))
  t.same(addresses, ['127.0.0.1', '::1'])
})

t.test('for programs the settings are an object, and a password from a file is nowhere', async t => {
  const { certs, file, put, openssl } = await place(t)
  put("o'hara", `${secret}\n`)
  const dir = 'a folder'
  const given = await certs(['omero', '--dir', dir, '--password-file', "o'hara", '--format', 'compat', '--days', '30'])
  t.match(given, { code: 0, stderr: /warning: compat locks/ })
  t.match(given.stdout, `DefaultDir '${file(dir)}'\n`)
  t.match(given.stdout, `Password "$(cat '${file("o'\\''hara")}')"\n`)
  t.notMatch(given.stdout + given.stderr, secret)
  openssl('pkcs12', '-in', `${dir}/server.p12`, '-passin', `pass:${secret}`, '-noout')

  const { settings, files, password } = JSON.parse((await certs(['omero', '--dir', dir, '--json'])).stdout)
  t.equal(settings['omero.glacier2.IceSSL.CertFile'], 'server.p12')
  t.equal(files.authority, file(`${dir}/cacert.pem`))
  openssl('pkcs12', '-in', `${dir}/server.p12`, '-passin', `pass:${password}`, '-noout')
})

t.test(
  'what is there from elsewhere is not written over unasked, least of all the keystore of the gateway',
  async t => {
    const { certs, file, issued } = await place(t)
    await certs(['server', 'imaging.example.org'])
    const before = readFileSync(file('certs/server.pem'))
    const refused = await certs(['omero', '--dir', 'certs'])
    t.match(refused, { code: 1, stdout: '' })
    t.match(
      refused.stderr,
      /^error: certs\/server\.pem and certs\/server\.p12 are there and not from this command.*\nhint: .*--force/,
    )
    t.same(readFileSync(file('certs/server.pem')), before)
    t.equal(issued().length, 1)
    const key = readFileSync(file('certs/server.key'))
    t.match(await certs(['omero', '--dir', 'certs', '--force']), { code: 0 })
    t.same(readFileSync(file('certs/server.key')), key, 'the key is kept even then')
  },
)

t.test('a key that cannot be used is said so, before anything is issued', async t => {
  const { certs, file, issued, openssl, put } = await place(t)
  mkdirSync(file('certs/omero'))
  const key = 'certs/omero/server.key'
  const cases: Readonly<Record<string, [make: () => unknown, said: RegExp, more?: string[]]>> = {
    'no key': [() => put(key, 'hello'), /server\.key: the key is not a private key in PEM\nhint: move it away/],
    encrypted: [() => openssl('genrsa', '-aes256', '-passout', 'pass:x', '-out', key, '2048'), /the key is encrypted/],
    small: [() => openssl('genrsa', '-out', key, '1024'), /has 1024 bits, and RSA needs 2048/],
    'of another kind': [
      () => openssl('genpkey', '-algorithm', 'ed25519', '-out', key),
      /is of a kind that is not used here: ed25519/,
    ],
    'and one was wished for': [
      () => openssl('genrsa', '-out', key, '2048'),
      /is kept, so --key ec-p256 would do nothing/,
      ['--key', 'ec-p256'],
    ],
  }
  for (const [what, [make, said, more = []]] of Object.entries(cases)) {
    make()
    const refused = await certs(['omero', ...more])
    t.match(refused, { stdout: '', stderr: said }, what)
    t.not(refused.code, 0)
  }
  t.same(issued(), [])
  t.notOk(existsSync(file('certs/omero/server.pem')))
  chmodSync(file(key), 0o644)
  t.match(await certs(['omero']), {
    code: 0,
    stderr: /warning: others may read certs\/omero\/server\.key \(mode 0644\)/,
  })
})

t.test('what cannot be made is said with its cure', async t => {
  const { certs } = await place(t)
  t.match(await certs(['omero', '--name', 'a b']), { code: 2, stderr: /"a b" is not a host name/ })
  t.match(await certs(['omero', '--days', '900']), { code: 2, stderr: /900 days is too long/ })
  t.match(await certs(['omero', '--days', 'x']), { code: 2, stderr: /--days wants a number/ })
  t.match(await certs(['omero', '--authority', 'nowhere']), { code: 1, stderr: /nowhere\/ca\.pem does not exist/ })
  t.match(await certs(['omero', '--dir', 'a', '--dir', 'b']), {
    code: 2,
    stderr: /--(dir|out) was given more than once/,
  })
})
