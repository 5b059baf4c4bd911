/**
 * How we judge a server that we call: its authorities, its name, and the certificate that we show it.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type ConnectionOptions, checkServerIdentity } from 'node:tls'
import type { PeerTrustSection } from '../config/peer-trust.ts'
import type { Secret } from '../kernel/secret.ts'
import { pemCertificates, readKeystore, unreadable } from './keystore.ts'
import type { Report } from './protocol-floor.ts'

export type PeerTrust = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'checkServerIdentity' | 'minVersion'
>

export function readPeerTrust(
  section: PeerTrustSection,
  password: Secret | undefined,
  now: number,
  report: Report,
): PeerTrust | undefined {
  let failed = false
  const fail: Report = (key, message, severity) => {
    if (severity !== 'warning') failed = true
    report(key, message, severity)
  }
  const ca = section.ca === undefined ? undefined : readAuthorities(section.ca, fail)
  const own =
    section.certificate === undefined
      ? undefined
      : readKeystore({ certificate: section.certificate, key: section.key, password }, now, fail)
  if (failed) return undefined
  const { name } = section
  return {
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...own?.options,
    ...(name === undefined ? {} : { servername: name }),
    ...(section.checkName
      ? name === undefined
        ? {}
        : { checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate) }
      : { checkServerIdentity: () => undefined }),
  }
}

function readAuthorities(file: string, report: Report): string[] | undefined {
  let blocks: string[]
  try {
    blocks = pemCertificates(readFileSync(file, 'latin1'))
  } catch (cause) {
    report('ca', unreadable(file, cause))
    return undefined
  }
  if (blocks.length === 0) report('ca', `${file} holds no certificate (PEM)`)
  for (const [index, pem] of blocks.entries()) {
    try {
      new X509Certificate(pem) // node:tls passes over what it cannot read, and then trusts nobody
    } catch {
      report('ca', `certificate ${index + 1} of ${file} cannot be read`)
    }
  }
  return blocks
}
