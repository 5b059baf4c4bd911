/**
 * Issues certificates for servers and for clients, signed by an Authority.
 *
 * Each is a fresh key (unless one is brought), a fresh serial and a record in the ledger, which is on the disk before
 * the caller sees the certificate. Nothing else is written: files are the caller's (new-file.ts), and so is who may ask.
 *
 * Source: RFC 5280 4.2.1.12 (purposes); RFC 6125 (names of servers); Apple HT210176 (825 days at most).
 */
import { createHash } from 'node:crypto'
import type { Authority } from './authority.ts'
import { generateKeys, type KeyKind, type KeyPair, privateKeyPem } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { checkCommonName, checkEmail, sortServerNames } from './names.ts'
import { IssuerRefusal } from './refusal.ts'
import { type LeafTerms, leafExtensions, sign, subjectOf, validityOf } from './sign.ts'

/** What browsers took from public authorities when they last cut it, and a year with a month to spare. */
const serverDays = 397
/** Apple's systems refuse servers with more, even from an authority that a person installed. */
export const longestServerDays = 825
const clientDays = 825

/** Who remembers what was issued. */
type Recorder = Pick<Ledger, 'record'>

export interface Issued {
  readonly commonName: string
  /** Upper case hexadecimal. */
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly certificatePem: string
  /** The leaf, then the authority. */
  readonly chainPem: string
  /** PKCS#8, not encrypted. For a file with mode 0600 only. */
  readonly keyPem: string
}

export interface ServerWishes {
  /** DNS names, and addresses too. The first is the common name. */
  readonly names: readonly string[]
  readonly ips?: readonly string[]
  /** For a node that also connects to others with this certificate (DICOM, an Orthanc peer). */
  readonly clientAuth?: boolean
  /** A kind to make, or a pair that is to be kept. */
  readonly key?: KeyKind | KeyPair
  /** Absent: 397. Never beyond the end of the authority. */
  readonly days?: number
  readonly now?: Date
}

/** Codes: `name-invalid`, `lifetime-invalid`. */
export async function issueServer(authority: Authority, ledger: Recorder, wishes: ServerWishes): Promise<Issued> {
  const { key = 'ec-p256', days = serverDays, clientAuth = false, now = new Date() } = wishes
  const { commonName, dns, addresses } = sortServerNames(wishes.names, wishes.ips)
  if (days > longestServerDays) {
    const why = `Apple's systems refuse a server certificate of more than ${longestServerDays} days`
    throw new IssuerRefusal('lifetime-invalid', `${days} days is too long: ${why}`)
  }
  const names: LeafTerms['names'] = [
    ...dns.map(value => ({ type: 'dns', value }) as const),
    ...addresses.map(value => ({ type: 'ip', value }) as const),
  ]
  const terms = { serverAuth: true, clientAuth, keyEncipherment: isRsa(key), names }
  return issue(authority, ledger, { kind: 'server', commonName, terms, key, days, now })
}

export interface ClientWishes {
  /** Becomes the common name, whole. */
  readonly name: string
  readonly email?: string
  readonly key?: KeyKind
  /** Absent: 825. Never beyond the end of the authority. */
  readonly days?: number
  readonly now?: Date
}

/** Codes: `name-invalid`, `lifetime-invalid`. */
export async function issueClient(authority: Authority, ledger: Recorder, wishes: ClientWishes): Promise<Issued> {
  const { name, email, key = 'ec-p256', days = clientDays, now = new Date() } = wishes
  const commonName = checkCommonName(name)
  const names = email === undefined ? [] : [{ type: 'email', value: checkEmail(email) } as const]
  const terms = { serverAuth: false, clientAuth: true, keyEncipherment: false, names }
  return issue(authority, ledger, { kind: 'client', commonName, terms, key, days, now })
}

interface Order {
  readonly kind: 'server' | 'client'
  readonly commonName: string
  readonly terms: LeafTerms
  readonly key: KeyKind | KeyPair
  readonly days: number
  readonly now: Date
}

const isRsa = (key: KeyKind | KeyPair) =>
  (typeof key === 'string' ? key : key.publicKey.algorithm.name).toLowerCase().startsWith('rsa')

async function issue(authority: Authority, ledger: Recorder, order: Order): Promise<Issued> {
  const { kind, commonName, terms, key, days, now } = order
  const end = authority.certificate.notAfter
  if (end <= now)
    throw new IssuerRefusal('authority-expired', `the authority in ${authority.dir} ended on ${end.toISOString()}`)

  const { publicKey, privateKey } = typeof key === 'string' ? await generateKeys(key) : key
  const validity = validityOf(now, days, end)
  const certificate = await sign({ commonName, publicKey, extensions: leafExtensions(terms), ...validity }, authority)

  const serial = certificate.serialNumber.toUpperCase()
  const sha256 = createHash('sha256').update(Buffer.from(certificate.rawData)).digest('hex').toUpperCase()
  await ledger.record({
    authority: authority.fingerprint,
    serial,
    subject: subjectOf(certificate),
    name: commonName,
    kind,
    notAfter: validity.notAfter.toISOString(),
    sha256: sha256.replace(/..(?!$)/g, '$&:'),
    when: now.toISOString(),
  })

  const certificatePem = `${certificate.toString('pem')}\n`
  const chainPem = certificatePem + authority.certificatePem
  return { commonName, serial, ...validity, certificatePem, chainPem, keyPem: privateKeyPem(privateKey) }
}
