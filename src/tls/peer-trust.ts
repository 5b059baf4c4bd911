/**
 * How we judge a server that we call: its authorities, its name, and the certificate that we show it.
 */
import { readFileSync } from 'node:fs'
import { checkServerIdentity, type ConnectionOptions, createSecureContext } from 'node:tls'
import type { PeerTrustSection } from '../config/tls.ts'
import type { Secret } from '../kernel/secret.ts'
import { pemCertificates, readKeystore, unreadable } from './keystore.ts'
import type { Report } from './protocol-floor.ts'

export type PeerTrust = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'checkServerIdentity' | 'minVersion'>

export function readPeerTrust(section: PeerTrustSection, password: Secret | undefined, now: number, report: Report): PeerTrust | undefined {
  let failed = false
  const fail: Report = (key, message, severity) => {
    if (severity !== 'warning') failed = true
    report(key, message, severity)
  }
  const ca = section.ca === undefined ? undefined : readAuthorities(section.ca, fail)
  const own =
    section.certificate === undefined ? undefined : readKeystore({ certificate: section.certificate, key: section.key, password }, now, fail)
  if (failed) return undefined
  const { name } = section
  return {
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...own?.options,
    ...(name === undefined ? {} : { servername: name }),
    ...(section.checkName ? (name === undefined ? {} : { checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate) }) : { checkServerIdentity: () => undefined }),
  }
}

function readAuthorities(file: string, report: Report): string[] | undefined {
  try {
    const blocks = pemCertificates(readFileSync(file, 'latin1'))
    if (blocks.length === 0) report('ca', `${file} holds no certificate (PEM)`)
    else createSecureContext({ ca: blocks })
    return blocks
  } catch (cause) {
    const isRead = cause instanceof Error && 'syscall' in cause
    report('ca', isRead ? unreadable(file, cause) : `${file} holds a certificate that cannot be read`)
    return undefined
  }
}
