// Revocation lists, read by the real openssl, NSS and Node.
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { type Authority, authorityFiles, makeAuthority, openAuthority } from '../../src/issuer/authority.ts'
import { revocationReasons } from '../../src/issuer/issued-entry.ts'
import { issueClient } from '../../src/issuer/leaf.ts'
import { type Ledger, ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { isRevocationList, signRevocationList } from '../../src/issuer/revocation-list.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'

const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const run = (command: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return { status, said: `${stdout}\n${stderr}` }
}

function ledgerIn(t: Pick<Test, 'teardown'>, dir: string): Ledger {
  const ledger = openLedger(join(dir, ledgerFile))
  t.teardown(() => ledger[Symbol.dispose]())
  return ledger
}

/** An authority as some sites bring it: RSA, a name with several parts, an identifier of its own making. */
function broughtAlong(dir: string, usage: string): Authority {
  const config = join(dir, 'ca.cnf')
  const extensions = `basicConstraints=critical,CA:TRUE\nkeyUsage=critical,${usage}\nsubjectKeyIdentifier=01:02:03\n`
  writeFileSync(config, `[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\n${extensions}`)
  const files = ['-keyout', authorityFiles(dir).key, '-out', authorityFiles(dir).certificate]
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '90',
    '-subj',
    '/C=DE/O=Klinik, Nord/CN=Root',
    '-config',
    config,
    ...files,
  )
  return openAuthority(dir)
}

const makers: Readonly<Record<string, (dir: string) => Authority | Promise<Authority>>> = {
  'P-256': dir => makeAuthority(join(dir, 'ca')),
  'P-384, a name with a comma': dir => makeAuthority(join(dir, 'ca'), { curve: 'ec-p384', name: 'Müller, CA' }),
  'RSA, brought along': dir => broughtAlong(dir, 'keyCertSign,cRLSign'),
}
for (const [kind, make] of Object.entries(makers)) {
  t.test(`openssl believes the list and refuses who is on it: ${kind}`, async t => {
    if (!requireReal(t, ['openssl'])) return
    const dir = t.testdir()
    const authority = await make(dir)
    const ledger = ledgerIn(t, dir)
    const certificates: string[] = []
    for (const name of ['alice', 'bob']) {
      certificates.push(join(dir, `${name}.pem`))
      writeFileSync(join(dir, `${name}.pem`), (await issueClient(authority, ledger, { name })).certificatePem)
    }
    ledger.revoke('bob', { at: new Date(), reason: 'keyCompromise' })
    const list = await signRevocationList(authority, ledger)
    const file = join(dir, 'crl.pem')
    writeFileSync(file, list.pem)
    const ca = authorityFiles(authority.dir).certificate
    const read = run('openssl', 'crl', '-in', file, '-CAfile', ca, '-noout', '-text')
    t.match(read, { status: 0, said: /verify OK/ })
    t.match(read.said, /Version 2/)
    t.match(read.said, /X509v3 Authority Key Identifier/)
    t.match(read.said, /X509v3 CRL Number: \n +1\n/)
    t.match(read.said, /Key Compromise/)

    const verify = (pem = '') =>
      run('openssl', 'verify', '-x509_strict', '-crl_check', '-CAfile', ca, '-CRLfile', file, pem)
    t.match(verify(certificates[0]), { status: 0 })
    t.match(verify(certificates[1]), { status: 2, said: /certificate revoked/ })
  })
}

t.test('the list says when it is from, when it ends, and its number, which grows', async t => {
  const { authority, ledger } = await startAuthority(t)
  const now = new Date('2026-11-22T12:00:00.700Z')
  const first = await signRevocationList(authority, ledger, { now })
  t.match(first, {
    number: 1,
    entries: 0,
    thisUpdate: new Date('2026-11-22T11:55:00Z'),
    nextUpdate: new Date('2026-12-22T12:00:00Z'),
  })
  t.match(await signRevocationList(authority, ledger, { now, days: 7 }), {
    number: 2,
    nextUpdate: new Date('2026-11-29T12:00:00Z'),
  })
  const end = authority.certificate.notAfter
  t.match(
    await signRevocationList(authority, ledger, { now, days: 36_000 }),
    { number: 3, nextUpdate: end },
    'never beyond the authority',
  )
  await t.rejects(signRevocationList(authority, ledger, { now, days: 0 }), { code: 'lifetime-invalid' })
  if (!requireReal(t, ['openssl'])) return
  const file = join(t.testdir(), 'crl.der')
  writeFileSync(file, first.der)
  const said = openssl('crl', '-inform', 'DER', '-in', file, '-noout', '-text')
  t.match(said, /No Revoked Certificates/)
  t.match(said, /Last Update: Nov 22 11:55:00 2026 GMT\s+Next Update: Dec 22 12:00:00 2026 GMT/)
})

