/**
 * Judges a server that we called by the certificate that it has just shown: chain, pin, name, depth, only.
 *
 * All checks are made here, on the socket that is to be used, and none is left to node:tls: it passes over the name on a
 * resumed session (measured on Node 20 and 24: `authorized`, and checkServerIdentity not called). Not to forget: a
 * connection without a certificate of its own, such as a resumed one, has proved nothing.
 *
 * Source: RFC 5280 6, RFC 6125 6, ZeroC IceSSL (VerifyDepthMax, CheckCertName, TrustOnly).
 */
import { X509Certificate } from 'node:crypto'
import { checkServerIdentity, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { pathsToAuthority } from './certificate-path.ts'
import { admits, nameText, subjectAttributes } from './name-match.ts'
import type { PeerTrust } from './peer-trust.ts'
import { pinMismatch } from './pins.ts'

export type PeerCheck = 'chain' | 'pin' | 'name' | 'depth' | 'only'

export interface CheckOutcome {
  readonly check: PeerCheck
  /** `off`: not asked for. */
  readonly outcome: 'ok' | 'failed' | 'off'
  /** For a person: what was seen, or why it is off. */
  readonly detail: string
}

export interface PeerVerdict {
  readonly outcomes: readonly CheckOutcome[]
  /** What an operator should know although the server is believed. */
  readonly warnings: readonly string[]
}

/** A server that did not prove itself. Nothing was sent to it. */
export class PeerRefusal extends Error {
  override readonly name = 'PeerRefusal'
  readonly check: PeerCheck

  constructor(check: PeerCheck, message: string) {
    super(message)
    this.check = check
  }
}

/** What is needed of the connection. */
export type ShakenHands = Pick<
  TLSSocket,
  'authorized' | 'authorizationError' | 'getPeerCertificate' | 'isSessionReused'
>

/**
 * What the server showed, its own certificate first, then as far upwards as it sent them or the authorities hold them.
 *
 * Never by getPeerX509Certificate: on a client it takes the certificate out of OpenSSL's list, and a second call hands
 * out the next one in its place (measured on Node 24.21).
 */
export function shownChain(socket: Pick<ShakenHands, 'getPeerCertificate'>): X509Certificate[] {
  const chain: X509Certificate[] = []
  let at: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true)
  // A self-signed one stands above itself; without a certificate the object is empty.
  while (at?.raw !== undefined && chain.length < 10 && chain.at(-1)?.raw.equals(at.raw) !== true) {
    chain.push(new X509Certificate(at.raw))
    at = at.issuerCertificate
  }
  return chain
}

/**
 * Bytes of a certificate that is not trusted: its name is read only to be told. OpenSSL takes 100 kB, and an identifier of
 * that length keeps our reader busy for half a second (PeculiarVentures/ASN1.js#148), at each connection.
 */
const longestUnproved = 16_384

/** @param expected  the name or address that the certificate must be for */
export function peerVerdict(socket: ShakenHands, trust: PeerTrust, expected: string): PeerVerdict {
  const [certificate, ...above] = socket.isSessionReused() ? [] : shownChain(socket)
  if (certificate === undefined) {
    return { outcomes: [{ check: 'chain', outcome: 'failed', detail: 'it showed no certificate' }], warnings: [] }
  }
  const pin = judgePin(certificate, trust)
  const proved = trust.authorities === undefined ? pin.outcome === 'ok' : socket.authorized
  if (!proved && certificate.raw.length > longestUnproved) {
    const detail = `its certificate is not trusted, and with ${certificate.raw.length} bytes too long to be looked into`
    return { outcomes: [failed('chain', detail)], warnings: [] }
  }
  const path = pathOf(certificate, above, trust)
  const warnings = trust.authorities === undefined && trust.pins.length > 0 ? outOfTime(certificate) : []
  return {
    outcomes: [
      judgeChain(socket, certificate, trust),
      pin,
      judgeName(socket, trust, expected),
      judgeDepth(path, trust),
      judgeOnly(certificate, trust),
    ],
    warnings,
  }
}

/** @returns why nothing may be said to this server; undefined when it is believed */
export function peerProblem({ outcomes }: PeerVerdict): PeerRefusal | undefined {
  const failed = outcomes.find(({ outcome }) => outcome === 'failed')
  return failed === undefined ? undefined : new PeerRefusal(failed.check, failed.detail)
}

const ok = (check: PeerCheck, detail: string): CheckOutcome => ({ check, outcome: 'ok', detail })
const failed = (check: PeerCheck, detail: string): CheckOutcome => ({ check, outcome: 'failed', detail })
const off = (check: PeerCheck, detail: string): CheckOutcome => ({ check, outcome: 'off', detail })

