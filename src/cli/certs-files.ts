/**
 * The three files of a certificate: NAME.pem (with its chain), NAME.key and NAME.p12 (both, under a password).
 *
 * Nothing is overwritten without being told: that is asked before anything is issued, and once more by the system when
 * the files are made.
 */
import { lstatSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { publicMode, secretMode, writeNewFile } from '../issuer/new-file.ts'
import { encodePkcs12, type Pkcs12Format } from '../issuer/pkcs12.ts'
import { randomPassword } from '../issuer/random-password.ts'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { readPasswordFile } from './password-input.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
  readonly pkcs12: string
}

/** @throws CommandEnd 1 where one of them is there and `force` is not given */
export function placeFor(folder: string, stem: string, force: boolean): CertificateFiles {
  const at = (ending: string) => join(resolve(folder), `${stem}.${ending}`)
  const files = { certificate: at('pem'), key: at('key'), pkcs12: at('p12') }
  const there = Object.values(files).filter(file => lstatSync(file, { throwIfNoEntry: false }) !== undefined)
  if (there.length > 0 && !force) {
    const all = there.map(shownPath).join(', ')
    throw new CommandEnd(
      1,
      `${all} ${there.length === 1 ? 'exists' : 'exist'}; nothing was issued`,
      '--dir DIR puts the files elsewhere, --force replaces them: the old key is then gone for good',
    )
  }
  return files
}

export interface ContainerTerms {
  readonly format: Pkcs12Format
  readonly password: string
  /** True: made here, so that it has to be shown once. */
  readonly made: boolean
}

/** How the PKCS#12 file is locked; asked before anything is issued. */
export function containerTerms(format: Pkcs12Format, passwordFile: string | undefined, report: Report): ContainerTerms {
  if (format === 'compat') {
    report.warn(
      'compat locks the PKCS#12 file with 3DES and SHA-1, which are weak: its password alone protects the key. Take it only for what cannot read modern (old devices, macOS Keychain, Windows Server 2016)',
    )
  }
  if (passwordFile === undefined) return { format, password: randomPassword(), made: true }
  const password = readPasswordFile(passwordFile, report)
  if ([...password].length < 12)
    report.warn('the password is short: whoever gets hold of the PKCS#12 file can try passwords without end')
  return { format, password, made: false }
}

export interface Content {
  readonly keyPem: string
  readonly chainPem: string
  readonly friendlyName: string
}

export async function writeCertificate(
  files: CertificateFiles,
  content: Content,
  terms: ContainerTerms,
  force: boolean,
): Promise<void> {
  const { keyPem, chainPem, friendlyName } = content
  const container = await encodePkcs12({
    keyPem,
    chainPem,
    friendlyName,
    password: terms.password,
    format: terms.format,
  })
  mkdirSync(dirname(files.key), { recursive: true, mode: 0o700 })
  const write = force ? writeFileAtomically : writeNewFile
  const written: string[] = []
  try {
    for (const [file, text, mode] of [
      [files.key, keyPem, secretMode],
      [files.certificate, chainPem, publicMode],
      [files.pkcs12, container, secretMode],
    ] as const) {
      write(file, text, mode)
      written.push(file)
    }
  } catch (cause) {
    // A key without its certificate is of no use, and would stand in the way of the next try.
    if (!force) for (const file of written) rmSync(file, { force: true })
    throw cause
  }
}
