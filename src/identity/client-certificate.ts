/**
 * Names the holder of the client certificate on a TLS connection.
 *
 * OpenSSL has verified the chain during the handshake; this module reads that verdict once for each connection, checks
 * dates again on each request, and turns it into an Answer. It does no I/O. The certificate is looked for before the
 * verdict: before Node 24.21 a TLS 1.3 session opened without one says `authorized` once resumed (nodejs/node#35317).
 *
 * Source: RFC 5280 4.1.2, 4.2.1.6; RFC 8446 2.2; IHE ATNA ITI-19 (certificates trusted as they are).
 */
import 'reflect-metadata'
import type { TLSSocket } from 'node:tls'
import { X509Certificate as ParsedCertificate, SubjectAlternativeNameExtension } from '@peculiar/x509'
import type { CertificateRealm } from '../config/realm.ts'
import { fingerprintOf, type Truststore } from '../tls/truststore.ts'
import { type Answer, absent, proven, type Refused, refused } from './answer.ts'

/** The facts needed of a connection; a TLSSocket has them, and so has a literal in a test. */
export type TlsPeer = Pick<TLSSocket, 'authorized' | 'authorizationError' | 'getPeerX509Certificate'>

/** What the handshake proved, for as long as the connection lasts. Dates are the only thing that changes with time. */
type Verdict =
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly answer: Refused; readonly notAfter: number; readonly notBefore: number }
  | {
      readonly kind: 'holder'
      readonly name: string
      readonly fingerprint: string
      readonly notBefore: number
      readonly notAfter: number
    }

export type CertificateReader = (peer: TlsPeer & object, now: number) => Answer

/** @param truststore  of the listener that a connection came by; undefined: certificates are not asked for */
export function createCertificateReader(
  realm: CertificateRealm,
  truststore: Truststore | undefined,
): CertificateReader {
  const verdicts = new WeakMap<object, Verdict>()
  return (peer, now) => {
    let verdict = verdicts.get(peer)
    if (verdict === undefined) {
      verdict = truststore === undefined ? { kind: 'absent' } : judgePeer(peer, realm, truststore)
      verdicts.set(peer, verdict)
    }
    if (verdict.kind === 'absent') return absent
    // A date out of range is the clearer reason, and OpenSSL reports it as one of many.
    if (now > verdict.notAfter) return refused('certificate-expired', new Date(verdict.notAfter).toISOString())
    if (now < verdict.notBefore) return refused('certificate-not-yet-valid', new Date(verdict.notBefore).toISOString())
    if (verdict.kind === 'refused') return verdict.answer
    return proven({
      name: verdict.name,
      realm: 'certificate',
      groups: new Set(realm.groups),
      proof: { kind: 'certificate', fingerprint: verdict.fingerprint },
    })
  }
}

function judgePeer(peer: TlsPeer, realm: CertificateRealm, truststore: Truststore): Verdict {
  const certificate = peer.getPeerX509Certificate()
  if (certificate === undefined) return { kind: 'absent' }
  const fingerprint = fingerprintOf(certificate)
  const dates = { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() }
  const no = (answer: Refused): Verdict => ({ kind: 'refused', answer, ...dates })

  // Possession of the key is proved by the handshake; a certificate trusted by itself needs no chain. `openssl req
  // -x509` makes such certificates with CA:TRUE, so one that stands in the truststore is taken as it is all the same.
  const listed = truststore.singles.has(fingerprint) || truststore.authorities.has(fingerprint)
  if (!listed) {
    if (!peer.authorized) {
      const error = String(peer.authorizationError)
      return no(refused(error.includes('PURPOSE') ? 'certificate-wrong-use' : 'certificate-not-trusted', error))
    }
    if (certificate.ca) return no(refused('certificate-wrong-use', "an authority's certificate is not for signing in"))
  }
  const own = listed ? realm.people.get(fingerprint) : undefined
  const name = own ?? nameIn(certificate.raw, realm.name, certificate.serialNumber, fingerprint)
  if (name === undefined) return no(refused('certificate-without-one-name', `no single usable ${realm.name}`))
  return { kind: 'holder', name, fingerprint, ...dates }
}

const sanTypes = { email: 'email', upn: 'upn', dns: 'dns', uri: 'url' } as const

/** Exactly one name of the wanted kind, without control characters; undefined otherwise. Parsed, never split from text. */
function nameIn(
  der: Buffer,
  wanted: CertificateRealm['name'],
  serial: string,
  fingerprint: string,
): string | undefined {
  if (wanted === 'fingerprint') return fingerprint
  if (wanted === 'serial') return serial
  const parsed = new ParsedCertificate(new Uint8Array(der))
  const names =
    wanted === 'commonName'
      ? parsed.subjectName.getField('CN')
      : (parsed.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [])
          .filter(item => item.type === sanTypes[wanted])
          .map(item => item.value)
  // Two names: taking "the first" would let an issuer's second one slip through.
  const [name, second] = names
  if (
    name === undefined ||
    second !== undefined ||
    name.trim() === '' ||
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name) ||
    name.length > 256
  )
    return undefined
  return name
}
