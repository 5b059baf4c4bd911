// Certificates made on the command line, opened again with the real openssl.
import { X509Certificate } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { listener, place, secret } from './certs-place.ts'
import { hasTerminal, modeOf, onTerminal } from './command.ts'

const passwordIn = (stdout: string) => /shown only now: ([a-z2-9-]{29})\n/.exec(stdout)?.[1] ?? 'no password was shown'

t.test('the authority is made once, and never replaced', async t => {
  const { certs, cwd, file, openssl } = await place(t, 'empty')
  const made = await certs(['authority', '--name', 'Radiology CA'])
  t.match(made, { code: 0, stderr: 'next: sallyport certs server localhost\n' })
  t.match(made.stdout, /^authority CN=Radiology CA\n {2}certs\/authority\/ca\.pem .*\n {2}certs\/authority\/ca\.key /)
  t.match(openssl('x509', '-in', 'certs/authority/ca.pem', '-noout', '-text'), /CA:TRUE, pathlen:0/)
  t.same(
    ['certs', 'certs/authority', 'certs/authority/ca.key', 'certs/authority/ca.pem'].map(path => modeOf(file(path))),
    ['0700', '0700', '0600', '0644'],
  )

  const key = readFileSync(join(cwd, 'certs/authority/ca.key'))
  const again = await certs(['authority'])
  t.match(again, { code: 1, stdout: '', stderr: /^error: certs\/authority\/ca\.key exists.*\nhint: .*--dir DIR/ })
  t.same(readFileSync(join(cwd, 'certs/authority/ca.key')), key)
})

t.test('a server certificate holds every name and address, as PEM pair and as PKCS#12', async t => {
  const { certs, file, issued, openssl } = await place(t)
  const args = [
    'server',
    'imaging.example.org',
    '--ip',
    '192.0.2.10',
    'localhost',
    '::1',
    '--ip',
    '127.0.0.1',
    '--days',
    '30',
  ]
  const { code, stdout, stderr } = await certs(args)
  t.equal(code, 0, stderr)
  t.match(
    openssl('verify', '-CAfile', 'certs/authority/ca.pem', '-purpose', 'sslserver', 'certs/server.pem'),
    'certs/server.pem: OK',
  )
  const names = openssl('x509', '-in', 'certs/server.pem', '-noout', '-ext', 'subjectAltName')
  for (const name of [
    'DNS:imaging.example.org',
    'DNS:localhost',
    'Address:192.0.2.10',
    'Address:0:0:0:0:0:0:0:1',
    'Address:127.0.0.1',
  ]) {
    t.match(names, name)
  }
  const leaf = new X509Certificate(readFileSync(file('certs/server.pem')))
  t.equal(Math.round((leaf.validToDate.getTime() - Date.now()) / 86_400_000), 30)
  t.match(stdout, /\(30 days left\)/)
  t.match(stdout, leaf.fingerprint256)
  t.equal(
    openssl('pkey', '-in', 'certs/server.key', '-pubout'),
    openssl('x509', '-in', 'certs/server.pem', '-noout', '-pubkey'),
  )

  const opened = openssl('pkcs12', '-in', 'certs/server.p12', '-passin', `pass:${passwordIn(stdout)}`, '-nodes')
  t.equal(opened.match(/BEGIN CERTIFICATE/g)?.length, 2, 'the certificate and its authority')
  t.match(opened, /BEGIN PRIVATE KEY/)
  t.same(
    ['key', 'p12', 'pem'].map(ending => modeOf(file(`certs/server.${ending}`))),
    ['0600', '0600', '0644'],
  )
  t.match(issued(), [{ kind: 'server', name: 'imaging.example.org', serial: leaf.serialNumber }])
})

t.test('files that are there are not overwritten, and nothing is issued for them', async t => {
  const { certs, file, issued } = await place(t)
  await certs(['server', 'localhost'])
  const before = readFileSync(file('certs/server.key'))
  const again = await certs(['server', 'localhost'])
  t.match(again, { code: 1, stdout: '' })
  t.match(
    again.stderr,
    /^error: certs\/server\.pem, certs\/server\.key, certs\/server\.p12 exist; .*\nhint: --dir DIR .*--force/,
  )
  t.same(readFileSync(file('certs/server.key')), before)
  t.equal(issued().length, 1)

  t.match(await certs(['server', 'localhost', '--dir', 'new/place']), { code: 0, stdout: /new\/place\/server\.pem/ })
  t.equal(modeOf(file('new/place')), '0700')
  t.match(await certs(['server', 'localhost', '--force']), { code: 0 })
  t.notSame(readFileSync(file('certs/server.key')), before)
  t.equal(modeOf(file('certs/server.key')), '0600')
})

