/**
 * Names the holder of the client certificate on a TLS connection.
 *
 * OpenSSL has verified the chain during the handshake (tls/presented.ts); this module holds it against the rules that
 * the listener has now, and turns it into an Answer. What cannot change while the connection lasts is judged once, for all
 * connections that show the same; dates and revocation are asked again on each request. It does no I/O.
 *
 * Source: RFC 5280 4.1.2, 4.2.1.6; IHE ATNA ITI-19 (certificates trusted as they are); IceSSL TrustOnly, VerifyDepthMax.
 */
import type { CertificateRealm } from '../config/certificate-realm.ts'
import { basicConstraint, type Path, readable } from '../tls/certificate-path.ts'
import { admits } from '../tls/name-match.ts'
import { type Presented, presentedBy, type TlsPeer } from '../tls/presented.ts'
import type { ServerTrust } from '../tls/server-context.ts'
import { fingerprintOf, type Truststore } from '../tls/truststore.ts'
import { type Answer, absent, proven, type Refused, refused } from './answer.ts'
import { nameIn } from './certificate-name.ts'
import { createRealms, type FindRealm, type Holder } from './certificate-realms.ts'
import type { Principal } from './principal.ts'

export type { TlsPeer }

/** Dates are the only thing in a certificate that changes with time. */
type Verdict =
  | ({ readonly kind: 'refused'; readonly answer: Refused } & Dates)
  | ({
      readonly kind: 'holder'
      readonly name: string
      readonly realm: CertificateRealm
      readonly fingerprint: string
      readonly holder: Holder
      /** When the last way up to an authority ends. */
      readonly pathsEnd: number
    } & Dates)

interface Dates {
  readonly notBefore: number
  readonly notAfter: number
}

/** What a certificate says by itself. A holder who is to be looked up in the directory is nobody yet. */
export type Reading = Answer | { readonly kind: 'to-look-up'; readonly holder: Principal }

export type CertificateReader = (peer: TlsPeer & object, now: number) => Reading

/** Whether the certificate, or one above it, was taken back; undefined: none was. */
export type Revoked = (holder: Holder, now: number) => Refused | undefined

export interface CertificateReaderParts {
  readonly realms: readonly CertificateRealm[]
  /** Of the listener that a connection came by; without a truststore certificates are not asked for. */
  readonly trust: Pick<ServerTrust, 'truststore' | 'depth' | 'only'>
  readonly revoked: Revoked
}

export function createCertificateReader({ realms, trust, revoked }: CertificateReaderParts): CertificateReader {
  const { truststore } = trust
  if (truststore === undefined) return () => absent
  const verdicts = new WeakMap<Presented, Verdict>()
  const findRealm = createRealms(realms, truststore)
  return (peer, now) => {
    const presented = presentedBy(peer, truststore)
    if (presented === undefined) return absent
    let verdict = verdicts.get(presented)
    if (verdict === undefined) {
      verdict = judgeReadable(presented, { ...trust, truststore, findRealm })
      verdicts.set(presented, verdict)
    }
    // A date out of range is the clearer reason, and OpenSSL reports it as one of many.
    if (now > verdict.notAfter) return refused('certificate-expired', new Date(verdict.notAfter).toISOString())
    if (now < verdict.notBefore) return refused('certificate-not-yet-valid', new Date(verdict.notBefore).toISOString())
    if (verdict.kind === 'refused') return verdict.answer
    if (now > verdict.pathsEnd) return refused('certificate-not-trusted', 'an authority above it has ended')
    const taken = revoked(verdict.holder, now)
    if (taken !== undefined) return taken
    const { name, realm, fingerprint, holder } = verdict
    const groups = new Set(realm.groups)
    const principal: Principal = { name, realm: realm.id, groups, proof: { kind: 'certificate', fingerprint } }
    // One that is trusted as it is has its own name, and is nobody's of the directory.
    return realm.directory && !holder.listed ? { kind: 'to-look-up', holder: principal } : proven(principal)
  }
}

interface Rules extends Pick<ServerTrust, 'depth' | 'only'> {
  readonly truststore: Truststore
  readonly findRealm: FindRealm
}

