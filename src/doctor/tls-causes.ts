/**
 * What a directory shows over TLS, and why it is not believed: with the names that are in its certificate, who issued it,
 * and the setting that mends it.
 *
 * The judgement is that of peer-verdict.ts; here it is put into words. Not to forget: what a server shows is from
 * outside, and may be of a form that cannot be read.
 *
 * Source: RFC 6125 (names), RFC 5280 6 (paths).
 */
import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { Address } from '../ldap/connection.ts'
import { readable } from '../tls/certificate-path.ts'
import { fetchCommand, type PeerExamination } from '../tls/connect-peer.ts'
import { expiryNotice } from '../tls/expiry.ts'
import { issuerAttributes, nameText } from '../tls/name-match.ts'
import { type PeerCheck, subjectText } from '../tls/peer-verdict.ts'
import { type Diagnosis, otherUrl, placeOf, type Terms } from './diagnosis.ts'
import { clientCertificate } from './step-causes.ts'

/** DNS names and addresses, as they stand in it. */
export const namesIn = ({ subjectAltName }: Pick<X509Certificate, 'subjectAltName'>): string[] =>
  [...(subjectAltName ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):([^,]+)/g)].map(([, name = '']) => name)

const issuerText = (certificate: X509Certificate): string =>
  readable(() => nameText(issuerAttributes(certificate.raw))) || '(an authority without a name)'

/** `TLSv1.3, shows CN=ldap (ldap.example.org), issued by CN=Example CA, until 2027-01-31` */
export function shownText({ protocol, chain: [leaf] }: PeerExamination): string {
  if (leaf === undefined) return `${protocol}, without a certificate`
  const names = namesIn(leaf)
  const subject = readable(() => subjectText(leaf)) ?? '(a name that cannot be read)'
  const until = leaf.validToDate.toISOString().slice(0, 10)
  return `${protocol}, shows ${subject}${names.length === 0 ? '' : ` (${names.join(', ')})`}, issued by ${issuerText(leaf)}, until ${until}`
}

/** What should be known of a certificate that is believed all the same. */
export function endingSoon(
  { chain: [leaf] }: PeerExamination,
  { address }: Pick<Terms, 'address'>,
): Diagnosis | undefined {
  const notice = leaf && expiryNotice(leaf, Date.now())
  return (
    notice && {
      code: 'certificate-ends-soon',
      cause: `the certificate of ${placeOf(address)} ${notice.message}`,
      cure: 'have it renewed: without it nobody of the directory gets in',
    }
  )
}

/** Why the server is not believed, or does not take us; undefined: neither. */
export function untrusted(seen: PeerExamination, terms: Terms): Diagnosis | undefined {
  const failed = seen.outcomes.find(({ outcome }) => outcome === 'failed')
  if (failed === undefined) return seen.turnedAway && clientCertificate(terms)
  const [leaf, ...above] = seen.chain
  const look = lookCommand(terms)
  if (leaf === undefined) return { code: 'tls-chain', cause: 'the server shows no certificate', cure: look }
  return words[failed.check]({ leaf, above, detail: failed.detail, look, terms })
}

/** `certs fetch` speaks TLS from the first byte: where StartTLS comes before, the port for ldaps is named. */
const lookCommand = ({ address }: Pick<Terms, 'address'>): string =>
  `what it shows: ${fetchCommand(address.secure ? address : { ...address, port: 636 })}${address.secure ? '' : ' (if it has ldaps too)'}`

interface Shown {
  readonly leaf: X509Certificate
  readonly above: readonly X509Certificate[]
  /** Of the check that failed. */
  readonly detail: string
  readonly look: string
  readonly terms: Terms
}

const words: Readonly<Record<PeerCheck, (shown: Shown) => Diagnosis>> = {
  chain: notVouchedFor,
  name: otherName,
  pin: ({ detail, look }) => ({
    code: 'tls-pin',
    cause: detail,
    cure: `if the server has a new certificate, write its fingerprint into realms.directory.tls.pins; ${look}`,
  }),
  only: ({ detail, look }) => ({ code: 'tls-only', cause: detail, cure: `look at realms.directory.tls.only; ${look}` }),
  depth: ({ detail, look }) => ({
    code: 'tls-depth',
    cause: detail,
    cure: `look at realms.directory.tls.depth; ${look}`,
  }),
}

function notVouchedFor({ leaf, above, detail, look }: Shown): Diagnosis {
  const ended = [leaf, ...above].find(one => one.validToDate.getTime() < Date.now())
  const whose =
    ended === leaf ? 'the certificate of the server' : `a certificate above it (${ended && subjectOf(ended)})`
  if (ended !== undefined)
    return {
      code: 'tls-expired',
      cause: `${whose} expired on ${ended.validTo}`,
      cure: 'have it renewed; until then the server is not believed',
    }
  if (leaf.validFromDate.getTime() > Date.now())
    return {
      code: 'tls-not-yet-valid',
      cause: `the certificate of the server is valid from ${leaf.validFrom} only`,
      cure: 'look at the clocks of the server and of this machine',
    }
  if (!/CERT|ISSUER|LEAF/.test(detail)) return { code: 'tls-chain', cause: detail, cure: look }
  const top = above.at(-1) ?? leaf
  const issuer = issuerText(top)
  if (top === leaf && issuer === subjectOf(leaf))
    return {
      code: 'tls-self-signed',
      cause: `the certificate ${issuer} is self-signed, so no authority vouches for it`,
      cure: `put that very certificate into a file and name it as realms.directory.tls.ca, or its fingerprint under pins, after comparing it with the server's own; ${look}`,
    }
  return {
    code: 'tls-untrusted',
    cause: `the certificate goes back to ${issuer}, which is not among the authorities that the gateway is told to trust`,
    cure: `put the certificate of ${issuer} into a file (PEM) and name it as realms.directory.tls.ca; ${look}`,
  }
}

const subjectOf = (certificate: X509Certificate): string =>
  readable(() => subjectText(certificate)) ?? 'of an unreadable name'

function otherName({ leaf, detail, look, terms }: Shown): Diagnosis {
  const names = namesIn(leaf)
  const host = names.find(name => isIP(name) === 0 && !name.startsWith('*'))
  const code = 'tls-name'
  if (host === undefined) return { code, cause: detail, cure: `have a certificate made that is for this name; ${look}` }
  return {
    code,
    cause: detail,
    cure: `write the URL with a name that is in it (${otherUrl(terms.address, { host })}); or, if it is the right server, realms.directory.tls.name: ${host}; ${look}`,
  }
}

export const speaksTls = (address: Address): Diagnosis => ({
  code: 'port-speaks-tls',
  cause: `the server speaks TLS on this port from the first byte, and the URL says that it does not`,
  cure: `write ${otherUrl(address, { secure: true })} in realms.directory.urls, without startTls`,
})

export const speaksPlain = (address: Address): Diagnosis => ({
  code: 'port-speaks-no-tls',
  cause: 'the server does not speak TLS on this port from the first byte; it answers in clear',
  cure: `write ${otherUrl(address, { secure: false })} with startTls: true, or ${otherUrl(address, { secure: true, port: 636 })}`,
})
