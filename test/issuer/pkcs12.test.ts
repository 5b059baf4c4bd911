import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { AuthenticatedSafe, EncryptedData, PFX } from 'pkijs'
import t, { type Test } from 'tap'
import { makeAuthority } from '../../src/issuer/authority.ts'
import { describeCertificates } from '../../src/issuer/describe.ts'
import type { KeyKind } from '../../src/issuer/keys.ts'
import { issueClient } from '../../src/issuer/leaf.ts'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { encodePkcs12, type Pkcs12Format } from '../../src/issuer/pkcs12.ts'
import { deriveFromPassword } from '../../src/issuer/pkcs12-kdf.ts'
import { requireReal } from '../fixture/real.ts'

const ledger = openLedger(join(t.testdir(), ledgerFile))
t.teardown(() => ledger[Symbol.dispose]())

const plain = 'k7mq-x2np-wert'
const german = 'Übergröße & "Zeug"'

interface Case {
  readonly format: Pkcs12Format
  readonly key: KeyKind
  readonly password: string
}

const formats = ['modern', 'compat'] as const
const cases: readonly Case[] = formats.flatMap(format =>
  (['ec-p256', 'rsa-2048'] as const).flatMap(key => [plain, german].map(password => ({ format, key, password }))),
)
const titleOf = ({ format, key, password }: Case) =>
  `${format}, ${key}, ${password === plain ? 'ASCII' : 'umlaut'} password`

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  })
  return { status, said: `${stdout}\n${stderr}` }
}

/** Files for one case: the container, its password, and the client that is in it. */
async function containerFor(t: Pick<Test, 'testdir'>, { format, key, password }: Case) {
  const dir = t.testdir()
  const authority = await makeAuthority(join(dir, 'ca'), { name: 'Test Authority' })
  const client = await issueClient(authority, ledger, { name: 'Jürgen', key })
  const { keyPem, chainPem } = client
  const container = await encodePkcs12({ keyPem, chainPem, friendlyName: 'Jürgen 😀', password, format })
  const file = join(dir, 'client.p12')
  const passwordFile = join(dir, 'password')
  writeFileSync(file, container)
  writeFileSync(passwordFile, password)
  return { dir, client, container, file, passwordFile }
}

for (const each of cases) {
  t.test(`openssl reads key, chain and label back: ${titleOf(each)}`, async t => {
    if (!requireReal(t, ['openssl'])) return
    const { client, file, passwordFile } = await containerFor(t, each)
    const read = (...more: string[]) =>
      run('openssl', 'pkcs12', '-in', file, '-passin', `file:${passwordFile}`, ...more)

    const all = read('-nodes', '-info')
    t.equal(all.status, 0, all.status === 0 ? 'it opens' : all.said)
    t.match(all.said, each.format === 'modern' ? /MAC: sha256, Iteration 100000/ : /MAC: sha1, Iteration 2048/, 'MAC')
    const cipher =
      each.format === 'modern' ? /PBES2, PBKDF2, AES-256-CBC, .*hmacWithSHA256/g : /pbeWithSHA1And3-KeyTripleDES-CBC/g
    t.equal(all.said.match(cipher)?.length, 2, 'certificates and key alike')
    // openssl prints one byte of each character; NSS below finds the certificate by the whole label.
    t.equal(all.said.match(/friendlyName: /g)?.length, 2, 'labelled')
    t.equal(all.said.match(/localKeyID: /g)?.length, 2, 'the key finds its certificate')
    t.match(all.said.replaceAll('\n', ''), client.keyPem.replaceAll('\n', ''), 'the very key')
    t.match(read('-clcerts', '-nokeys').said, client.certificatePem, 'the very certificate')
    t.equal(read('-cacerts', '-nokeys').said.match(/BEGIN CERTIFICATE/g)?.length, 1, 'the authority is included')

    const wrong = run('openssl', 'pkcs12', '-in', file, '-passin', 'pass:wrong', '-noout')
    t.not(wrong.status, 0)
    t.match(wrong.said, /invalid password/)
  })

  t.test(`NSS, the store of Firefox and of Chrome on Linux, imports it: ${titleOf(each)}`, async t => {
    if (!requireReal(t, ['certutil', 'pk12util'])) return
    const { dir, client, file, passwordFile } = await containerFor(t, each)
    const store = `sql:${dir}`
    t.match(run('certutil', '-N', '-d', store, '--empty-password'), { status: 0 })
    const imported = run('pk12util', '-i', file, '-d', store, '-w', passwordFile)
    t.match(imported, { status: 0, said: /PKCS12 IMPORT SUCCESSFUL/ })
    const listed = run('certutil', '-L', '-d', store).said
    t.match(listed, /Jürgen.* u,u,u/, 'with its key')
    t.match(listed, 'Test Authority', 'with the authority')
    const pem = run('certutil', '-L', '-d', store, '-n', 'Jürgen 😀', '-a').said.replaceAll('\r', '')
    t.match(pem, client.certificatePem, 'by the whole label')
  })

  t.test(`Node opens it as a pfx: ${titleOf(each)}`, async t => {
    const { container } = await containerFor(t, each)
    t.doesNotThrow(() => createSecureContext({ pfx: container, passphrase: each.password }))
    t.throws(() => createSecureContext({ pfx: container, passphrase: 'wrong' }), { message: /mac verify failure/ })
  })

  t.test(`our own reader finds the certificates and no key: ${titleOf(each)}`, async t => {
    const { client, container } = await containerFor(t, each)
    const found = await describeCertificates(container, each.password)
    t.match(found, [
      { serial: client.serial, commonName: 'Jürgen' },
      { commonName: 'Test Authority', isAuthority: true },
    ])
    await t.rejects(describeCertificates(container, 'wrong'), { code: 'container-password' })
    await t.rejects(describeCertificates(container), { code: 'container-password' })
  })
}

