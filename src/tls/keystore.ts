/**
 * Our certificate and key: PEM pair, one PEM with both in either order, or PKCS#12.
 *
 * Everything is read and held against each other here, so that a listener never starts half open.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { Secret } from '../kernel/secret.ts'
import { readable } from './certificate-path.ts'
import { expiryNotice } from './expiry.ts'
import { inspectChain } from './own-chain.ts'
import type { Report } from './protocol-floor.ts'
import { namesOf } from './server-names.ts'

export interface Keystore {
  /** For node:tls; holds the key, so never print it. */
  readonly options: Pick<SecureContextOptions, 'cert' | 'key' | 'pfx' | 'passphrase'>
  readonly certificate: X509Certificate
  /** Sent behind it. Of PKCS#12 it is not known. */
  readonly chain: readonly X509Certificate[]
}

export interface KeystoreFiles {
  readonly certificate: string
  readonly key?: string | undefined
  readonly password?: Secret | undefined
}

/** The reason why a file cannot be read, for a person: path, owner and mode where that is the cause. */
export function unreadable(file: string, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'ENOENT') return `there is no file ${file}`
  if (code === 'EISDIR') return `${file} is a folder, not a file`
  if (code === 'EACCES') {
    let facts = ''
    try {
      const { uid, mode } = statSync(file)
      facts = ` (owner ${uid}, mode ${(mode & 0o777).toString(8).padStart(4, '0')})`
    } catch {
      // A folder above it is closed as well: the path alone must do.
    }
    return `this account may not read ${file}${facts}`
  }
  return `${file} cannot be read (${code === '' ? 'unknown reason' : code})`
}

const certificateBlocks =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g
const keyBlock = /-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----[\s\S]*?-----END \1-----/

/** The PEM certificates of a text, in order. */
export const pemCertificates = (text: string): string[] => text.match(certificateBlocks) ?? []

const convert =
  'openssl pkcs12 -legacy -in OLD.p12 -nodes -out all.pem && openssl pkcs12 -export -in all.pem -out NEW.p12'

/** What OpenSSL says of a pair that does not go together, for a person. @param tried  a password was given */
function pairProblem(cause: unknown, tried: boolean): { key: string; message: string } {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const text = cause instanceof Error ? cause.message : ''
  const certificate = (message: string) => ({ key: 'certificate', message })
  const password = (message: string) => ({ key: 'password', message })

  if (/KEY_VALUES_MISMATCH|KEY_TYPE_MISMATCH/.test(code)) {
    return { key: 'key', message: 'the key does not belong to this certificate' }
  }
  if (/mac verify failure/i.test(text)) {
    return password(
      tried ? 'the password does not open this PKCS#12 file' : 'this PKCS#12 file is encrypted; give its password',
    )
  }
  if (/Unsupported PKCS12/i.test(text)) {
    return certificate(`this PKCS#12 file uses RC2, which OpenSSL 3 no longer reads; convert it: ${convert}`)
  }
  if (/Unable to load (private key|certificate) from PFX/i.test(text)) {
    return certificate('this PKCS#12 file holds no certificate with its key')
  }
  if (/BAD_DECRYPT|BAD_PASSWORD|INTERRUPTED|MISSING_PASSPHRASE|bad decrypt|passphrase/i.test(`${code} ${text}`)) {
    return password(tried ? 'the password does not open the key' : 'the key is encrypted; give its password')
  }
  if (/KEY_TOO_SMALL/.test(code)) {
    return certificate('the key of this certificate is too small to be safe (RSA needs 2048 bits)')
  }
  if (/MD_TOO_WEAK/.test(code)) return certificate('this certificate is signed with a broken digest (MD5 or SHA-1)')
  return certificate(`OpenSSL does not accept this certificate and key (${code === '' ? text : code})`)
}

