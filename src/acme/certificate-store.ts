/**
 * Writes the files of one ACME keystore: the key of the account, and the certificate with its key.
 *
 * Certificate, chain and key are one file, so that no crash can leave a key beside a certificate that it does not fit.
 * What an authority sends is written to a draft, read back as the listener will read it and looked at, and only then
 * takes the place of the old one. All files have mode 0600.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { generateKeys, privateKeyPem } from '../issuer/keys.ts'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { type Keystore, pemCertificates } from '../tls/keystore.ts'
import { AcmeFailure } from './failure.ts'
import { accountFile, certificateFile, type Place, readSilently } from './keystore-file.ts'

export interface CertificateStore {
  readonly file: string
  /** The key of the account: read, or made and written. */
  accountKey(): Promise<KeyObject>
  read(now: number): Keystore | undefined
  /** Takes the place of the old one, or throws an AcmeFailure and leaves it. */
  put(chain: string, keyPem: string, now: number): Keystore
}

/** @param dir  below the state, for all that concerns ACME */
export function openCertificateStore(section: Place, dir: string): CertificateStore {
  const file = certificateFile(section, dir)
  const account = accountFile(section, dir)
  const draft = `${file}.new`
  return {
    file,
    async accountKey() {
      if (!existsSync(account)) {
        const pem = privateKeyPem((await generateKeys('ec-p256')).privateKey)
        mkdirSync(dirname(account), { recursive: true, mode: 0o700 })
        // Another keystore of this authority may have been quicker.
        if (!existsSync(account)) writeFileAtomically(account, pem, 0o600)
      }
      return readAccountKey(account)
    },
    read: now => readSilently(file, now),
    put(chain, keyPem, now) {
      const certificates = pemCertificates(chain)
      if (certificates.length === 0) throw new AcmeFailure('refused', 'the authority sent no certificate')
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      // Only what is a certificate: an answer may hold more, and a second key would be taken for ours.
      writeFileAtomically(draft, `${certificates.join('\n')}\n${keyPem}`, 0o600)
      const keystore = readSilently(draft, now)
      const wrong = keystore === undefined ? 'does not fit its key' : whatIsWrong(keystore, section.names, now)
      if (keystore === undefined || wrong !== undefined)
        throw new AcmeFailure('refused', `the certificate that came is not taken: it ${wrong}`)
      renameSync(draft, file)
      return keystore
    },
  }
}

function readAccountKey(file: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(file))
  } catch (cause) {
    throw new AcmeFailure('refused', `the key of the account in ${file} cannot be read`, { cause })
  }
  if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  throw new AcmeFailure('refused', `the key of the account in ${file} is not of the curve P-256`)
}

function whatIsWrong({ certificate }: Keystore, names: readonly string[], now: number): string | undefined {
  if (certificate.validToDate.getTime() <= now) return `ended on ${certificate.validTo}, or this clock is wrong`
  const missing = names.filter(name => certificate.checkHost(name, { subject: 'never' }) === undefined)
  return missing.length === 0 ? undefined : `is not for ${missing.join(', ')}`
}

/** The names of the DNS in a certificate, lower case. */
export const namesIn = ({ certificate }: Keystore): ReadonlySet<string> =>
  new Set(
    (certificate.subjectAltName ?? '')
      .split(', ')
      .filter(name => name.startsWith('DNS:'))
      .map(name => name.slice(4).toLowerCase()),
  )
