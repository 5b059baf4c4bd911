/**
 * What revocation asks of a certificate: its serial, its name as bytes, what it may sign, where its lists are.
 *
 * Node gives names as text only, and names must be compared as they were written. Source: RFC 5280 4.1, 4.2.1.3.
 */
import type { X509Certificate } from 'node:crypto'
import { DerReader, NotDer, tags } from './der-reader.ts'
import { distributionPoints, readExtensions } from './revocation-extensions.ts'

export interface CertificateFacts {
  readonly subjectName: Buffer
  readonly issuer: Buffer
  /** keyUsage is absent, or has cRLSign. */
  readonly maySignLists: boolean
  readonly points: readonly string[]
}

const remembered = new WeakMap<X509Certificate, CertificateFacts>()

/** Undefined: OpenSSL could read it and we cannot, because it is BER and not DER. */
export function certificateFacts(certificate: X509Certificate): CertificateFacts | undefined {
  const known = remembered.get(certificate)
  if (known !== undefined) return known
  try {
    const facts = read(certificate)
    remembered.set(certificate, facts)
    return facts
  } catch (cause) {
    if (cause instanceof NotDer) return undefined
    throw cause
  }
}

/** As `integerKey` gives it. */
export function serialKey({ serialNumber }: Pick<X509Certificate, 'serialNumber'>): string {
  return serialNumber.toLowerCase().replace(/^(-?)0+(?=.)/, '$1')
}

function read({ raw }: X509Certificate): CertificateFacts {
  const tbs = new DerReader(raw).next(tags.sequence).inside().next(tags.sequence).inside()
  tbs.skips(tags.explicit(0)) // version
  tbs.next().next() // serial, algorithm
  const issuer = tbs.next(tags.sequence).whole()
  tbs.next() // validity
  const subjectName = tbs.next(tags.sequence).whole()
  tbs.next() // key
  tbs.skips(tags.implicit(1))
  tbs.skips(tags.implicit(2))
  const extensions = tbs.skips(tags.explicit(3)) ? readExtensions(tbs.inside().next(tags.sequence).inside()) : []
  const value = (wanted: string) => extensions.find(({ oid }) => oid === wanted)?.value
  const usage = value('2.5.29.15')
  const points = value('2.5.29.31')
  return {
    subjectName,
    issuer,
    maySignLists: usage === undefined || hasBit(usage, 6),
    points: points === undefined ? [] : distributionPoints(points),
  }
}

/** @param usage  KeyUsage: a BIT STRING, the first bit being the highest */
function hasBit(usage: Buffer, bit: number): boolean {
  const octet = new DerReader(usage).next(tags.bitString).content()[1 + (bit >> 3)] ?? 0
  return (octet & (0x80 >> (bit & 7))) !== 0
}