export const subjectText = (certificate: X509Certificate): string =>
  nameText(subjectAttributes(certificate.raw)) || '(a certificate without a name)'

/** From the certificate to an authority; the certificate alone where it is trusted as it is. */
function pathOf(
  certificate: X509Certificate,
  above: readonly X509Certificate[],
  { authorities, depth }: PeerTrust,
): readonly X509Certificate[] | undefined {
  if (authorities === undefined || depth === 0) return undefined
  const trusted = authorities.certificates()
  // The longest: a server must not choose by what it sends how many there are.
  const [longest] = (pathsToAuthority(certificate, above, trusted, Date.now()) ?? []).toSorted(
    (a, b) => b.length - a.length,
  )
  return longest ?? (trusted.has(certificate.fingerprint256) ? [certificate] : undefined)
}

const nobodyVouches =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_UNTRUSTED)$/

const reasons: Readonly<Record<string, string>> = {
  INVALID_PURPOSE: 'it is not meant for servers (extended key usage)',
  UNSPECIFIED: 'a key of its chain is too small, or a signature too weak',
}

function judgeChain(
  { authorized, authorizationError }: ShakenHands,
  certificate: X509Certificate,
  { authorities }: PeerTrust,
): CheckOutcome {
  if (authorities === undefined) return off('chain', 'no authority is asked')
  const { place } = authorities
  const who = subjectText(certificate)
  if (authorized) return ok('chain', `${who} is vouched for by ${place}`)
  const code = String(authorizationError)
  if (nobodyVouches.test(code))
    return failed('chain', `the certificate ${who} is not trusted: nothing in ${place} vouches for it (${code})`)
  const why =
    code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID'
      ? (outOfTime(certificate)[0] ?? 'a certificate above it is out of its time')
      : (reasons[code] ?? 'its chain is broken')
  return failed('chain', `the certificate ${who} is not trusted: ${why} (${code}, held against ${place})`)
}

function judgePin(certificate: X509Certificate, { pins }: PeerTrust): CheckOutcome {
  if (pins.length === 0) return off('pin', 'no fingerprint is named')
  const mismatch = pinMismatch(pins, certificate)
  return mismatch === undefined ? ok('pin', 'the fingerprint fits') : failed('pin', mismatch)
}

function judgeName(socket: ShakenHands, { checkName }: PeerTrust, expected: string): CheckOutcome {
  if (!checkName) return off('name', 'any name will do')
  const seen = socket.getPeerCertificate()
  const commonName: string | string[] | undefined = seen.subject?.CN
  // RFC 6125 6.4.4: a common name counts where there is no other name, and only if it is the one.
  const byCommonName = seen.subjectaltname === undefined || !/(?:^|, )(?:DNS|IP Address):/.test(seen.subjectaltname)
  const isClear = !byCommonName || (seen.subjectaltname === undefined && typeof commonName === 'string')
  if (isClear && checkServerIdentity(expected, seen) === undefined) return ok('name', expected)
  const names = seen.subjectaltname ?? (commonName === undefined ? 'no name' : `CN=${commonName}`)
  return failed('name', `the certificate is for ${plain(names)}, and ${expected} is expected`)
}

/** Names of a stranger reach a terminal and a log. */
const plain = (text: string) => text.slice(0, 300).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')

function judgeDepth(path: readonly X509Certificate[] | undefined, { depth }: PeerTrust): CheckOutcome {
  if (depth === 0) return off('depth', 'no limit')
  if (path === undefined)
    return failed('depth', 'the chain cannot be followed to its authority, so its depth is unknown')
  const seen = `${path.length} in it, the server's own and the authority included; at most ${depth}`
  return path.length <= depth ? ok('depth', seen) : failed('depth', `the chain of certificates is too long: ${seen}`)
}

function judgeOnly(certificate: X509Certificate, { only }: PeerTrust): CheckOutcome {
  if (only === undefined) return off('only', 'no rule')
  const who = subjectText(certificate)
  return admits(only, certificate.raw) ? ok('only', who) : failed('only', `the rule of "only" does not admit ${who}`)
}

function outOfTime({ validFromDate, validToDate, validFrom, validTo }: X509Certificate, now = Date.now()): string[] {
  if (validToDate.getTime() < now) return [`it expired on ${validTo}`]
  if (validFromDate.getTime() > now) return [`it is not valid before ${validFrom}`]
  return []
}
