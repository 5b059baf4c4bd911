// What was issued, taking it back, and the revocation list: on the command line, with the real openssl to look at it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { makeAuthority } from '../../src/issuer/authority.ts'
import { issueClient } from '../../src/issuer/leaf.ts'
import { openLedger } from '../../src/issuer/ledger.ts'
import { place, secret } from './certs-place.ts'
import { modeOf } from './command.ts'

/** A place where alice has two certificates, bob one, and late's has ended. */
async function issued(t: Parameters<typeof place>[0]) {
  const here = await place(t, 'empty')
  const authority = await makeAuthority(here.file('certs/authority'), {
    name: 'Test CA',
    now: new Date(Date.now() - 100 * 86_400_000),
  })
  const serials: Record<string, string> = {}
  mkdirSync(here.file('state'), { mode: 0o700 })
  using ledger = openLedger(here.file('state/sallyport.db'))
  const longAgo = { days: 30, now: new Date(Date.now() - 90 * 86_400_000) }
  for (const [label, name, more] of [
    ['late', 'late', longAgo],
    ['alice', 'alice', {}],
    ['again', 'alice', {}],
    ['bob', 'bob', {}],
  ] as const) {
    const { serial, certificatePem } = await issueClient(authority, ledger, { name, ...more })
    serials[label] = serial
    here.put(`${label}.pem`, certificatePem)
  }
  return { ...here, serials, authority }
}

t.test('list shows serial, name, kind, end and state, oldest first', async t => {
  const { certs, serials } = await issued(t)
  t.match(await certs(['revoke', 'bob', '--reason', 'superseded']), { code: 0 })
  const { code, stdout, stderr } = await certs(['list'])
  t.match({ code, stderr }, { code: 0, stderr: '' })
  const today = new Date().toISOString().slice(0, 10)
  const end = '\\d{4}-\\d\\d-\\d\\d'
  const rows = [
    'SERIAL {28}NAME   KIND    EXPIRES     STATE',
    `${serials['late']}  late   client  ${end}  expired`,
    `${serials['alice']}  alice  client  ${end}  good`,
    `${serials['again']}  alice  client  ${end}  good`,
    `${serials['bob']}  bob    client  ${end}  revoked ${today} \\(superseded\\)`,
  ]
  t.match(stdout, new RegExp(`^${rows.join('\n')}\n$`))

  const json = JSON.parse((await certs(['list', '--json'])).stdout)
  t.match(json, [
    { name: 'late', state: 'expired', daysLeft: -60 },
    { name: 'alice', kind: 'client', state: 'good', serial: serials['alice'], subject: 'CN=alice', daysLeft: 825 },
    { name: 'alice', state: 'good' },
    {
      name: 'bob',
      state: 'revoked',
      reason: 'superseded',
      revokedAt: String,
      sha256: /^[0-9A-F:]{95}$/,
      issued: String,
    },
  ])
})

t.test('where nothing was issued, looking leaves nothing behind and says what to do', async t => {
  const { certs, file } = await place(t, 'empty')
  t.match(await certs(['list']), {
    code: 0,
    stdout: '',
    stderr: /^nothing was issued here so far; sallyport certs client/,
  })
  t.same(JSON.parse((await certs(['list', '--json'])).stdout), [])
  t.match(await certs(['revoke', 'alice']), {
    code: 1,
    stdout: '',
    stderr: /there is no state\/sallyport\.db\nhint: .*--config FILE/,
  })
  t.match(await certs(['crl']), { code: 1, stderr: /ca\.pem does not exist.*\nhint: sallyport certs authority/ })
  t.throws(() => readFileSync(file('state/sallyport.db')), { code: 'ENOENT' })
})

t.test('revoke takes one certificate back, and says what happens next', async t => {
  const { certs, serials } = await issued(t)
  const done = await certs(['revoke', 'bob', '--reason', 'KEYCOMPROMISE'])
  t.match(done, { code: 0, stdout: `revoked (keyCompromise): client certificate bob\n  serial   ${serials['bob']}\n` })
  t.match(done.stderr, /^a running gateway refuses it within seconds, without a restart \(its state is in state\)\n/)
  t.match(done.stderr, /\nother servers need the new list: sallyport certs crl\n/)

  t.match(await certs(['revoke', 'bob']), { code: 1, stdout: '', stderr: /"bob" is revoked already, on \d{4}/ })
  const two = await certs(['revoke', 'alice'])
  t.match(two, { code: 1, stdout: '', stderr: /2 certificates of the name "alice" are good:\n/ })
  for (const label of ['alice', 'again']) t.match(two.stderr, `  ${serials[label]}  client, issued `)
  t.match(two.stderr, /\nhint: say which by its serial: sallyport certs revoke SERIAL\n$/)

  const spelled = (serials['again'] ?? '').toLowerCase().replace(/..(?=.)/g, '$&:')
  const json = await certs(['revoke', spelled, '--json'])
  t.match(JSON.parse(json.stdout), { serial: serials['again'], name: 'alice', state: 'revoked', reason: 'unspecified' })
  t.match(await certs(['revoke', 'late']), { code: 1, stderr: /"late" is expired: there is nothing to take back/ })
  t.match(await certs(['revoke', 'nobody']), {
    code: 1,
    stderr: /"nobody" was issued here\nhint: sallyport certs list/,
  })
  t.match(await certs(['revoke', 'alice', '--reason', 'bored']), { code: 2, stderr: /Invalid values/ })
  t.match(await certs(['revoke']), { code: 2, stderr: /Not enough/ })
})