for (const format of formats) {
  t.test(`Java lists the entry as a private key with two certificates: ${format}`, async t => {
    if (!requireReal(t, ['keytool'])) return
    // Java opens no container with an umlaut in its password, openssl's neither.
    const { file, passwordFile } = await containerFor(t, { format, key: 'ec-p256', password: plain })
    const listed = run(
      'keytool',
      '-J-Duser.language=en',
      '-list',
      '-v',
      '-storetype',
      'PKCS12',
      '-keystore',
      file,
      '-storepass:file',
      passwordFile,
    )
    t.match(listed, { status: 0, said: /Entry type: PrivateKeyEntry\nCertificate chain length: 2/ })
  })
}

t.test('an empty password is refused, and so is a key that belongs to another certificate', async t => {
  const authority = await makeAuthority(join(t.testdir(), 'ca'))
  const [alice, bob] = [
    await issueClient(authority, ledger, { name: 'alice' }),
    await issueClient(authority, ledger, { name: 'bob' }),
  ]
  const content = { keyPem: alice.keyPem, chainPem: alice.chainPem, friendlyName: 'alice', password: 'x' }
  for (const format of formats) {
    await t.rejects(encodePkcs12({ ...content, password: '', format }), {
      code: 'password-empty',
      message: /empty password/,
    })
  }
  await t.rejects(encodePkcs12({ ...content, keyPem: bob.keyPem }), { code: 'key-mismatch' })
  await t.rejects(encodePkcs12({ ...content, chainPem: '' }), { code: 'key-mismatch' })
})

t.test('two containers of the same key have nothing secret in common', async t => {
  const authority = await makeAuthority(join(t.testdir(), 'ca'))
  const { keyPem, chainPem } = await issueClient(authority, ledger, { name: 'alice' })
  for (const format of formats) {
    const make = () => encodePkcs12({ keyPem, chainPem, friendlyName: 'alice', password: plain, format })
    const [one, two] = [await make(), await make()]
    t.equal(one.length, two.length)
    t.notOk(two.includes(one.subarray(200, 232)), 'fresh salts: fresh ciphertext')
    t.notOk(one.includes(Buffer.from(chainPem.split('\n')[2] ?? '', 'base64')), 'the certificates are encrypted too')
  }
})

t.test('the sealed certificates are one piece, as DER wants it: embedded readers follow nothing else', async t => {
  const authority = await makeAuthority(join(t.testdir(), 'ca'))
  const { keyPem, chainPem } = await issueClient(authority, ledger, { name: 'alice', key: 'rsa-2048' })
  const container = await encodePkcs12({ keyPem, chainPem, friendlyName: 'alice', password: plain })
  const safe = AuthenticatedSafe.fromBER(PFX.fromBER(container).authSafe.content.getValue())
  const { encryptedContentInfo } = new EncryptedData({ schema: safe.safeContents[0]?.content })
  t.equal(encryptedContentInfo.encryptedContent?.idBlock.isConstructed, false)
})

