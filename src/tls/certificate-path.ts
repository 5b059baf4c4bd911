/**
 * The ways from a certificate up to the authorities of a truststore.
 *
 * Node tells that OpenSSL has found such a way, and not which. They are walked again here, by signature and date, because
 * depth, revocation and realms go by the certificates on them. All of them are found, not the first: who holds the
 * certificate chooses what is sent beside it, and must not choose by that which list is asked or which realm fits.
 * Nothing becomes trusted by this: OpenSSL's verdict is asked first. Source: RFC 5280 6.1.
 */
import 'reflect-metadata'
import type { X509Certificate } from 'node:crypto'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as ParsedCertificate,
} from '@peculiar/x509'

/** More than any honest chain has: what a stranger sends must not cost us signatures without end. */
const most = { length: 8, ways: 8, signatures: 64 } as const

export type Path = readonly X509Certificate[]

/** What the certificate says of itself: CA:TRUE, CA:FALSE, or nothing. What it may really do is another question. */
export const basicConstraint = ({ raw }: Pick<X509Certificate, 'raw'>): boolean | undefined =>
  new ParsedCertificate(new Uint8Array(raw)).getExtension(BasicConstraintsExtension)?.ca

/** Whether its key usage says in so many words that it signs certificates. */
export function statesSigning({ raw }: Pick<X509Certificate, 'raw'>): boolean {
  const usage = new ParsedCertificate(new Uint8Array(raw)).getExtension(KeyUsagesExtension)
  return usage !== null && (usage.usages & KeyUsageFlags.keyCertSign) !== 0
}

/** What was read; undefined where the library cannot read a certificate that OpenSSL can. */
export function readable<Read>(read: () => Read): Read | undefined {
  try {
    return read()
  } catch (cause) {
    // It throws plain errors for bytes that it does not understand; anything else is a bug.
    if (!(cause instanceof Error) || cause instanceof TypeError || cause instanceof ReferenceError) throw cause
    return undefined
  }
}

export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

const isSame = (a: X509Certificate, b: X509Certificate) => a.fingerprint256 === b.fingerprint256
const isInDate = ({ validFromDate, validToDate }: X509Certificate, now: number) =>
  validFromDate.getTime() <= now && now <= validToDate.getTime()

/**
 * @param sent         what the peer showed beside its own certificate; untrusted
 * @param authorities  the truststore's, by fingerprint
 * @returns each way, the certificate first, and last an authority of the truststore that nobody there stands above;
 *   undefined where there is more to look at than is looked at: then nothing is known
 */
export function pathsToAuthority(
  certificate: X509Certificate,
  sent: readonly X509Certificate[],
  authorities: ReadonlyMap<string, X509Certificate>,
  now: number,
): readonly Path[] | undefined {
  const unique = (all: readonly X509Certificate[]) => [...new Map(all.map(one => [one.fingerprint256, one])).values()]
  const trusted = unique([...authorities.values()]).filter(one => isInDate(one, now))
  const anchors = new Set(trusted.map(one => one.fingerprint256))
  const between = unique(sent).filter(one => one.ca && isInDate(one, now) && !anchors.has(one.fingerprint256))
  const found: Path[] = []
  let signatures = 0
  let isTooMuch = false

  const climb = (path: Path): void => {
    const top = path.at(-1)
    if (top === undefined || isTooMuch) return
    const above = (candidates: readonly X509Certificate[]) =>
      candidates.filter(issuer => {
        if (isTooMuch || path.some(one => isSame(one, issuer)) || !top.checkIssued(issuer)) return false
        isTooMuch = ++signatures > most.signatures
        return !isTooMuch && top.verify(issuer.publicKey)
      })
    const isAnchored = path.length > 1 && anchors.has(top.fingerprint256)
    const issuers = [...above(trusted), ...(isAnchored ? [] : above(between))]
    if (isAnchored && issuers.length === 0) found.push(path)
    if (found.length > most.ways || (issuers.length > 0 && path.length >= most.length)) isTooMuch = true
    for (const issuer of issuers) climb([...path, issuer])
  }
  climb([certificate])
  return isTooMuch ? undefined : found
}
