/**
 * The certificate and key that a container is given: read, and complained of in words that help.
 */
import { accessSync, constants, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Keystore, readKeystore } from '../tls/keystore.ts'
import type { CertificateFiles, Problem } from './ohif-settings.ts'

export interface ReadCertificate {
  /** Undefined when there are problems. */
  readonly keystore: Keystore | undefined
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

export function readCertificate(files: CertificateFiles, now: number): ReadCertificate {
  const problems: Problem[] = []
  const warnings: string[] = []
  const keystore = readKeystore(files, now, (key, text, severity) => {
    if (severity === 'warning') return void warnings.push(text)
    const cure = cureFor(key === 'certificate' ? files.certificate : files.key, key)
    problems.push({ text, ...(cure === undefined ? {} : { cure }) })
  })
  if (keystore !== undefined && keystore.certificate.subjectAltName === undefined)
    warnings.push(
      `${files.certificate} has its name in CN only (${keystore.certificate.subject.replaceAll('\n', ', ')}), which browsers do not look at; sallyport certs server --ip ADDRESS --self-signed makes one with the address where they look`,
    )
  return { keystore: problems.length === 0 ? keystore : undefined, problems, warnings }
}

function cureFor(file: string, key: string): string | undefined {
  const facts = lookUp(() => statSync(file))
  if (facts === 'absent') return 'mount it there, or name the files with SSL_CERTIFICATE and SSL_CERTIFICATE_KEY'
  if (facts === 'closed') return closedFolder(file)
  if (facts.isDirectory()) return 'Docker makes an empty folder of a mounted file that is not there on the host'
  const uid = process.geteuid?.() ?? 0
  if (lookUp(() => accessSync(file, constants.R_OK)) === 'closed')
    return `give it to the account that this runs as: chown ${uid} ${file} && chmod 400 ${file}`
  return key === 'password'
    ? `take the password off (openssl pkey -in ${file} -out NEW), or use a configuration with keystore: { password: … }`
    : undefined
}

/** A file that cannot even be looked at lies in a folder that is closed to us: that one is named. */
function closedFolder(file: string): string {
  for (let at = dirname(file); at !== dirname(at); at = dirname(at)) {
    const facts = lookUp(() => statSync(at))
    if (typeof facts === 'string') continue
    const mode = (facts.mode & 0o777).toString(8).padStart(4, '0')
    return `the folder ${at} is closed to this account (owner ${facts.uid}, mode ${mode}; this is uid ${process.geteuid?.()})`
  }
  return 'a folder above it is closed to this account'
}

function lookUp<T>(ask: () => T): T | 'absent' | 'closed' {
  try {
    return ask()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent'
    if (code === 'EACCES' || code === 'EPERM') return 'closed'
    throw cause
  }
}