t.test('the key derivation of RFC 7292 gives the values that others published', async t => {
  const terms = { digest: 'sha1', password: 'smeg', iterations: 1 } as const
  const hex = (bytes: Buffer) => bytes.toString('hex').toUpperCase()
  const salt = Buffer.from('0A58CF64530D823F', 'hex')
  t.equal(
    hex(deriveFromPassword({ ...terms, salt, purpose: 'key', length: 24 })),
    '8AAAE6297B6CB04642AB5B077851284EB7128F1A2A7FBCA3',
  )
  t.equal(hex(deriveFromPassword({ ...terms, salt, purpose: 'iv', length: 8 })), '79993DFE048D3B76')
})

t.test('containers that others wrote are read as well', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { dir, client } = await containerFor(t, { format: 'modern', key: 'ec-p256', password: plain })
  const [pem, key, file] = [join(dir, 'c.pem'), join(dir, 'c.key'), join(dir, 'other.p12')]
  writeFileSync(pem, client.chainPem)
  writeFileSync(key, client.keyPem)
  const ways = {
    'openssl as it is': [],
    'AES-128 with SHA-512': ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-128-CBC', '-macalg', 'sha512'],
    '3DES with SHA-1': ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
    'certificates in the clear': ['-certpbe', 'NONE'],
    'no MAC': ['-nomac', '-certpbe', 'AES-256-CBC'],
  }
  for (const [way, options] of Object.entries(ways)) {
    const made = run(
      'openssl',
      'pkcs12',
      '-export',
      '-in',
      pem,
      '-inkey',
      key,
      '-out',
      file,
      '-passout',
      `pass:${german}`,
      ...options,
    )
    t.match(made, { status: 0 })
    const found = await describeCertificates(readFileSync(file), german)
    t.ok(
      found.some(({ serial }) => serial === client.serial),
      way,
    )
    await t.rejects(describeCertificates(readFileSync(file), 'wrong'), { code: 'container-password' }, way)
  }
})

t.test('a wrong password is called one also where there is no MAC and the padding fits by chance', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { dir, client } = await containerFor(t, { format: 'modern', key: 'ec-p256', password: plain })
  const [pem, key, file] = [join(dir, 'c.pem'), join(dir, 'c.key'), join(dir, 'other.p12')]
  writeFileSync(pem, client.chainPem)
  writeFileSync(key, client.keyPem)
  const quick = ['-nomac', '-iter', '1', '-certpbe', 'AES-256-CBC']
  run('openssl', 'pkcs12', '-export', '-in', pem, '-inkey', key, '-out', file, '-passout', 'pass:x', ...quick)
  const container = readFileSync(file)
  const said = new Set<unknown>()
  // Some four of a thousand wrong passwords leave a padding that looks right.
  for (let guess = 0; guess < 1000; guess++) {
    await describeCertificates(container, `wrong ${guess}`).catch(refusal => said.add(refusal.code))
  }
  t.same([...said], ['container-password'])
})

t.test('a container with RC2 is refused with the command that converts it', async t => {
  if (!requireReal(t, ['openssl'])) return
  const { dir, client } = await containerFor(t, { format: 'modern', key: 'ec-p256', password: plain })
  const [pem, key, file] = [join(dir, 'c.pem'), join(dir, 'c.key'), join(dir, 'old.p12')]
  writeFileSync(pem, client.chainPem)
  writeFileSync(key, client.keyPem)
  const made = run(
    'openssl',
    'pkcs12',
    '-export',
    '-legacy',
    '-in',
    pem,
    '-inkey',
    key,
    '-out',
    file,
    '-passout',
    'pass:x',
  )
  t.match(made, { status: 0 })
  for (const password of ['x', 'wrong', undefined]) {
    await t.rejects(
      describeCertificates(readFileSync(file), password),
      { code: 'container-obsolete', message: /openssl pkcs12 -legacy/ },
      `password: ${password}: no password opens it here, so none is asked about first`,
    )
  }
})
