/**
 * Our certificate and key, in every shape that operators have them, and what is said when they do not fit.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Secret } from '../../src/kernel/secret.ts'
import { type KeystoreFiles, readKeystore } from '../../src/tls/keystore.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { listening } from './said.ts'

const day = 86_400_000

function read(files: KeystoreFiles, now = Date.now()) {
  const { report, said } = listening()
  return { keystore: readKeystore(files, now, report), said }
}

t.test('a keystore', async t => {
  const authority = await startAuthority(t)
  const pair = await authority.server(['pacs.example.org'])
  const other = await authority.server(['other.example.org'])
  const client = await authority.client('gateway', { p12Password: 'open sesame' })
  const dir = t.testdir()
  const put = (name: string, text: string | Buffer, mode = 0o600) => {
    const file = join(dir, name)
    writeFileSync(file, text)
    chmodSync(file, mode)
    return file
  }
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
  const password = new Secret('open sesame')

  await t.test('is a pair of PEM files, one PEM with both in either order, or PKCS#12', async t => {
    const good: Record<string, KeystoreFiles> = {
      pair: { certificate: pair.certFile, key: pair.keyFile },
      'certificate first': { certificate: put('cert-first.pem', pair.chainPem + pair.keyPem) },
      'key first': { certificate: put('key-first.pem', pair.keyPem + pair.chainPem) },
      'with words around': {
        certificate: put('words.pem', `Bag Attributes\r\n${pair.keyPem}\nsubject=x\n${pair.chainPem}`),
      },
    }
    for (const [title, files] of Object.entries(good)) {
      const { keystore, said } = read(files)
      t.same(said, [], title)
      t.match(keystore?.certificate.subject, /CN=pacs\.example\.org/, title)
    }
    const { keystore, said } = read({ certificate: client.p12File, password })
    t.same(said, [])
    t.match(keystore?.certificate.subject, /CN=gateway/, 'the leaf of the container, not its authority')
  })

  await t.test('says what is wrong under the key where it is wrong', async t => {
    if (!requireReal(t, ['openssl'])) return
    openssl('pkey', '-in', pair.keyFile, '-aes256', '-passout', 'pass:open sesame', '-out', 'locked.key')
    openssl('pkcs12', '-export', '-in', pair.certFile, '-nokeys', '-passout', 'pass:open sesame', '-out', 'keyless.p12')
    openssl('x509', '-in', pair.certFile, '-outform', 'DER', '-out', 'server.der')
    for (const name of ['locked.key', 'keyless.p12', 'server.der']) chmodSync(join(dir, name), 0o600)
    const locked = join(dir, 'locked.key')
    const { certFile: certificate, keyFile: key } = pair

    const bad: Record<string, readonly [KeystoreFiles, RegExp]> = {
      'no certificate file': [
        { certificate: join(dir, 'none.pem'), key },
        /^certificate: there is no file .*none\.pem$/,
      ],
      'no key file': [{ certificate, key: join(dir, 'none.key') }, /^key: there is no file .*none\.key$/],
      'a folder': [{ certificate: dir, key }, /^certificate: .* is a folder, not a file$/],
      'a key of another certificate': [
        { certificate, key: other.keyFile },
        /^key: the key does not belong to this certificate$/,
      ],
      'no key in the file': [{ certificate }, /^key: .* holds no private key, and none is named$/],
      'a certificate where the key should be': [{ certificate, key: certificate }, /^key: .* holds no private key$/],
      'a key where the certificate should be': [{ certificate: key, key }, /^certificate: .* holds no certificate$/],
      'an encrypted key without password': [
        { certificate, key: locked },
        /^password: the key is encrypted; give its password$/,
      ],
      'an encrypted key with an empty password': [
        { certificate, key: locked, password: new Secret('') },
        /^password: the key is enc/,
      ],
      'an encrypted key with a wrong one': [
        { certificate, key: locked, password: new Secret('x') },
        /^password: the password does not open the key$/,
      ],
      'PKCS#12 without password': [
        { certificate: client.p12File },
        /^password: this PKCS#12 file is encrypted; give its password$/,
      ],
      'PKCS#12 with a wrong one': [
        { certificate: client.p12File, password: new Secret('x') },
        /^password: the password does not open/,
      ],
      'PKCS#12 and a key': [
        { certificate: client.p12File, key, password },
        /^key: a PKCS#12 file holds its key; leave key out$/,
      ],
      'PKCS#12 without key': [
        { certificate: join(dir, 'keyless.p12'), password },
        /^certificate: this PKCS#12 file holds no certificate with its key$/,
      ],
      'a certificate in DER': [{ certificate: join(dir, 'server.der'), key }, /^certificate: .*DER.*openssl x509/],
      'neither PEM nor PKCS#12': [
        { certificate: put('text', 'hello'), key: undefined },
        /^certificate: .* is neither PEM nor PKCS#12$/,
      ],
      'a broken certificate': [
        { certificate: put('broken.pem', pair.chainPem.replace(/M/g, 'A')), key },
        /^certificate: /,
      ],
    }
    for (const [title, [files, expected]] of Object.entries(bad)) {
      const { keystore, said } = read(files)
      t.equal(keystore, undefined, title)
      t.match(said, [expected], title)
      t.equal(said.length, 1, title)
      t.notMatch(said.join(), /open sesame/)
    }
    t.same(read({ certificate, key: locked, password }).said, [], 'the right password opens it')
  })

  await t.test('as PKCS#12 from an old tool (RC2) is refused with the command that converts it', async t => {
    if (!requireReal(t, ['openssl'])) return
    const legacy = [
      '-legacy',
      '-descert',
      '-certpbe',
      'PBE-SHA1-RC2-40',
      '-passout',
      'pass:open sesame',
      '-out',
      'rc2.p12',
    ]
    openssl('pkcs12', '-export', '-in', pair.certFile, '-inkey', pair.keyFile, ...legacy)
    chmodSync(join(dir, 'rc2.p12'), 0o600)
    const { keystore, said } = read({ certificate: join(dir, 'rc2.p12'), password })
    t.equal(keystore, undefined)
    t.match(said, [/^certificate: this PKCS#12 file uses RC2.*openssl pkcs12 -legacy/])
  })

  await t.test('that others may read is warned of, wherever the key lies', async t => {
    const open = put('open.key', pair.keyPem, 0o640)
    t.match(read({ certificate: pair.certFile, key: open }).said, [
      /^warning: key: .*open\.key holds a private key.*mode 0640.*chmod 600$/,
    ])
    const both = put('both.pem', pair.chainPem + pair.keyPem, 0o644)
    t.match(read({ certificate: both }).said, [/^warning: certificate: .*both\.pem.*mode 0644/])
    t.ok(read({ certificate: both }).keystore, 'and still used')
  })

  await t.test('is warned of before it ends, and refused outside its dates', async t => {
    const brief = await authority.server(['brief.example.org'], [], { days: 40 })
    const files = { certificate: brief.certFile, key: brief.keyFile }
    t.same(read(files).said, [])
    t.match(read(files, Date.now() + 20 * day).said, [/^warning: certificate: .*expires on .*, in (19|20) days$/])
    t.match(read(files, Date.now() + 41 * day).said, [/^certificate: this certificate expired on/])
    t.match(read(files, Date.now() - day).said, [/^certificate: this certificate is not valid before/])
  })

  await t.test('never prints its password', async t => {
    t.notMatch(JSON.stringify({ password }) + String(password), /open sesame/)
    t.equal(readFileSync(pair.keyFile, 'utf8').includes('PRIVATE KEY'), true)
  })
})