t.test('each reason arrives as what it is; none is left out as one', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { authority, ledger, client } = await startAuthority(t)
  for (const reason of revocationReasons) {
    const { serial } = await client(reason)
    ledger.revoke(serial, { at: new Date(), reason })
  }
  const { pem, der, entries } = await signRevocationList(authority, ledger)
  t.equal(entries, revocationReasons.length)
  const file = join(t.testdir(), 'crl.pem')
  writeFileSync(file, pem)
  const said = openssl('crl', '-in', file, '-noout', '-text')
  const reasons = [...said.matchAll(/CRL Reason Code: \n +(.*)\n/g)].map(([, reason]) => reason)
  t.same(reasons.toSorted(), [
    'Affiliation Changed',
    'Cessation Of Operation',
    'Key Compromise',
    'Privilege Withdrawn',
    'Superseded',
  ])
  // RFC 5280: extensions are a sequence of one or more, or not there.
  writeFileSync(file, der)
  t.notMatch(openssl('asn1parse', '-inform', 'DER', '-in', file), / l= +0 cons: SEQUENCE/)
})

t.test('what another authority of the same name issued is not on it', async t => {
  const { authority, ledger, client, rogueClient } = await startAuthority(t)
  const [mine, other] = [await client('alice'), await rogueClient('alice')]
  for (const { serial } of [mine, other]) ledger.revoke(serial, { at: new Date() })
  const { entries, der } = await signRevocationList(authority, ledger)
  t.equal(entries, 1)
  t.ok(der.includes(Buffer.from(mine.serial, 'hex')))
  t.notOk(der.includes(Buffer.from(other.serial, 'hex')))
})

t.test('an authority that may not sign lists does not, because nobody would believe them', async t => {
  if (!requireReal(t, ['openssl'])) return
  const dir = t.testdir()
  const authority = broughtAlong(dir, 'keyCertSign')
  const ledger = ledgerIn(t, dir)
  await t.rejects(signRevocationList(authority, ledger), { code: 'authority-unreadable', message: /cRLSign/ })
  t.equal(ledger.nextListNumber(authority.fingerprint), 1, 'and no number was used up')
})

t.test('Node, as servers use it, refuses who is on the list', async t => {
  const { authority, ledger, client, server, caPem: ca } = await startAuthority(t)
  const own = await server(['localhost'], ['127.0.0.1'])
  const [alice, bob] = [await client('alice'), await client('bob')]
  ledger.revoke(bob.serial, { at: new Date() })
  const { pem: crl } = await signRevocationList(authority, ledger)
  const verdicts: string[] = []
  const listening = createServer(
    // The verdict on the list is what is looked at: a server that hung up could not tell it.
    { cert: own.chainPem, key: own.keyPem, ca, crl, requestCert: true, rejectUnauthorized: false },
    socket => {
      verdicts.push(socket.authorized ? 'authorized' : String(socket.authorizationError)) // the verdict itself is what is tested
      socket.end()
    },
  ).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.teardown(() => listening.close())
  const { port } = listening.address() as AddressInfo // safe: a listening TCP server has an address and a port
  for (const { certPem: cert, keyPem: key } of [alice, bob]) {
    const socket = connect({ host: '127.0.0.1', port, ca, cert, key }).resume()
    await once(socket, 'close')
  }
  t.same(verdicts, ['authorized', 'CERT_REVOKED'])
})

t.test('NSS imports the list, and from then on refuses who is on it', async t => {
  if (!requireReal(t, ['certutil', 'crlutil'])) return
  const { authority, ledger, client, caFile } = await startAuthority(t)
  const [alice, bob] = [await client('alice'), await client('bob')]
  ledger.revoke(bob.serial, { at: new Date(), reason: 'superseded' })
  const dir = t.testdir()
  const store = ['-d', `sql:${dir}`]
  run('certutil', '-N', ...store, '--empty-password')
  run('certutil', '-A', ...store, '-n', 'ca', '-t', 'CT,,', '-i', caFile)
  writeFileSync(join(dir, 'crl.der'), (await signRevocationList(authority, ledger)).der)
  for (const [name, { certFile }] of Object.entries({ alice, bob })) {
    writeFileSync(join(dir, name), readFileSync(certFile))
    run('certutil', '-A', ...store, '-n', name, '-t', ',,', '-i', join(dir, name))
  }
  const verdictOn = (name: string) => run('certutil', '-V', ...store, '-n', name, '-u', 'C').said
  t.match(verdictOn('bob'), /certificate is valid/, 'before')
  t.match(run('crlutil', '-I', '-i', join(dir, 'crl.der'), ...store), { status: 0 })
  t.match(verdictOn('bob'), /revoked/i)
  t.match(verdictOn('alice'), /certificate is valid/)
})

t.test('a list is known by what it is, in PEM and DER, and nothing else is taken for one', async t => {
  const { authority, ledger, client, caPem } = await startAuthority(t)
  const { pem, der } = await signRevocationList(authority, ledger)
  t.ok(isRevocationList(Buffer.from(pem)))
  t.ok(isRevocationList(der))
  const { keyPem, p12File } = await client('alice')
  const certificate = Buffer.from(caPem.replace(/-----.*-----/g, ''), 'base64')
  const key = Buffer.from(keyPem.replace(/-----.*-----/g, ''), 'base64')
  for (const other of [
    Buffer.from(caPem),
    Buffer.from(keyPem),
    certificate,
    key,
    readFileSync(p12File),
    Buffer.from(''),
    Buffer.from('hello'),
  ])
    t.notOk(isRevocationList(other))
})