/** A certificate that OpenSSL takes and our own reader does not is refused: what it says cannot be known. */
function judgeReadable(presented: Presented, rules: Rules): Verdict {
  const refusal = (): Verdict => ({
    kind: 'refused',
    answer: refused('certificate-unreadable', presented.fingerprint),
    ...datesOf(presented),
  })
  return readable(() => judge(presented, rules)) ?? refusal()
}

const datesOf = ({ certificate }: Presented): Dates => ({
  notBefore: certificate.validFromDate.getTime(),
  notAfter: certificate.validToDate.getTime(),
})

function judge(presented: Presented, { truststore, depth, only, findRealm }: Rules): Verdict {
  const { certificate, fingerprint } = presented
  const dates = datesOf(presented)
  const no = (...why: Parameters<typeof refused>): Verdict => ({ kind: 'refused', answer: refused(...why), ...dates })

  // Possession of the key is proved by the handshake; a certificate trusted by itself needs no chain. `openssl req
  // -x509` makes such certificates with CA:TRUE, so one that stands in the truststore is taken as it is all the same.
  const listed = truststore.singles.has(fingerprint) || truststore.authorities.has(fingerprint)
  const anchored = (path: Path) => path.slice(-1).every(anchor => truststore.authorities.has(fingerprintOf(anchor)))
  const paths = (presented.paths ?? []).filter(anchored)
  if (!listed) {
    if (!presented.authorized) return no(...openSslReason(presented))
    if (presented.paths === undefined) return no('certificate-not-trusted', 'its chain is longer than is looked at')
    if (presented.paths.length === 0) return no('certificate-not-trusted', 'no way to an authority')
    if (paths.length === 0) return no('certificate-not-trusted', 'its authority is no longer in the truststore')
    // Not `certificate.ca`, which is OpenSSL's view: CA:TRUE without the right to sign would pass for a leaf.
    if (basicConstraint(certificate) === true)
      return no('certificate-wrong-use', "an authority's certificate is not for signing in")
    const longest = Math.max(...paths.map(path => path.length))
    if (depth > 0 && longest > depth)
      return no('certificate-chain-too-long', `${longest} certificates in the chain, allowed are ${depth}`)
  }
  if (only !== undefined && !admits(only, certificate.raw))
    return no('certificate-not-admitted', `the listener's "only" does not admit ${oneLine(certificate.subject)}`)
  const holder: Holder = { certificate, listed, paths }
  const realm = findRealm(holder)
  if (realm === undefined)
    return no('certificate-without-realm', `no certificate realm takes the issuer ${oneLine(certificate.issuer)}`)
  const name = (listed ? realm.people.get(fingerprint) : undefined) ?? nameIn(certificate, realm.name)
  if (name === undefined) return no('certificate-without-one-name', `no single usable ${realm.name}`)
  return { kind: 'holder', name, realm, fingerprint, holder, pathsEnd: listed ? Infinity : endOf(paths), ...dates }
}

/** When the last of these ways has an authority on it that is over. */
const endOf = (paths: readonly Path[]): number =>
  Math.max(...paths.map(path => Math.min(...path.slice(1).map(({ validToDate }) => validToDate.getTime()))))

/** Node shows a name with one attribute on each line. */
const oneLine = (name: string | undefined) => (name ?? '').replaceAll('\n', ', ')

/** OpenSSL's code, for a person; a key that is too small, or a weak digest, it reports as "unspecified". */
function openSslReason({ certificate, error }: Presented): Parameters<typeof refused> {
  if (error.includes('PURPOSE')) return ['certificate-wrong-use', error]
  const { publicKey, signatureAlgorithm } = certificate
  const bits = publicKey.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < 2048) return ['certificate-too-weak', `${error}: a key of ${bits} bits`]
  if (/md5|sha1/i.test(signatureAlgorithm ?? '') || /MD_TOO_WEAK|KEY_TOO_SMALL/.test(error))
    return ['certificate-too-weak', `${error}: signed with ${signatureAlgorithm}`]
  return ['certificate-not-trusted', error]
}
