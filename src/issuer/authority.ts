/**
 * The private certificate authority: a directory with `ca.pem` and `ca.key`.
 *
 * It is made once and then only opened. It signs leaves and revocation lists, no further authorities (path length 0).
 * The one thing not to forget: who reads `ca.key` can be anybody. The directory is 0700, the key 0600, and encrypted
 * where a password is given; in memory it cannot be exported again.
 *
 * Source: RFC 5280 4.2.1.3, 4.2.1.9; OWASP password storage (PBKDF2 rounds).
 */
import { createPrivateKey, hash, type KeyObject, X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { encryptedKeyPem } from './encrypted-key.ts'
import { type CryptoKey, generateKeys, privateKeyDer, privateKeyPem, signingTerms } from './keys.ts'
import { checkCommonName } from './names.ts'
import { publicMode, secretMode, writeNewFile } from './new-file.ts'
import { certificatesInPem } from './pem.ts'
import { IssuerRefusal } from './refusal.ts'
import { authorityExtensions, parseCertificate, type Signer, sign, validityOf } from './sign.ts'

const tenYears = 3652

/** An authority that can sign. */
export interface Authority extends Required<Signer> {
  readonly dir: string
  readonly certificatePem: string
  /** SHA-256 of its certificate, upper case hexadecimal without colons: its name in the ledger. */
  readonly fingerprint: string
}

/** Where its files lie. */
export const authorityFiles = (dir: string) => ({ certificate: join(dir, 'ca.pem'), key: join(dir, 'ca.key') })

export interface AuthorityWishes {
  /** What people see in their browser. Absent: `sallyport authority HOST`. */
  readonly name?: string
  readonly curve?: 'ec-p256' | 'ec-p384'
  /** Absent: 3652, ten years. */
  readonly days?: number
  /** Encrypts the key file. Absent: the key lies open under mode 0600, so that a service can start alone. */
  readonly password?: string
  readonly now?: Date
}

/** Refuses with `file-exists` where `dir` holds an authority, or a part of one, already; that is then untouched. */
export async function makeAuthority(dir: string, wishes: AuthorityWishes = {}): Promise<Authority> {
  const { name = `sallyport authority ${hostname()}`.slice(0, 64), curve = 'ec-p256', days = tenYears } = wishes
  const { password, now = new Date() } = wishes
  const commonName = checkCommonName(name)
  if (password === '') throw new IssuerRefusal('password-empty', 'an empty password does not protect the authority key')

  const files = authorityFiles(dir)
  for (const file of [files.key, files.certificate]) {
    if (existsSync(file)) throw new IssuerRefusal('file-exists', `${file} exists: this authority is made already`)
  }
  makePrivateDirectory(dir)

  const { publicKey, privateKey } = await generateKeys(curve)
  const draft = { commonName, publicKey, extensions: authorityExtensions(), ...validityOf(now, days) }
  const certificate = await sign(draft, { key: privateKey })
  const certificatePem = `${certificate.toString('pem')}\n`

  const der = privateKeyDer(privateKey)
  const keyPem = password === undefined ? privateKeyPem(privateKey) : await encryptedKeyPem(der, password)
  writeNewFile(files.key, keyPem, secretMode)
  writeNewFile(files.certificate, certificatePem, publicMode)
  return {
    dir,
    certificate,
    certificatePem,
    fingerprint: fingerprintOf(Buffer.from(certificate.rawData)),
    key: signingKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })),
  }
}

/**
 * Opens what `makeAuthority` made, or a CA of the site's own put there under the same names.
 *
 * Codes: `authority-missing`, `authority-password`, `authority-unreadable`, and `authority-expired` past its end.
 */
export function openAuthority(
  dir: string,
  { password, now = new Date() }: Pick<AuthorityWishes, 'password' | 'now'> = {},
): Authority {
  const files = authorityFiles(dir)
  const { certificatePem, der } = readCertificate(dir)
  const opened = openKey(files.key, read(files.key), password)
  const facts = new X509Certificate(der)
  if (!facts.checkPrivateKey(opened)) throw unreadable(files.key, `is not the key of ${files.certificate}`)
  if (!facts.ca) throw unreadable(files.certificate, 'is not the certificate of an authority (CA:TRUE is missing)')
  if (facts.validToDate <= now) {
    throw new IssuerRefusal('authority-expired', `${files.certificate} ended on ${facts.validToDate.toISOString()}`)
  }
  const certificate = parseCertificate(der)
  return { dir, certificate, certificatePem, fingerprint: fingerprintOf(der), key: signingKey(opened) }
}

/** The name of an authority in the ledger, for which its key is not needed. Codes as `openAuthority`. */
export const authorityFingerprint = (dir: string): string => fingerprintOf(readCertificate(dir).der)

function readCertificate(dir: string): { certificatePem: string; der: Buffer } {
  const file = authorityFiles(dir).certificate
  const certificatePem = read(file)
  const [der] = certificatesInPem(certificatePem)
  if (der === undefined) throw unreadable(file, 'holds no certificate')
  return { certificatePem, der }
}

const fingerprintOf = (der: Uint8Array) => hash('sha256', der, 'hex').toUpperCase()

function makePrivateDirectory(dir: string): void {
  const made = mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined
  if (made || readdirSync(dir).length === 0) {
    chmodSync(dir, 0o700)
    return
  }
  // A full directory may be `/etc/ssl` by a slip of the keyboard: closing that to everyone would stop the machine.
  if ((statSync(dir).mode & 0o077) !== 0) {
    throw new IssuerRefusal(
      'directory-shared',
      `${dir} holds other files and is open to others: give the authority a directory of its own`,
    )
  }
}

function read(file: string): string {
  if (!existsSync(file))
    throw new IssuerRefusal('authority-missing', `${file} does not exist: make the authority first`)
  return readFileSync(file, 'utf8')
}

function openKey(file: string, pem: string, password: string | undefined): KeyObject {
  const locked = pem.includes('ENCRYPTED')
  if (locked && password === undefined)
    throw new IssuerRefusal('authority-password', `${file} is encrypted: its password is needed`)
  try {
    return createPrivateKey(password === undefined ? pem : { key: pem, passphrase: password })
  } catch (cause) {
    if (locked) throw new IssuerRefusal('authority-password', `the password does not open ${file}`, { cause })
    throw unreadable(file, 'holds no private key', cause)
  }
}

/** Not extractable: from here on the key can sign and nothing else. */
function signingKey(key: KeyObject): CryptoKey {
  const terms = signingTerms(key)
  if (terms !== undefined) return key.toCryptoKey(terms, false, ['sign'])
  throw new IssuerRefusal(
    'authority-unreadable',
    `the authority key is of a kind that cannot sign here: ${key.asymmetricKeyType}`,
  )
}

const unreadable = (file: string, why: string, cause?: unknown) =>
  new IssuerRefusal('authority-unreadable', `${file} ${why}`, { cause })
