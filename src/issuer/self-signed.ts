/**
 * A throw-away certificate for a listener that nobody has given one yet.
 *
 * It proves nothing to anybody who has not compared its fingerprint; it is for trying things out. Everything is said
 * out loud to `selfsigned`, because what it is not told it chooses badly: SHA-1 without `algorithm`, `example.org`
 * without a name, and a name is pasted into a text where a comma starts a new attribute (names are checked first).
 */
import { generate } from 'selfsigned'
import { sortServerNames } from './names.ts'
import { validityOf } from './sign.ts'

/** Short: who forgets to replace it is reminded within the quarter. */
const days = 90

export interface SelfSigned {
  readonly certificatePem: string
  /** PKCS#8, not encrypted. For a file with mode 0600 only. */
  readonly keyPem: string
}

/** Refuses a bad name with `name-invalid`. */
export async function makeSelfSigned(names: readonly string[], ips: readonly string[] = []): Promise<SelfSigned> {
  const { commonName, dns, addresses } = sortServerNames(names, ips)
  const { notBefore, notAfter } = validityOf(new Date(), days)
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: notBefore,
    notAfterDate: notAfter,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...dns.map(value => ({ type: 2, value }) as const),
          ...addresses.map(ip => ({ type: 7, ip }) as const),
        ],
      },
    ],
  })
  return { certificatePem: ensureNewline(made.cert), keyPem: ensureNewline(made.private) }
}

const ensureNewline = (pem: string) => `${pem.trim()}\n`
