/**
 * Protocol versions and ciphers of Orthanc, for its web server and for DICOM, as terms of a listener or stream.
 *
 * Nothing below TLS 1.2 and nothing without a certificate comes into a draft: where Orthanc has it, that is told with the
 * reason. Source: Orthanc SslMinimumProtocolVersion and DicomTlsMinimumProtocolVersion (0 to 5), RFC 8996, RFC 9325.
 */
import { readProtocol } from '../config/protocol.ts'
import { isOfTls13, lacksForwardSecrecy, openSslCipher } from './cipher-names.ts'
import type { Tell } from './decision.ts'
import { quoted } from './decision.ts'
import { type DraftValue, remarked } from './draft.ts'
import type { Section } from './orthanc-section.ts'

export interface TermKeys {
  readonly minimum: string
  readonly ciphers: string
}

export const webTerms: TermKeys = { minimum: 'SslMinimumProtocolVersion', ciphers: 'SslCiphersAccepted' }
export const dicomTerms: TermKeys = { minimum: 'DicomTlsMinimumProtocolVersion', ciphers: 'DicomTlsCiphersAccepted' }

/** What Orthanc's numbers let in besides TLS 1.2 and 1.3; the first two cannot be had at all. */
const below = ['SSL 2 and SSL 3', 'SSL 3', 'TLS 1.0 and 1.1', 'TLS 1.1'] as const

/** @returns undefined: the floor has its own */
export function minimumOf(settings: Section, key: string, tell: Tell): DraftValue | undefined {
  const number = settings.whole(key)
  if (number === undefined) return undefined
  const version = readProtocol(number)
  if (typeof version === 'string' && version >= 'TLSv1.2') return remarked(version, `${key} ${number}`)
  const old = below[number]
  if (old === undefined) tell('problem', settings.place(key), `${number} is no version; Orthanc knows 0 to 5`)
  else if (number < 2) {
    tell(
      'decide',
      settings.place(key),
      `lets ${old} in (${number}), which are broken and refused here (RFC 7568); the draft begins at TLS 1.2. A client that cannot do that needs another one`,
    )
  } else {
    tell(
      'decide',
      settings.place(key),
      `lets ${old} in (${number}), which RFC 8996 forbids; the draft begins at TLS 1.2. For a device that cannot do that: floor: mozilla-old, on a listener of its own`,
    )
  }
  return undefined
}

/** The ciphers of TLS 1.2 that are written, as OpenSSL names them. @param onlyTls13  where 1.2 is not spoken at all */
export function ciphersOf(settings: Section, key: string, onlyTls13: boolean, tell: Tell): DraftValue | undefined {
  const written = settings.texts(key)
  if (written === undefined || written.length === 0) return undefined
  const place = settings.place(key)
  if (onlyTls13) {
    tell('note', place, 'are those of TLS 1.2, which is not spoken here; the suites of TLS 1.3 belong to the floor')
    return undefined
  }
  const ciphers = new Set<string>()
  for (const name of written) {
    const cipher = openSslCipher(name)
    if (cipher === undefined)
      tell('decide', place, `${quoted(name)} proves or hides nothing and cannot be switched on here; it is left out`)
    else if (isOfTls13(cipher)) tell('note', place, `${quoted(name)} is of TLS 1.3, whose suites belong to the floor`)
    else ciphers.add(cipher)
  }
  const weak = [...ciphers].filter(lacksForwardSecrecy)
  if (weak.length > 0) {
    const names = weak.map(quoted).join(', ')
    tell(
      'decide',
      place,
      `${names}: whoever gets the server's key later can read what was recorded; take them out when no client needs them`,
    )
  }
  if (ciphers.size === 0) {
    tell('decide', place, 'nothing of it is left; the draft takes the ciphers of its floor')
    return undefined
  }
  return remarked([...ciphers], key)
}
