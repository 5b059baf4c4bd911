/**
 * Writes the files of one ACME keystore: the key of the account, and the certificate with its key.
 *
 * Certificate, chain and key are one file, so that no crash can leave a key beside a certificate that it does not fit.
 * What an authority sends is written to a draft, read back as the listener will read it and looked at, and only then
 * takes the place of the old one. In front of it stands which names were asked for: an authority may certify more.
 * All files have mode 0600.
 *
 * Source: RFC 7468 2 and 5.2 (text in front of a certificate).
 */
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { AcmeKeystoreSection } from '../config/keystore.ts'
import { generateKeys, privateKeyPem } from '../issuer/keys.ts'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { type Keystore, pemCertificates } from '../tls/keystore.ts'
import { AcmeFailure } from './failure.ts'
import { accountFile, certificateFile, lastTryFile, readSilently } from './keystore-file.ts'

/** How the last order did not succeed. */
const LastTry = z.object({
  at: z.number().nonnegative(),
  failures: z.int().positive(),
  /** Milliseconds to the next try. */
  wait: z.number().nonnegative(),
})
export type LastTry = z.output<typeof LastTry>

export interface CertificateStore {
  readonly file: string
  /** The key of the account: read, or made and written. */
  accountKey(): Promise<KeyObject>
  read(now: number): Keystore | undefined
  /** Takes the place of the old one, or throws an AcmeFailure and leaves it. */
  put(chain: string, keyPem: string, now: number): Keystore
  /** Asked for with the names that are configured now, and good for each of them. */
  isWanted(keystore: Keystore): boolean
  /** Undefined, too, when something was changed in the configuration since. */
  lastTry(): LastTry | undefined
  /** Undefined: no failure to speak of. */
  noteTry(last: LastTry | undefined): void
}

const askedFor = 'Asked for: '
/** How far two clocks may be apart. */
const clockDifference = 5 * 60_000

/** @param dir  below the state, for all that concerns ACME */
export function openCertificateStore(section: AcmeKeystoreSection, dir: string): CertificateStore {
  const file = certificateFile(section, dir)
  const account = accountFile(section, dir)
  const draft = `${file}.new`
  const note = lastTryFile(section, dir)
  const terms = createHash('sha256').update(JSON.stringify(section)).digest('hex').slice(0, 12)
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
      const text = `${askedFor}${section.names.join(' ')}\n${certificates.join('\n')}\n${keyPem}`
      try {
        writeFileAtomically(draft, text, 0o600)
        const keystore = readSilently(draft, now)
        const old = readSilently(file, now)
        const wrong = keystore === undefined ? 'does not fit its key' : whatIsWrong(keystore, section.names, now, old)
        if (keystore === undefined || wrong !== undefined)
          throw new AcmeFailure('refused', `the certificate that came is not taken: it ${wrong}`)
        renameSync(draft, file)
        return keystore
      } finally {
        rmSync(draft, { force: true }) // it holds a key
      }
    },
    isWanted(keystore) {
      const asked = namesAskedFor(file) ?? namesIn(keystore)
      const same = asked.size === section.names.length && section.names.every(name => asked.has(name))
      return same && missingNames(keystore, section.names).length === 0
    },
    lastTry() {
      try {
        const read = LastTry.extend({ terms: z.literal(terms) }).safeParse(JSON.parse(readFileSync(note, 'utf8')))
        return read.data
      } catch {
        return undefined // not there, or rubbish: then there is nothing to wait for
      }
    },
    noteTry(last) {
      try {
        if (last === undefined) return rmSync(note, { force: true })
        mkdirSync(dirname(note), { recursive: true, mode: 0o700 })
        writeFileAtomically(note, `${JSON.stringify({ ...last, terms })}\n`, 0o600)
      } catch {
        // A disk that is full is told by the order itself, and must not end the tries.
      }
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

/** @param old  in use so far */
function whatIsWrong(
  keystore: Keystore,
  names: readonly string[],
  now: number,
  old: Keystore | undefined,
): string | undefined {
  const { certificate } = keystore
  if (certificate.validToDate.getTime() <= now) return `ended on ${certificate.validTo}, or this clock is wrong`
  // Where there is nothing good to lose it is taken: most likely it is this clock that is wrong.
  if (
    !hasBegun(keystore, now) &&
    old !== undefined &&
    hasBegun(old, now) &&
    old.certificate.validToDate.getTime() > now
  )
    return `is not valid before ${certificate.validFrom}, or this clock is wrong`
  const missing = missingNames(keystore, names)
  return missing.length === 0 ? undefined : `is not for ${missing.join(', ')}`
}

const hasBegun = ({ certificate }: Keystore, now: number): boolean =>
  certificate.validFromDate.getTime() <= now + clockDifference

const missingNames = ({ certificate }: Keystore, names: readonly string[]): string[] =>
  names.filter(name => certificate.checkHost(name, { subject: 'never' }) === undefined)

/** Undefined: the file does not say. */
function namesAskedFor(file: string): ReadonlySet<string> | undefined {
  const [line = ''] = readFileSync(file, 'latin1').split('\n', 1)
  return line.startsWith(askedFor) ? new Set(line.slice(askedFor.length).split(' ')) : undefined
}

/** The names of the DNS in a certificate, lower case. */
const namesIn = ({ certificate }: Keystore): ReadonlySet<string> =>
  new Set(
    (certificate.subjectAltName ?? '')
      .split(', ')
      .filter(name => name.startsWith('DNS:'))
      .map(name => name.slice(4).toLowerCase()),
  )
