/**
 * Holds the certificate of a server against the fingerprints that it may have.
 *
 * Only the server's own certificate counts, never one above it. Where none fits, both sides are written in the form
 * that the operator used, so that they can be compared by eye. Source: RFC 7469 2.4 (digest of the public key).
 */
import { createHash, type X509Certificate } from 'node:crypto'
import type { Pin, PinKind } from '../config/pins.ts'

/** @returns why the certificate fits none of the pins; undefined when it fits one */
export function pinMismatch(pins: readonly Pin[], certificate: X509Certificate): string | undefined {
  const digests = digestsOf(certificate)
  if (pins.some(({ kind, digest }) => digest === digests[kind])) return undefined
  const expected = pins.map(({ label, written }) => `${label}${written}`)
  const actual = new Map(pins.map(pin => [`${pin.kind} ${pin.form}`, inFormOf(pin, digests[pin.kind])] as const))
  return `fingerprint mismatch: expected ${expected.join(' or ')}, actual ${[...actual.values()].join(' and ')}`
}

const digestsOf = (certificate: X509Certificate): Record<PinKind, string> => ({
  sha1: certificate.fingerprint.replaceAll(':', '').toLowerCase(),
  sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  'spki-sha256': createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex'),
})

/** Colons, blanks and case where the operator has them. */
function inFormOf({ label, written, form }: Pin, digest: string): string {
  if (form === 'base64') {
    const text = Buffer.from(digest, 'hex').toString('base64')
    return `${label}${written.endsWith('=') ? text : text.replace(/=$/, '')}`
  }
  let at = 0
  const lower = /[a-f]/.test(written)
  return `${label}${written.replace(/[0-9a-f]/gi, () => {
    const digit = digest.charAt(at++)
    return lower ? digit : digit.toUpperCase()
  })}`
}