t.test('a client certificate opens with the password that was shown, and with no other', async t => {
  const { certs, openssl } = await place(t)
  const { code, stdout } = await certs(['client', 'alice', '--email', 'alice@example.org', '--json'])
  t.equal(code, 0)
  const result = JSON.parse(stdout)
  t.match(result, {
    kind: 'client',
    subject: 'CN=alice',
    emails: ['alice@example.org'],
    format: 'modern',
    daysLeft: 825,
  })
  t.match(result.files.pkcs12, /^\/.*\/certs\/alice\.p12$/, 'for programs the path is whole')
  t.match(openssl('pkcs12', '-in', 'certs/alice.p12', '-passin', `pass:${result.password}`, '-noout', '-info'), '')
  t.throws(() => openssl('pkcs12', '-in', 'certs/alice.p12', '-passin', 'pass:', '-noout'), /invalid password/)
  t.match(openssl('verify', '-CAfile', 'certs/authority/ca.pem', '-purpose', 'sslclient', 'certs/alice.pem'), 'OK')
  t.throws(() => openssl('verify', '-CAfile', 'certs/authority/ca.pem', '-purpose', 'sslserver', 'certs/alice.pem'))
})

t.test('a password from a file locks the container, and is not shown', async t => {
  const { certs, openssl, put } = await place(t)
  put('password', `${secret}\n`)
  put('empty', '\n')
  const { code, stdout, stderr } = await certs(['client', 'alice', '--password-file', 'password'])
  t.equal(code, 0, stderr)
  t.notMatch(stdout + stderr, secret)
  t.match(stdout, /password: the one from the file/)
  openssl('pkcs12', '-in', 'certs/alice.p12', '-passin', `pass:${secret}`, '-noout')
  const json = await certs(['client', 'carol', '--password-file', 'password', '--json'])
  t.notHas(JSON.parse(json.stdout), { password: String })

  const empty = await certs(['client', 'bob', '--password-file', 'empty'])
  t.match(empty, { code: 2, stdout: '', stderr: /the password file empty is empty/ })
  const none = await certs(['client', 'bob', '--password-file', ''])
  t.match(none, { code: 2, stdout: '' })
})

t.test('compat is written as 3DES and SHA-1, and says why that is weaker', async t => {
  const { certs, openssl } = await place(t)
  const { code, stdout, stderr } = await certs(['client', 'old device', '--format', 'compat', '--key', 'rsa-2048'])
  t.equal(code, 0)
  t.match(stderr, /warning: compat locks .* 3DES and SHA-1, which are weak/)
  const asn1 = openssl('asn1parse', '-inform', 'DER', '-in', 'certs/old_device.p12', '-strparse', '26')
  t.match(asn1, 'pbeWithSHA1And3-KeyTripleDES-CBC')
  openssl('pkcs12', '-in', 'certs/old_device.p12', '-passin', `pass:${passwordIn(stdout)}`, '-noout')
  t.match(openssl('x509', '-in', 'certs/old_device.pem', '-noout', '-text'), /Public-Key: \(2048 bit\)/)
  t.notMatch(stderr, '\r', 'no progress where nobody watches')
})

t.test('a self-signed certificate needs no authority, and is called what it is', async t => {
  const { certs, openssl, put } = await place(t, 'empty')
  put('password', `${secret}\n`)
  const { code, stderr } = await certs([
    'server',
    'localhost',
    '--self-signed',
    '--ip',
    '127.0.0.1',
    '--password-file',
    'password',
  ])
  t.equal(code, 0, stderr)
  t.match(stderr, /warning: a self-signed certificate proves nothing/)
  t.match(
    openssl('x509', '-in', 'certs/server.pem', '-noout', '-ext', 'subjectAltName'),
    /DNS:localhost, IP Address:127\.0\.0\.1/,
  )
  openssl('pkcs12', '-in', 'certs/server.p12', '-passin', `pass:${secret}`, '-noout')
  t.match(await certs(['server', 'x', '--self-signed', '--days', '3']), { code: 2, stderr: /leave --days out/ })
})

