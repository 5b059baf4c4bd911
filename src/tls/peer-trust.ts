/**
 * How we judge a server that we call, read from its files: authorities, pins, names, and the certificate that we show.
 *
 * The judgement itself is in peer-verdict.ts, the connection in connect-peer.ts.
 */
import { constants, createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { endsAtAuthority, type PeerTrustSection } from '../config/peer-trust.ts'
import type { Pin } from '../config/pins.ts'
import type { TrustOnly } from '../config/trust-only.ts'
import type { Secret } from '../kernel/secret.ts'
import { pemCertificates, readKeystore, unreadable } from './keystore.ts'
import { parsedLater, platformAuthorities } from './platform-authorities.ts'
import type { Report } from './protocol-floor.ts'

export interface Authorities {
  /** For messages: the file, or whose they are. */
  readonly place: string
  readonly pem: readonly string[]
  /** By fingerprint. */
  readonly certificates: () => ReadonlyMap<string, X509Certificate>
}

export interface PeerTrust {
  /** For node:tls: authorities, protocol versions, the certificate that we show. Made once, for every connection. */
  readonly context: SecureContext
  /** Digest of certificate and key that we show; '' for none. Two trusts are the same if they are so as JSON. */
  readonly shown: string
  /** Where a chain must end. Undefined: nowhere, the pins stand for it. */
  readonly authorities: Authorities | undefined
  /** Expected in place of the host that is called. */
  readonly name: string | undefined
  readonly checkName: boolean
  /** Empty: whatever the authorities vouch for. */
  readonly pins: readonly Pin[]
  readonly only: TrustOnly | undefined
  /** Certificates in a chain, the server's own included; 0: no limit. */
  readonly depth: number
}

/** Versions and ciphers of a handshake with a server; TLS 1.2 and better when absent. */
export type PeerTerms = Pick<SecureContextOptions, 'minVersion' | 'maxVersion' | 'ciphers'>

/** @returns undefined when something is wrong; `report` has said what, under the keys of the section */
export function readPeerTrust(
  section: PeerTrustSection,
  password: Secret | undefined,
  now: number,
  report: Report,
  terms: PeerTerms = { minVersion: 'TLSv1.2' },
): PeerTrust | undefined {
  let failed = false
  const fail: Report = (key, message, severity) => {
    if (severity !== 'warning') failed = true
    report(key, message, severity)
  }
  const { pins = [], name, only, depth } = section
  const authorities = authoritiesOf(section, now, fail)
  const own =
    section.certificate === undefined
      ? undefined
      : readKeystore({ certificate: section.certificate, key: section.key, password }, now, fail)
  if (failed) return undefined
  for (const { kind, label, written } of pins) {
    if (kind !== 'sha1') continue
    const message = `${label}${written} is SHA-1, of which forgeries can be made; sallyport certs fetch shows the SHA-256`
    report('pins', message, 'warning')
  }
  const checkName = section.checkName ?? (authorities !== undefined || name !== undefined)
  if (!checkName && section.ca === undefined && pins.length === 0 && only === undefined) {
    const message = 'any server with a certificate of any public authority is believed; name a ca, pins or only'
    report('checkName', message, 'warning')
  }
  // A certificate that stands in `ca` is trusted as it is: an authority below another, or the server's own.
  const context = createSecureContext({
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...terms,
    ...own?.options,
    ca: [...(authorities?.pem ?? [])],
    allowPartialTrustChain: true,
  })
  const shown = own === undefined ? '' : digestOf(own.options)
  return { context, shown, authorities, name, checkName, pins, only, depth }
}

const digestOf = (options: object): string => createHash('sha256').update(JSON.stringify(options)).digest('base64')

let platform: PeerTrust | undefined

/** For a server of which nothing is said: the platform's authorities, and its own name. */
export function platformTrust(): PeerTrust {
  if (platform === undefined) {
    const pem = platformAuthorities()
    platform = {
      context: createSecureContext({
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
        minVersion: 'TLSv1.2',
        ca: [...pem],
      }),
      shown: '',
      authorities: authoritiesAt(platformPlace, pem),
      name: undefined,
      checkName: true,
      pins: [],
      only: undefined,
      depth: 0,
    }
  }
  return platform
}

const platformPlace = 'the trust store of this machine'

function authoritiesOf(section: PeerTrustSection, now: number, report: Report): Authorities | undefined {
  if (!endsAtAuthority(section)) return undefined
  if (section.ca === undefined) return authoritiesAt(platformPlace, platformAuthorities())
  return authoritiesAt(section.ca, readAuthorities(section.ca, now, report))
}

const authoritiesAt = (place: string, pem: readonly string[]): Authorities => ({
  place,
  pem,
  certificates: parsedLater(pem),
})

function readAuthorities(file: string, now: number, report: Report): string[] {
  let blocks: string[]
  try {
    blocks = pemCertificates(readFileSync(file, 'latin1'))
  } catch (cause) {
    report('ca', unreadable(file, cause))
    return []
  }
  if (blocks.length === 0) report('ca', `${file} holds no certificate (PEM)`)
  for (const [index, pem] of blocks.entries()) {
    try {
      const { validTo, validToDate } = new X509Certificate(pem) // node:tls passes over what it cannot read
      if (validToDate.getTime() < now)
        report('ca', `certificate ${index + 1} of ${file} expired on ${validTo}`, 'warning')
    } catch {
      report('ca', `certificate ${index + 1} of ${file} cannot be read`)
    }
  }
  return blocks
}

/** Asks nothing of a server: only for looking at what it shows. It believes whoever answers. */
export const nobodyAsked = (name?: string): PeerTrust => ({
  context: createSecureContext({ ca: [], minVersion: 'TLSv1', ciphers: 'DEFAULT:!aNULL:!eNULL:@SECLEVEL=0' }),
  shown: '',
  authorities: undefined,
  name,
  checkName: false,
  pins: [],
  only: undefined,
  depth: 0,
})
