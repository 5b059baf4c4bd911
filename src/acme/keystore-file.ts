/**
 * Where the certificate of an ACME keystore lies, and what lies there.
 *
 * Not to forget: nothing that is wrong with that file keeps the gateway from starting. It must run to get a better one.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AcmeKeystoreSection } from '../config/keystore.ts'
import { type Keystore, pemCertificates, readKeystore, unreadable } from '../tls/keystore.ts'
import type { Report } from '../tls/protocol-floor.ts'

export type Place = Pick<AcmeKeystoreSection, 'directory' | 'names'>

/** One folder for each directory: an account is known to one authority, and staging must not meet production. */
function folderOf(directory: URL, dir: string): string {
  const hash = createHash('sha256').update(directory.href).digest('hex').slice(0, 12)
  return join(dir, `${directory.host.replace(/[^a-z0-9.-]/g, '_')}-${hash}`)
}

/** @param dir  below the state, for all that concerns ACME */
export const accountFile = ({ directory }: Place, dir: string): string => join(folderOf(directory, dir), 'account.key')

/** @param dir  below the state, for all that concerns ACME */
export const certificateFile = ({ directory, names }: Place, dir: string): string =>
  // The first name is a name of the DNS (config/acme.ts): no slash, no dot in front.
  join(folderOf(directory, dir), names[0] ?? '_', 'certificate.pem')

/** Of an order that did not succeed, or is under way: a crash must not lead to one order after the other. */
export const lastTryFile = (section: Place, dir: string): string =>
  join(dirname(certificateFile(section, dir)), 'last-try.json')

export const acmeDir = (state: string): string => join(state, 'acme')

/** The certificate with its chain and its key, once it has come. @param state  folder of the configuration */
export const acmeKeystoreFile = (section: Place, state: string): string => certificateFile(section, acmeDir(state))

/** What lies in a file; undefined when nothing does, or nothing that can be used. An expired one is given all the same. */
export const readSilently = (certificate: string, now: number): Keystore | undefined =>
  existsSync(certificate) ? readKeystore({ certificate }, now, () => undefined) : undefined

/**
 * For whoever starts a listener: what it can show now.
 *
 * @param report  gets warnings only, under the key `acme`
 */
export function readSupplied(section: Place, state: string, now: number, report: Report): Keystore | 'none yet' {
  const file = acmeKeystoreFile(section, state)
  const authority = section.directory.host
  if (!existsSync(file)) {
    report('acme', `no certificate has come from ${authority} yet; the gateway asks for one when it runs`, 'warning')
    return 'none yet'
  }
  const said: string[] = []
  const keystore = readKeystore({ certificate: file }, now, (_key, message, severity) => {
    if (severity !== 'warning') said.push(message)
  })
  if (said.length > 0)
    report('acme', `${said.join('; ')} (${file}); the gateway asks ${authority} for a new one when it runs`, 'warning')
  return keystore ?? 'none yet'
}

/** The authorities that `ca` names. @returns undefined without `ca`, or when something is wrong: `report` has said what */
export function readDirectoryAuthorities(
  { ca }: Pick<AcmeKeystoreSection, 'ca'>,
  report: Report,
): readonly string[] | undefined {
  if (ca === undefined) return undefined
  try {
    const found = pemCertificates(readFileSync(ca, 'latin1'))
    if (found.length === 0) report('ca', `${ca} holds no certificate (PEM)`)
    return found
  } catch (cause) {
    report('ca', unreadable(ca, cause))
    return undefined
  }
}