t.test('what cannot be made is said with its cure, and leaves nothing behind', async t => {
  const { certs, file, issued } = await place(t)
  const endings: Promise<unknown>[] = []
  for (const [args, code, said] of [
    [['server'], 2, /needs a name or an address\nhint: sallyport certs server/],
    [['server', 'a b'], 2, /the name "a b" is not a host name/],
    [['server', 'localhost', '--ip', '300.0.0.1'], 2, /the name "300\.0\.0\.1" is not an IP address/],
    [['server', 'localhost', '--days', '900'], 2, /900 days is too long.*\nhint: say how long with --days/],
    [['client', 'alice', '--days', 'soon'], 2, /--days wants a number/],
    [['client', 'alice', '--days', '0'], 2, /0 is not a number of days/],
    [['client', 'a\nb'], 2, /control or invisible character/],
    [['client', 'alice', '--email', 'nobody'], 2, /is not an e-mail address/],
    [['client', 'alice', '--key', 'dsa'], 2, /Invalid values/],
    [
      ['client', 'alice', '--authority', 'nowhere'],
      1,
      /nowhere\/ca\.pem does not exist.*\nhint: sallyport certs authority/,
    ],
    [['client'], 2, /Not enough/],
    [['bogus'], 2, /bogus/],
    [[], 2, /say which: sallyport certs authority/],
  ] as const) {
    endings.push(certs(args).then(ended => t.match(ended, { code, stdout: '', stderr: said }, args.join(' '))))
  }
  await Promise.all(endings)
  t.same(readdirSync(file('certs')), ['authority'])
  t.same(issued(), [])
})

t.test('a server that also connects to others may have a certificate for both', async t => {
  const { certs, openssl } = await place(t)
  t.match(await certs(['server', 'pacs.example.org', '--client-auth']), { code: 0 })
  for (const purpose of ['sslserver', 'sslclient'])
    t.match(openssl('verify', '-CAfile', 'certs/authority/ca.pem', '-purpose', purpose, 'certs/server.pem'), 'OK')
  t.match(await certs(['server', 'x', '--self-signed', '--client-auth', '--dir', 'y']), {
    code: 2,
    stderr: /leave --client-auth out/,
  })
})

t.test(
  'the address of a server, given as its name, is where browsers look for it: seed 001, "enter the IP address"',
  async t => {
    const { certs, file, openssl } = await place(t)
    for (const [dir, more] of Object.entries({ issued: [], alone: ['--self-signed'] })) {
      t.match(await certs(['server', '192.0.2.7', ...more, '--dir', dir]), { code: 0 })
      const leaf = new X509Certificate(readFileSync(file(`${dir}/server.pem`)))
      t.equal(leaf.checkIP('192.0.2.7'), '192.0.2.7', `${dir}: in the SAN, as an address`)
      t.match(leaf.subject, 'CN=192.0.2.7')
    }
    t.match(await certs(['server', '*.example.org', 'example.org', '--dir', 'wild']), { code: 0 })
    t.match(
      openssl('verify', '-CAfile', 'certs/authority/ca.pem', '-verify_hostname', 'any.example.org', 'wild/server.pem'),
      'OK',
      'a wildcard holds one level',
    )
    t.throws(() =>
      openssl('verify', '-CAfile', 'certs/authority/ca.pem', '-verify_hostname', 'a.b.example.org', 'wild/server.pem'),
    )
  },
)

t.test('who gets a second certificate is told that the first one is still good', async t => {
  const { certs, issued } = await place(t)
  t.notMatch((await certs(['client', 'alice'])).stderr, /still good/)
  const again = await certs(['client', 'alice', '--force'])
  const [first] = issued()
  t.match(
    again.stderr,
    `an earlier certificate of "alice" is still good; to take it back: sallyport certs revoke ${first?.serial}\n`,
  )
  await certs(['revoke', first?.serial ?? ''])
  const [, second] = issued()
  const third = await certs(['client', 'alice', '--force'])
  t.notMatch(third.stderr, first?.serial)
  t.match(third.stderr, second?.serial)
})

t.test('an authority key that others may read is warned of', async t => {
  const { certs, file } = await place(t)
  chmodSync(file('certs/authority/ca.key'), 0o644)
  t.match(await certs(['client', 'alice']), {
    code: 0,
    stderr: /warning: others may read the key of the authority \(mode 0644\).*chmod 600 certs\/authority\/ca\.key/,
  })
})

t.test('what an authority of an earlier release had noted is taken over, said so, and kept', async t => {
  const { certs, file, issued, put } = await place(t)
  const record = { serial: '4F01', subject: 'CN=old', name: 'old', kind: 'client', sha256: 'AA' }
  put(
    'certs/authority/issued.jsonl',
    `${JSON.stringify({ ...record, notAfter: '2099-01-01T00:00:00Z', when: '2026-01-01T00:00:00Z' })}\n`,
  )
  t.match(await certs(['client', 'alice']), {
    code: 0,
    stderr:
      /took 1 certificate over from certs\/authority\/issued\.jsonl into state\/sallyport\.db; the old list lies in certs\/authority\/issued\.jsonl\.taken-over\n/,
  })
  t.match(issued(), [{ name: 'old', serial: '4F01' }, { name: 'alice' }])
  t.ok(existsSync(file('certs/authority/issued.jsonl.taken-over')))
  t.match(await certs(['revoke', 'old']), { code: 0, stdout: /^revoked: client certificate old\n/ })
})

