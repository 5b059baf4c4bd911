/**
 * The authorities of this machine: those of the operating system, else those that Node brings.
 *
 * What NODE_EXTRA_CA_CERTS names is among them. They are read once: a change takes a restart. Source: Node
 * tls.getCACertificates; OpenSSL's SSL_CERT_FILE and SSL_CERT_DIR say where the system's are.
 */
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'

let pem: readonly string[] | undefined

export function platformAuthorities(): readonly string[] {
  if (pem === undefined) {
    const system = getCACertificates('system')
    // The same certificate often stands there twice, by its own name and in the bundle.
    pem = [...new Set([...(system.length > 0 ? system : getCACertificates('bundled')), ...getCACertificates('extra')])]
  }
  return pem
}

/** By fingerprint; parsed when first asked for. What Node cannot read is left out: OpenSSL does not use it either. */
export function parsedLater(blocks: readonly string[]): () => ReadonlyMap<string, X509Certificate> {
  let found: Map<string, X509Certificate> | undefined
  return () => {
    if (found !== undefined) return found
    found = new Map()
    for (const block of blocks) {
      try {
        const certificate = new X509Certificate(block)
        found.set(certificate.fingerprint256, certificate)
      } catch {
        // An authority of the platform that this OpenSSL does not know how to read; of a file of ours it was told.
      }
    }
    return found
  }
}