t.test('an authority that is named narrows what is meant, and has to be there', async t => {
  const { certs, file, serials } = await issued(t)
  await makeAuthority(file('other'), { name: 'Other CA' })
  t.match(await certs(['list', '--authority', 'other']), { code: 0, stdout: '' })
  t.match(await certs(['revoke', 'bob', '--authority', 'other']), { code: 1, stderr: /"bob" was issued here/ })
  t.match(await certs(['list', '--authority', 'nowhere']), { code: 1, stderr: /there is no authority in nowhere/ })
  t.match(await certs(['revoke', 'bob', '--authority', 'certs/authority']), { code: 0, stdout: serials['bob'] })
})

t.test('crl writes a list that openssl believes; the next one has the next number and replaces it', async t => {
  const { certs, file, openssl, serials } = await issued(t)
  t.match(await certs(['revoke', 'bob']), { code: 0 })
  const done = await certs(['crl'])
  t.match(done, {
    code: 0,
    stdout: /^revocation list 1 of CN=Test CA\n {2}certs\/crl\.pem {2}one certificate is on it\n/,
  })
  t.match(done.stdout, /\(30 days left\)/)
  t.match(
    done.stderr,
    /^write the next one before that: .* let nobody in once it is over\nuse it: clients: \{ revocation/,
  )
  const ca = ['-CAfile', 'certs/authority/ca.pem']
  t.match(openssl('crl', '-in', 'certs/crl.pem', ...ca, '-noout', '-text'), `Serial Number: ${serials['bob']}`)
  const verify = (label: string) => openssl('verify', '-crl_check', ...ca, '-CRLfile', 'certs/crl.pem', `${label}.pem`)
  t.match(verify('alice'), 'OK')
  t.throws(() => verify('bob'), /certificate revoked/)
  t.equal(modeOf(file('certs/crl.pem')), '0644', 'servers of other accounts read it')

  t.match(await certs(['revoke', serials['alice'] ?? '']), { code: 0 })
  const again = JSON.parse((await certs(['crl', '--days', '7', '--json'])).stdout)
  t.match(again, { number: 2, entries: 2, format: 'pem', issuer: 'CN=Test CA', file: file('certs/crl.pem') })
  t.throws(() => verify('alice'), /certificate revoked/)

  t.match(await certs(['crl', '--der']), { code: 0, stdout: /certs\/crl\.der/ })
  t.match(openssl('crl', '-inform', 'DER', '-in', 'certs/crl.der', ...ca, '-noout', '-crlnumber'), 'crlNumber=0x03')
})

t.test('crl writes over nothing but a revocation list', async t => {
  const { certs, file, openssl } = await issued(t)
  openssl('x509', '-in', 'alice.pem', '-outform', 'DER', '-out', 'alice.der')
  writeFileSync(file('empty'), '')
  for (const path of ['certs/authority/ca.key', 'certs/authority/ca.pem', 'alice.der', 'empty']) {
    const before = readFileSync(file(path))
    t.match(
      await certs(['crl', '--out', path]),
      { code: 1, stdout: '', stderr: /is no revocation list; nothing was written\nhint: / },
      path,
    )
    t.same(readFileSync(file(path)), before)
  }
  t.match(await certs(['crl', '--days', 'soon']), { code: 2, stderr: /--days wants a number/ })
  t.match(await certs(['crl', '--days', '0']), { code: 2, stderr: /0 is not a number of days/ })
  t.match(await certs(['crl', '--out', 'new/place/list.pem']), { code: 0 })
})

t.test('the password of an encrypted authority is needed for a list, and not for taking back', async t => {
  const { certs, put } = await place(t, 'empty')
  put('password', `${secret}\n`)
  await certs(['authority', '--password-file', 'password'])
  await certs(['client', 'alice', '--authority-password-file', 'password'])
  t.match(await certs(['revoke', 'alice']), { code: 0 })
  t.match(await certs(['crl']), { code: 1, stderr: /is encrypted.*\nhint: .*--authority-password-file/ })
  t.match(await certs(['crl', '--authority-password-file', 'password']), {
    code: 0,
    stdout: /one certificate is on it/,
  })
})

t.test('the state of the configuration is the one that counts', async t => {
  const { certs, file, put } = await place(t)
  put(
    'gate.yaml',
    'state: elsewhere\nlisteners: { web: { bind: "127.0.0.1:8443", keystore: { certificate: x.pem } } }\n',
  )
  await certs(['client', 'alice', '--config', 'gate.yaml'])
  t.match(await certs(['list', '--config', 'gate.yaml']), { code: 0, stdout: /alice/ })
  t.match(await certs(['list']), { code: 0, stdout: '' })
  t.equal(modeOf(file('elsewhere/sallyport.db')), '0600')
  t.equal(modeOf(file('elsewhere')), '0700')
})