t.test('authority and days come from the configuration', async t => {
  const { certs, file, put } = await place(t, 'empty')
  mkdirSync(file('config'))
  put('ca-password', `${secret}\n`)
  put(
    'config/sallyport.yaml',
    `authority: { dir: ../ca, days: 20, password: { file: ../ca-password } }\n${listener('web', '{ certificate: x.pem }')}`,
  )
  t.match(await certs(['authority']), { code: 0, stdout: /ca\/ca\.key .*encrypted/ })
  t.match(readFileSync(file('ca/ca.key'), 'utf8'), /BEGIN ENCRYPTED PRIVATE KEY/)
  t.match(await certs(['client', 'alice']), { code: 0, stdout: /\(20 days left\)/ })
  t.match(await certs(['client', 'bob', '--days', '7']), { code: 0, stdout: /\(7 days left\)/ })

  rmSync(file('config'), { recursive: true })
  const locked = ['client', 'carol', '--authority', 'ca']
  t.match(await certs(locked), { code: 1, stderr: /ca\/ca\.key is encrypted.*\nhint: .*--authority-password-file/ })
  t.match(await certs([...locked, '--authority-password-file', 'ca-password']), { code: 0 })
  put('broken.yaml', 'listeners: 3\nfoo: bar\n')
  t.match(await certs(['client', 'dora', '--config', 'broken.yaml']), {
    code: 2,
    stdout: '',
    stderr: /broken\.yaml:1.*\n.*unknown key "foo"/,
  })
})

t.test(
  'the authority and the state of another account are refused',
  { skip: process.geteuid?.() === 0 ? false : 'only root can give files away' },
  async t => {
    const { certs, file } = await place(t)
    mkdirSync(file('state'))
    chownSync(file('state'), 65534, 65534)
    for (const args of [['list'], ['revoke', 'alice'], ['crl'], ['client', 'alice'], ['omero']]) {
      // Only where there is a ledger to look at is there one to be kept from.
      writeFileSync(file('state/sallyport.db'), '')
      t.match(
        await certs(args),
        {
          code: 2,
          stdout: '',
          stderr: /^error: state belongs to nobody, and this is root: .*\nhint: .*sudo -u nobody/,
        },
        args.join(' '),
      )
    }
    chownSync(file('state'), 0, 0)
    rmSync(file('state'), { recursive: true })

    chownSync(file('certs/authority'), 65534, 65534)
    const said =
      /^error: certs\/authority belongs to nobody, and this is root: .*\nhint: run it as the owner: sudo -u nobody/
    t.match(await certs(['client', 'alice']), { code: 2, stdout: '', stderr: said })
    t.notOk(existsSync(file('certs/alice.pem')))
  },
)

t.test('on a terminal', { skip: hasTerminal ? false : 'there is no script(1) to give a terminal' }, async t => {
  const { certs, cwd, put } = await place(t)
  put('password', `${secret}\n`)
  t.match(await onTerminal(['certs', 'client', 'alice', '--key', 'rsa-4096', '--password-file', 'password'], cwd, []), {
    code: 0,
    screen: /making a key \(rsa-4096\) +\d s/,
  })
  const shown = await onTerminal(['certs', 'show', 'certs/alice.p12'], cwd, [
    { after: 'password of certs/alice.p12: ', type: `${secret}\r` },
  ])
  t.match(shown, { code: 0, screen: /CN=alice/ })
  t.notMatch(shown.screen, secret)

  await certs(['authority', '--dir', 'locked', '--password-file', 'password'])
  const asked = await onTerminal(['certs', 'client', 'bob', '--authority', 'locked'], cwd, [
    { after: 'password of locked/ca.key: ', type: `${secret}\r` },
  ])
  t.match(asked, { code: 0, screen: /client certificate CN=bob/ })
})

t.test('every command has a help with an example', async t => {
  const { certs } = await place(t, 'empty')
  for (const action of [
    [],
    ['authority'],
    ['server'],
    ['client'],
    ['omero'],
    ['list'],
    ['revoke'],
    ['crl'],
    ['show'],
  ]) {
    const { code, stdout, stderr } = await certs([...action, '--help'])
    t.match(
      { code, stderr, stdout },
      { code: 0, stderr: '', stdout: /Examples:\n {2}sallyport certs / },
      action.join(''),
    )
  }
})
