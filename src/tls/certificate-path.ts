/**
 * The way from a certificate up to an authority of a truststore.
 *
 * Node tells that OpenSSL has found such a way, and not which. It is walked again here, by signature, because depth,
 * revocation and realms go by the certificates on it. Nothing becomes trusted by this: OpenSSL's verdict is asked first,
 * and where no way is found the certificate counts as not trusted. Source: RFC 5280 6.1.
 */
import 'reflect-metadata'
import type { X509Certificate } from 'node:crypto'
import { BasicConstraintsExtension, X509Certificate as ParsedCertificate } from '@peculiar/x509'

/** More certificates than any honest chain has: what a stranger sends must not cost us signatures without end. */
const longest = 8
const signatures = 64

/** What the certificate says of itself: CA:TRUE, CA:FALSE, or nothing. What it may really do is another question. */
export const basicConstraint = ({ raw }: Pick<X509Certificate, 'raw'>): boolean | undefined =>
  new ParsedCertificate(new Uint8Array(raw)).getExtension(BasicConstraintsExtension)?.ca

export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/**
 * @param sent         what the peer showed beside its own certificate; untrusted
 * @param authorities  the truststore's, by fingerprint
 * @returns the certificate first, an authority of the truststore that nobody there stands above last; undefined: none
 */
export function pathToAuthority(
  certificate: X509Certificate,
  sent: readonly X509Certificate[],
  authorities: ReadonlyMap<string, X509Certificate>,
): readonly X509Certificate[] | undefined {
  const trusted = [...authorities.values()]
  const known = new Set(trusted.map(one => one.fingerprint256))
  let left = signatures
  const issues = (issuer: X509Certificate, below: X509Certificate) => {
    if (left === 0 || !below.checkIssued(issuer)) return false
    left--
    return below.verify(issuer.publicKey)
  }
  const climb = (path: readonly X509Certificate[]): readonly X509Certificate[] | undefined => {
    const top = path.at(-1)
    if (top === undefined || path.length > longest) return undefined
    const isNew = (one: X509Certificate) => !path.some(({ fingerprint256 }) => fingerprint256 === one.fingerprint256)
    for (const issuer of trusted) {
      if (!isNew(issuer) || !issues(issuer, top)) continue
      return climb([...path, issuer]) ?? [...path, issuer]
    }
    if (path.length > 1 && known.has(top.fingerprint256)) return path
    for (const issuer of sent) {
      if (!issuer.ca || !isNew(issuer) || !issues(issuer, top)) continue
      const found = climb([...path, issuer])
      if (found !== undefined) return found
    }
    return undefined
  }
  return climb([certificate])
}