/** @returns undefined when something is wrong; `report` has said what, under the keys certificate, key or password */
export function readKeystore(files: KeystoreFiles, now: number, report: Report): Keystore | undefined {
  const read = (key: 'certificate' | 'key', file: string): Buffer | undefined => {
    try {
      return readFileSync(file)
    } catch (cause) {
      report(key, unreadable(file, cause))
      return undefined
    }
  }
  const bytes = read('certificate', files.certificate)
  const keyBytes = files.key === undefined ? undefined : read('key', files.key)
  if (bytes === undefined || (files.key !== undefined && keyBytes === undefined)) return undefined

  // Without a password, undefined and not '': OpenSSL would take an empty one for an answer.
  const passphrase = files.password?.isEmpty === false ? { passphrase: files.password.reveal() } : {}
  const options = optionsOf(files, bytes, keyBytes, passphrase, report)
  if (options === undefined) return undefined

  let certificate: X509Certificate
  try {
    const { context } = createSecureContext(options)
    certificate = new X509Certificate(leafOf(context, options.cert))
  } catch (cause) {
    const { key, message } = pairProblem(cause, 'passphrase' in passphrase)
    report(key, message)
    return undefined
  }

  const notice = expiryNotice(certificate, now)
  if (notice !== undefined)
    report('certificate', `this certificate ${notice.message}`, notice.within === 0 ? undefined : 'warning')
  if (certificate.validFromDate.getTime() > now)
    report('certificate', `this certificate is not valid before ${certificate.validFrom}`)
  if (readable(() => namesOf(certificate)) === undefined) {
    report('certificate', 'the names in this certificate are of a form that cannot be read here')
    return undefined
  }
  const [, ...behind] = pemCertificates(typeof options.cert === 'string' ? options.cert : '')
  const chain = behind.map(pem => new X509Certificate(pem))
  inspectChain(certificate, chain, now, report)
  warnIfOpen(files, keyBytes, report)
  return { options, certificate, chain }
}

function optionsOf(
  files: KeystoreFiles,
  bytes: Buffer,
  keyBytes: Buffer | undefined,
  passphrase: { passphrase?: string },
  report: Report,
): Keystore['options'] | undefined {
  const text = bytes.toString('latin1')
  if (!text.includes('-----BEGIN')) {
    if (isDer(bytes)) {
      report('certificate', `${files.certificate} is DER; make it PEM: openssl x509 -inform DER -in FILE -out FILE.pem`)
      return undefined
    }
    if (keyBytes !== undefined) {
      report('key', 'a PKCS#12 file holds its key; leave key out')
      return undefined
    }
    if (bytes[0] !== 0x30) {
      report('certificate', `${files.certificate} is neither PEM nor PKCS#12`)
      return undefined
    }
    return { pfx: bytes, ...passphrase }
  }
  const chain = pemCertificates(text)
  if (chain.length === 0) {
    report('certificate', `${files.certificate} holds no certificate`)
    return undefined
  }
  const key = keyBlock.exec(keyBytes?.toString('latin1') ?? text)?.[0]
  if (key === undefined) {
    report(
      'key',
      files.key === undefined
        ? `${files.certificate} holds no private key, and none is named`
        : `${files.key} holds no private key`,
    )
    return undefined
  }
  return { cert: `${chain.join('\n')}\n`, key, ...passphrase }
}

/**
 * The certificate that a context will show. For PKCS#12 only the context knows it; Node hands it out under this name to
 * its own OCSPRequest event.
 */
function leafOf(context: unknown, pem: SecureContextOptions['cert']): Buffer | string {
  if (typeof pem === 'string') return pem
  if (
    typeof context === 'object' &&
    context !== null &&
    'getCertificate' in context &&
    typeof context.getCertificate === 'function'
  ) {
    const der: unknown = context.getCertificate()
    if (Buffer.isBuffer(der)) return der
  }
  throw new Error('this PKCS#12 file holds no certificate')
}

/** A bare certificate, as Windows exports it. */
function isDer(bytes: Buffer): boolean {
  try {
    return bytes[0] === 0x30 && new X509Certificate(bytes).raw.length > 0
  } catch {
    return false // there is no other way to ask
  }
}

function warnIfOpen(files: KeystoreFiles, keyBytes: Buffer | undefined, report: Report): void {
  const holder = keyBytes === undefined ? files.certificate : (files.key ?? files.certificate)
  const mode = statSync(holder).mode & 0o777
  if ((mode & 0o077) !== 0) {
    const octal = mode.toString(8).padStart(4, '0')
    report(
      keyBytes === undefined ? 'certificate' : 'key',
      `${holder} holds a private key and others may read it (mode ${octal}); chmod 600`,
      'warning',
    )
  }
}
