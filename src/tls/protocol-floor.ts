/**
 * Named floors, and what the operator's own words make of them: versions, cipher suites, groups.
 *
 * A floor is data. Anonymous and null ciphers can never be switched on, whatever string is written.
 * Source: Mozilla Server Side TLS guidelines 5.8 (2026-04-06), modern and intermediate; RFC 8996.
 */
import { createSecureContext } from 'node:tls'
import type { floorNames, ProtocolVersion, Terms } from '../config/terms.ts'

interface Floor {
  readonly minimum: ProtocolVersion
  readonly suites13: readonly string[]
  readonly ciphers12: readonly string[]
  readonly groups: readonly string[]
}

const suites13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'] as const
// The post-quantum hybrid comes first: images must stay secret for decades.
const groups = ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1'] as const

const floors: Record<(typeof floorNames)[number], Floor> = {
  'mozilla-modern': { minimum: 'TLSv1.3', suites13, ciphers12: [], groups },
  'mozilla-intermediate': {
    minimum: 'TLSv1.2',
    suites13,
    ciphers12: [
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES256-GCM-SHA384',
      'ECDHE-ECDSA-CHACHA20-POLY1305',
      'ECDHE-RSA-CHACHA20-POLY1305',
    ],
    groups,
  },
}

/** What a handshake is really held to. */
export interface EffectiveTerms {
  readonly minimum: ProtocolVersion
  readonly maximum: ProtocolVersion
  /** OpenSSL's string: TLS 1.3 suites first, then those of 1.2. */
  readonly ciphers: string
  /** Those that this OpenSSL has, in order. */
  readonly groups: readonly string[]
  /** Groups asked for that this OpenSSL does not have. */
  readonly missingGroups: readonly string[]
}

const groupIsKnown = (group: string): boolean => {
  try {
    createSecureContext({ ecdhCurve: group })
    return true
  } catch {
    return false // OpenSSL refuses a name it does not have; there is no list to ask
  }
}

/** IceSSL writes families with an underscore (AES_256), which OpenSSL does not know. */
const openSslName = (cipher: string) => cipher.replace(/\b(AES|CAMELLIA)_(128|256)\b(?!_)/g, '$1$2')

export type Report = (key: string, message: string, severity?: 'warning') => void

/** @returns undefined when the terms contradict each other or OpenSSL; `report` has said why */
export function effectiveTerms(terms: Terms, report: Report): EffectiveTerms | undefined {
  const floor = floors[terms.floor]
  const minimum = terms.minimum ?? floor.minimum
  const maximum = terms.maximum ?? 'TLSv1.3'
  if (minimum > maximum) {
    report('maximum', `no version is left: the minimum is ${minimum} and the maximum ${maximum}`)
    return undefined
  }
  if (terms.ciphers !== undefined && minimum === 'TLSv1.3') {
    report('ciphers', 'ciphers are those of TLS 1.2, which these terms do not allow; leave them out')
    return undefined
  }

  const asked = terms.ciphers === undefined ? floor.ciphers12 : [terms.ciphers].flat()
  const older = asked.map(openSslName).join(':')
  if (minimum === 'TLSv1.2' && older === '') {
    report(
      'minimum',
      `the floor ${terms.floor} has no cipher suites for TLS 1.2; name some under ciphers, or leave minimum out`,
    )
    return undefined
  }
  const ciphers = [
    ...(maximum === 'TLSv1.3' ? floor.suites13 : []),
    ...(minimum === 'TLSv1.2' ? [older, '!aNULL', '!eNULL'] : []),
  ].join(':')
  try {
    createSecureContext({ ciphers, minVersion: minimum, maxVersion: maximum })
  } catch {
    report('ciphers', `OpenSSL knows no cipher suite in "${older}"`)
    return undefined
  }

  const wanted = terms.groups ?? floor.groups
  const known = wanted.filter(groupIsKnown)
  const missingGroups = wanted.filter(group => !known.includes(group))
  if (known.length === 0) {
    report('groups', `OpenSSL knows none of these groups: ${wanted.join(', ')}`)
    return undefined
  }
  if (terms.groups !== undefined && missingGroups.length > 0) {
    report('groups', `this OpenSSL does not have ${missingGroups.join(', ')}; left out`, 'warning')
  }
  return { minimum, maximum, ciphers, groups: known, missingGroups }
}
